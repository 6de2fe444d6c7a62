"""Every stage and arm on another architecture than the built-in one, with a user's own policy and prompts."""

from pathlib import Path

import pytest

from deliberant.cli import work
from deliberant.files import read_rows
from deliberant.recipe import load_recipe
from deliberant.run import Run, plan
from deliberant.stages.evaluate import results
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
