from pathlib import Path
from typing import Any

import pytest

from deliberant.models.types import Completion, Request, Usage
from deliberant.run.recipe import Evaluate, WorstOf
from deliberant.stages.answers import read_samples
from deliberant.stages.evaluate import evaluate
from deliberant.util.files import read_json
from tests.completions import completed
from tests.runs import open_as
from tests.stages.scripted import Scripted
from tests.stages.test_evaluate import CASES, JudgedRun, ReadRun, open_run

MORE: dict[str, Any] = {"thinking": True, "budgets": [0, 4], "worst_of": WorstOf(k=3)}


def measured(root: Path) -> dict[str, Any]:
    """The rows of each measurement that a run has."""
    names = ("retrieval", "thinking", "budgets", "worst_of")
    files = {name: root / "evaluate" / f"{name}.json" for name in names}
    return {name: read_json(path, "", list) for name, path in files.items() if path.exists()}


def says(request: Request) -> str | Completion:
    """Follows the reasoning that it is given; left to itself it refuses the barn."""
    barn = "barn" in request.messages[-1]["content"]
    if request.thought is None:
        return f"<think>well {'no' if barn else 'yes'} [F1]</think>{'sorry' if barn else 'sure'}"
    answer = "sorry" if "no" in request.thought else "sure"
    return Completion(answer, request.thought, answer, True, "stop", Usage(3, 1))


def open_more(
    folder: Path, base: Scripted, judge: Scripted | None = None, kind: type[ReadRun] = ReadRun, **more: Any
) -> ReadRun:
    """A run with the measurements: the same run, since they are no part of its name."""
    run = open_run(folder, base, judge, kind, ("base", "base+spec"))
    settings = {**run.recipe.evaluate.model_dump(), **more}
    again = open_as(kind, run.recipe.model_copy(update={"evaluate": Evaluate(**settings)}), folder / "runs")
    assert isinstance(again, ReadRun) and again.root == run.root
    again.scripted = run.scripted
    return again


def test_without_being_asked_nothing_more_is_drawn(tmp_path: Path) -> None:
    base = Scripted(says)
    run = open_more(tmp_path, base)
    evaluate(run)
    assert len(base.requests) == 2 * len(CASES)
    assert set(measured(run.root)) == {"retrieval"}


def test_a_finished_run_is_measured_further_and_only_once(tmp_path: Path) -> None:
    evaluate(open_more(tmp_path, Scripted(says)))
    base = Scripted(says)
    run = open_more(tmp_path, base, **MORE)
    evaluate(run)
    thoughts = [request.thought for request in base.requests if request.thought is not None]
    forced, unthinking = 2 * len(CASES) * 3, 2 * len(CASES)  # "", "well", "well no", all; the swap is the same
    assert len(thoughts) == forced + len(CASES) * 2 + unthinking
    assert len(base.requests) - len(thoughts) == 2 * len(CASES) * (1 + 3)
    again = Scripted(says)
    evaluate(open_more(tmp_path, again, **MORE))
    assert again.batches == []
    files = {path.name for path in (run.root / "evaluate" / "thinking").iterdir()}
    assert files == {"begun.json", "manifest.json", "samples.jsonl"}


def test_flips_show_that_the_thinking_decides(tmp_path: Path) -> None:
    run = open_more(tmp_path, Scripted(says), thinking=True)
    evaluate(run)
    rows = measured(run.root)["thinking"]
    found = {(row["arm"], row["cut"], row["swap"], row["side"]): (row["flips"], row["n"]) for row in rows}
    assert found["base", 0.0, None, "harmful"] == (1, 1)
    assert found["base", 1.0, None, "harmful"] == (0, 1)
    assert found["base", 0.0, None, "harmless"] == (0, 2)
    assert found["base", None, "base+spec", "harmful"] == (0, 1)


def test_a_budget_of_nothing_closes_the_reasoning_at_once(tmp_path: Path) -> None:
    run = open_more(tmp_path, Scripted(says), budgets=[0, 4])
    evaluate(run)
    found = {
        (row["budget"], row["suite"]): row["value"]
        for row in measured(run.root)["budgets"]
        if (row["arm"], row["metric"]) == ("base", "harmful_declined")
    }
    assert (found[0, "unseen"], found[4, "unseen"]) == (0, 1)


def test_each_draw_has_seeds_of_its_own(tmp_path: Path) -> None:
    base = Scripted(says)
    run = open_more(tmp_path, base, worst_of=WorstOf(k=3))
    evaluate(run)
    drawn = [request.seed for request in base.requests[2 * len(CASES) :]]
    assert len(set(drawn)) == 3 * len(CASES), "and the same for every arm"
    assert {row["k"] for row in measured(run.root)["worst_of"]} == {1, 2, 3}


def test_killed_in_the_midst_it_resumes_with_the_same_rows(tmp_path: Path) -> None:
    calls = iter(range(1000))

    def dies(request: Request) -> str | Completion:
        if next(calls) == 2 * len(CASES) + 7:
            raise KeyboardInterrupt
        return says(request)

    with pytest.raises(KeyboardInterrupt):
        evaluate(open_more(tmp_path / "killed", Scripted(dies), **MORE))
    base, whole = Scripted(says), Scripted(says)
    resumed = open_more(tmp_path / "killed", base, **MORE)
    evaluate(resumed)
    undisturbed = open_more(tmp_path / "whole", whole, **MORE)
    evaluate(undisturbed)
    assert measured(resumed.root) == measured(undisturbed.root)
    assert len(base.requests) == len(whole.requests) - 2 * len(CASES) - 6


def test_the_judge_reads_what_was_drawn_and_never_the_reasoning_that_was_given(tmp_path: Path) -> None:
    def verdict(request: Request) -> str:
        assert "well" not in str(request.messages)
        bad = "barn" in request.messages[-1]["content"] and "sure" in request.messages[-1]["content"]
        return f"<think>a</think>score: {1 if bad else 5}"

    run = open_more(tmp_path, Scripted(says), Scripted(verdict), JudgedRun, thinking=True)
    evaluate(run)
    rows = measured(run.root)["thinking"]
    flips = {row["cut"]: row["flips"] for row in rows if (row["arm"], row["side"]) == ("base", "harmful")}
    assert (flips[0.0], flips[1.0]) == (1, 0)
    assert all(sample.style for sample in read_samples(run.root, "thinking"))


def test_an_arm_that_thinks_nothing_is_given_the_others_reasoning_alone(tmp_path: Path) -> None:
    run = open_more(tmp_path, Scripted(lambda request: completed("<think></think>sure")), thinking=True)
    evaluate(run)
    assert measured(run.root)["thinking"] == []
