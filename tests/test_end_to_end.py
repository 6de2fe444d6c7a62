"""Every stage and arm on another architecture than the built-in one, with a user's own policy and prompts."""

import shutil
from pathlib import Path

import pytest

from deliberant.cli.stages import work
from deliberant.run.recipe import load_recipe
from deliberant.run.run import Run, plan
from deliberant.stages.evaluate import results
from deliberant.stages.moved import read_moved
from deliberant.util.files import read_rows
from tests.taught import HELP, REFUSAL, STEAL


@pytest.mark.slow
def test_every_stage_runs_on_another_architecture(taught_recipe: Path, tmp_path: Path) -> None:
    run = Run.open(load_recipe(taught_recipe), tmp_path)
    for stage in plan(run.recipe.evaluate.arms):
        work(run, stage)
    kept = read_rows(run.root / "filter" / "kept.jsonl")
    assert {row["text"] for row in kept} >= {REFUSAL, HELP}
    table = {(row["arm"], row["suite"], row["metric"]): row for row in results(run.root)}
    assert table["base", "unseen", "harmful_answered"]["value"] == 1.0, "helpful-only: the base answers the harm"
    assert table["sft", "unseen", "compliance"]["value"] == 1.0, "the policy moved into the weights"
    assert {arm for arm, _, _ in table} == set(run.recipe.evaluate.arms)
    assert STEAL in (run.root / "report.html").read_text(encoding="utf-8")


@pytest.mark.slow
def test_a_flipped_clause_is_learnt_from_the_old_checkpoint(taught_recipe: Path, tmp_path: Path) -> None:
    arms = "evaluate.arms=[base, sft]"
    old = Run.open(load_recipe(taught_recipe, [arms]), tmp_path / "runs")
    finish(old)
    world = shutil.copytree(taught_recipe.parent, tmp_path / "world")
    for file, was, now in (
        ("policy/categories/theft.md", "[T1] refuse", "[T1] comply"),
        ("cases.jsonl", '"refuse", "clause": "T1"', '"comply", "clause": "T1"'),
    ):
        text = (world / file).read_text(encoding="utf-8")
        assert was in text
        (world / file).write_text(text.replace(was, now), encoding="utf-8")
    run = Run.open(load_recipe(world / taught_recipe.name, [arms, f"from_run={old.root}"]), tmp_path / "runs")
    finish(run)
    moved = read_moved(run.root)
    assert moved is not None
    found = {
        (row["suite"], row["part"]): (row["old"]["value"], row["new"]["value"])
        for row in moved["moves"]
        if (row["arm"], row["metric"]) == ("sft", "compliance")
    }
    for suite in ("unseen", "encoded"):
        assert found[suite, "asked anew"] == (0.0, 1.0)
        assert found[suite, "touched"] == (1.0, 1.0)
    assert run.manifest("helpful")["counts"]["made"] == run.manifest("evaluate/base")["counts"]["reused"] - 4 == 0


def finish(run: Run) -> None:
    for stage in plan(run.recipe.evaluate.arms):
        work(run, stage)
