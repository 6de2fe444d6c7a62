from collections.abc import Iterator
from pathlib import Path

from deliberant.models.types import Completion
from deliberant.stages.helpful import helpful
from deliberant.util.files import read_rows
from tests.completions import completed
from tests.stages.scripted import SONG, Scripted, make_run

GOOD = "<think>a poem then</think>roses are red"


def test_complete_answers_are_kept_and_the_others_too_but_apart(tmp_path: Path) -> None:
    drawn: Iterator[str | Completion] = iter([GOOD, "<think>no end", "<think>a</think> ", completed(GOOD, "length")])
    base = Scripted(lambda request: next(drawn))
    run = make_run(tmp_path, base, helpful={"samples": 4})
    helpful(run)
    [kept] = read_rows(run.root / "helpful" / "samples.jsonl")
    rejected = read_rows(run.root / "helpful" / "rejected.jsonl")
    assert (kept["id"], kept["answer"], kept["categories"], kept["cited"]) == ("song#0", "roses are red", [], [])
    assert (kept["verdicts"], kept["score"]) == ([], None)
    assert [(row["id"], row["reason"]) for row in rejected] == [
        ("song#1", "malformed reasoning"),
        ("song#2", "empty answer"),
        ("song#3", "cut at the token limit"),
    ]
    assert rejected[0].keys() == kept.keys() | {"reason", "detail"}
    counts = run.manifest("helpful")["counts"]
    assert (counts["samples"], counts["kept"], counts["rejected"], counts["rejected/empty answer"]) == (4, 1, 3, 1)


def test_no_policy_is_shown_and_a_second_call_draws_nothing(tmp_path: Path) -> None:
    base = Scripted(lambda request: GOOD)
    run = make_run(tmp_path, base)
    helpful(run)
    helpful(run)
    assert [request.messages for request in base.requests] == [SONG.messages]
    assert sorted(path.name for path in (run.root / "helpful").glob("*.jsonl")) == ["rejected.jsonl", "samples.jsonl"]
