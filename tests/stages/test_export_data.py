"""Data without training: a recipe that trains nothing exports all that was kept."""

from pathlib import Path

import pytest

from deliberant.stages.export import export
from deliberant.stages.filter import filter
from deliberant.stages.generate import generate
from deliberant.stages.helpful import helpful
from deliberant.util.errors import UserError
from tests.stages.scripted import HEARTH, PRUNING, Scripted, make_run


def test_what_was_kept_is_exported_where_nothing_is_trained(tmp_path: Path) -> None:
    from datasets import load_dataset

    judge = Scripted(lambda request: "<think></think>score: 5")
    base = Scripted(lambda request: "<think>[F2] fits</think>yes")
    arms = {"arms": ("base",)}
    run = make_run(tmp_path, base, judge, (HEARTH, PRUNING), evaluate=arms, generate={"samples": 2})
    generate(run)
    filter(run)
    with pytest.raises(UserError, match="helpful has not finished"):
        export(run, tmp_path / "out")
    helpful(run)
    assert export(run, tmp_path / "out") == {"sft": 5, "rl": 3}
    rows = load_dataset(str(tmp_path / "out"), "sft", split="train", cache_dir=str(tmp_path / "cache"))
    assert {(row["source"], row["reasoning"], row["tokens"]) for row in rows} == {
        ("policy", "[F2] fits", None),
        ("helpful", "[F2] fits", None),
    }
    card = (tmp_path / "out" / "README.md").read_text()
    assert "| sft | 5 | all that was kept: conversational" in card and "too long to train on" not in card
