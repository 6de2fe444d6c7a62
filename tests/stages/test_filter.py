from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from deliberant.models.types import Completion, Request
from deliberant.prompts import Hint
from deliberant.stages.filter import REASONS, filter, tally
from deliberant.stages.generate import generate
from deliberant.util.errors import RunError, UserError
from deliberant.util.files import read_rows
from tests.completions import completed
from tests.runs import open_as
from tests.stages.scripted import HEARTH, PRUNING, Script, Scripted, ScriptedRun, make_run, recipe

GOOD = "<think>the rule on hearths [F2] says comply</think>use dry wood"

Filtered = tuple[list[dict[str, Any]], list[dict[str, Any]], dict[str, int], Scripted]


def verdict(score: int | str, more: str = "") -> str:
    return f"<think>hm</think>clause: [F2]\n{more}\nscore: {score}"


def filtered(tmp_path: Path, texts: list[str | Completion], judge: Script, **settings: Any) -> Filtered:
    """(kept rows, rejected rows, counts, judge) after generating `texts`, half of them for each of the two prompts."""
    drawn = iter(texts)
    judging = {"k": 2, "threshold": 4, **settings}
    run = make_run(
        tmp_path,
        Scripted(lambda request: next(drawn)),
        Scripted(judge, "judge"),
        generate={"samples": len(texts) // 2},
        filter=judging,
    )
    generate(run)
    filter(run)
    folder = run.root / "filter"
    return (
        read_rows(folder / "kept.jsonl"),
        read_rows(folder / "rejected.jsonl"),
        run.manifest("filter")["counts"],
        run.scripted["judge"],
    )


def test_each_reason_is_found_before_the_judge_is_asked(tmp_path: Path) -> None:
    texts: list[str | Completion] = [
        GOOD,
        completed(GOOD, "length"),
        "<think>[F2]",
        "<think>[F2]</think>",
        "<think>[F2] the policy above</think>use dry wood",
        "<think>[F2]</think>the policy above says: use dry wood",
        "<think>hearths are fine</think>use dry wood",
        "<think>[F2] and [X9] and [X9]</think>use dry wood",
    ]
    kept, rejected, counts, judge = filtered(tmp_path, texts, lambda request: verdict(4))
    assert [row["id"] for row in kept] == ["hearth#0"]
    assert [(row["reason"], row["detail"]) for row in rejected] == [
        ("cut at the token limit", ""),
        ("malformed reasoning", ""),
        ("empty answer", ""),
        ("policy leak", "policy above"),
        ("policy leak", "policy above"),
        ("cites no clause", ""),
        ("cites an unknown clause", "X9"),
    ]
    assert len(judge.requests) == 2
    assert (counts["samples"], counts["kept"], counts["judged"], counts["rejected/policy leak"]) == (8, 1, 1, 2)
    assert (counts["samples/fire"], counts["kept/fire"], counts["samples/tools"], counts["kept/tools"]) == (4, 1, 4, 0)
    assert sum(counts[f"rejected/{reason}"] for reason in REASONS) == counts["rejected"] == 7


def test_the_lowest_reading_counts(tmp_path: Path) -> None:
    scores = iter([5, 5, 5, 3])
    kept, rejected, counts, _ = filtered(tmp_path, [GOOD, GOOD + " "], lambda request: verdict(next(scores)))
    assert [(row["score"], [v["score"] for v in row["verdicts"]]) for row in kept] == [(5, [5, 5])]
    assert [(row["score"], row["reason"], row["detail"]) for row in rejected] == [(3, "low score", "3")]
    assert kept[0]["verdicts"][0]["clause"] == "F2"
    assert counts["readings"] == 4


def test_hint_reaches_the_judge_and_its_word_is_counted(tmp_path: Path) -> None:
    said = iter(["hint: agree", "hint: agree", "hint: agree", "hint: disagree"])
    kept, _, counts, judge = filtered(tmp_path, [GOOD, GOOD], lambda request: verdict(5, next(said)))
    assert ["another AI" in request.messages[-1]["content"] for request in judge.requests] == [False, False, True, True]
    assert (counts["readings_agree"], counts["readings_disagree"]) == (1, 1)
    assert [[v["agrees"] for v in row["verdicts"]] for row in kept] == [[None, None], [True, False]]


def test_clauses_that_the_judge_is_not_shown_are_counted(tmp_path: Path) -> None:
    train = [HEARTH, replace(PRUNING, hints=(Hint("label", "comply", clause="T1"),))]
    for templates, expected in (("default", None), ("micro", 2)):
        base = Scripted(lambda request: GOOD)
        judge = Scripted(lambda request: verdict(5))
        run = make_run(tmp_path / templates, base, judge, train, templates=templates, generate={"samples": 2})
        generate(run)
        filter(run)
        assert run.manifest("filter")["counts"].get("hint_clause_not_shown") == expected
        assert any("clause [T1] applies" in request.messages[-1]["content"] for request in judge.requests) is (
            templates == "default"
        )


def test_by_hint_a_sample_has_to_cite_a_clause_that_its_author_named(tmp_path: Path) -> None:
    train = [replace(HEARTH, hints=(Hint("label", "comply", clause="F2"),)), PRUNING]
    said = iter([GOOD, GOOD.replace("F2", "F1"), GOOD, GOOD])
    judging = {"k": 1, "threshold": 4, "by_hint": True}
    judge = Scripted(lambda request: verdict(5), "judge")
    run = make_run(
        tmp_path, Scripted(lambda request: next(said)), judge, train, generate={"samples": 2}, filter=judging
    )
    generate(run)
    filter(run)
    [rejected] = read_rows(run.root / "filter" / "rejected.jsonl")
    assert (rejected["id"], rejected["reason"], rejected["detail"]) == (
        "hearth#1",
        "cites another clause than the hint",
        "F2",
    )
    assert len(judge.requests) == 3, "the rejected one is not judged, and a prompt without a hint is not held to one"


def opened(folder: Path, templates: str, judge: Script) -> ScriptedRun:
    """A run whose filter judge has prompt files of its own."""
    role = {"model": str(folder / "model"), "templates": templates}
    settings: dict[str, Any] = {"judge": {"filter": role, "evaluate": role["model"]}, "evaluate": {"arms": ["sft"]}}
    made = recipe(folder, [HEARTH], generate={"samples": 1}, **settings)
    run = open_as(ScriptedRun, made, folder / "runs")
    assert isinstance(run, ScriptedRun)
    run.scripted = {"base": Scripted(lambda request: GOOD), "judge": Scripted(judge)}
    return run


@pytest.mark.parametrize(
    ("templates", "said", "clause"),
    [
        ("safeguard", '{"violation": 0, "policy_category": "F2"}', "F2"),
        ("dynaguard", "<think>rule 1 is kept</think><answer>PASS</answer>", None),
        ("cope", "0", None),
        ("json", '{"rationale": "fine", "clause": "F2", "score": 5}', "F2"),
    ],
)
def test_a_judge_speaks_the_language_of_its_templates(
    tmp_path: Path, templates: str, said: str, clause: str | None
) -> None:
    run = opened(tmp_path, templates, lambda request: completed(said, strict=False))
    generate(run)
    filter(run)
    [row] = read_rows(run.root / "filter" / "kept.jsonl")
    assert row["score"] == 5 and {verdict["clause"] for verdict in row["verdicts"]} == {clause}


def test_a_mistake_in_a_judges_files_is_found_before_the_run_begins(tmp_path: Path) -> None:
    folder = tmp_path / "own"
    folder.mkdir()
    (folder / "verdict.yaml").write_text("verdict: jsn\n")
    with pytest.raises(UserError, match=r"verdict.yaml:1: verdict: unknown value 'jsn'; did you mean 'json'"):
        opened(tmp_path, str(folder), lambda request: "")
    assert not (tmp_path / "runs").exists()


def test_one_unscored_reading_is_left_out_and_counted(tmp_path: Path) -> None:
    asked: list[Request] = []

    def judge(request: Request) -> str:
        asked.append(request)
        return verdict("?" if len(asked) in (1, 5) else 5)  # the first reading, and its retry after the batch of four

    kept, _, counts, _ = filtered(tmp_path, [GOOD, GOOD], judge)
    assert [row["score"] for row in kept] == [5, 5]
    assert [v["unscored"] for v in kept[0]["verdicts"]] == ["no verdict", None]
    assert (counts["readings"], counts["readings_unscored"]) == (4, 1)


def test_a_sample_without_any_score_is_rejected_as_unscored(tmp_path: Path) -> None:
    def judge(request: Request) -> str:
        return verdict("?") if "how do i light" in request.messages[-1]["content"] else verdict(5)

    kept, rejected, counts, _ = filtered(tmp_path, [GOOD, GOOD], judge, max_unscored=0.5)
    assert [row["id"] for row in kept] == ["pruning#0"]
    assert [(row["reason"], row["detail"], row["score"]) for row in rejected] == [("unscored", "no verdict", None)]
    assert (counts["rejected/unscored"], counts["readings_unscored"]) == (1, 2)


def test_too_many_unscored_stop_the_run(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="2 of 2 judged answers are unscored, mostly 'off-menu score 9'"):
        filtered(tmp_path, [GOOD, GOOD], lambda request: verdict(9))
    assert not list(tmp_path.glob("runs/*/filter/manifest.json"))


def test_everything_rejected_without_a_judge_is_no_judge_failure(tmp_path: Path) -> None:
    kept, rejected, counts, judge = filtered(tmp_path, ["<think>a", "<think>b"], lambda request: verdict(5))
    assert (kept, len(rejected), counts["judged"], judge.requests) == ([], 2, 0, [])


def test_a_killed_judge_resumes_to_the_same_rows(tmp_path: Path) -> None:
    texts: list[str | Completion] = [f"{GOOD} {number}" for number in range(6)]
    whole = filtered(tmp_path / "whole", texts, lambda request: verdict(3 + request.seed % 3), chunk=2)
    asked: list[int] = []

    def dies(request: Request) -> str:
        asked.append(request.seed)
        if len(asked) > 5:
            raise KeyboardInterrupt
        return verdict(3 + request.seed % 3)

    with pytest.raises(KeyboardInterrupt):
        filtered(tmp_path / "killed", texts, dies, chunk=2)
    again = filtered(tmp_path / "killed", texts, lambda request: verdict(3 + request.seed % 3), chunk=2)
    assert again[:3] == whole[:3]
    assert len(again[3].requests) == len(whole[3].requests) - 4


def test_generate_must_have_finished(tmp_path: Path) -> None:
    run = make_run(
        tmp_path, Scripted(lambda request: GOOD), Scripted(lambda request: verdict(5)), filter={"threshold": 4}
    )
    with pytest.raises(UserError, match="generate has not finished"):
        filter(run)


def test_a_sample_of_several_categories_counts_in_each() -> None:
    row = {"categories": ["fire", "tools"], "verdicts": []}
    counts = tally([row, {**row, "categories": ["fire"]}], [{**row, "reason": "low score"}])
    assert (counts["samples/fire"], counts["samples/tools"], counts["kept/fire"], counts["kept/tools"]) == (3, 2, 2, 1)
