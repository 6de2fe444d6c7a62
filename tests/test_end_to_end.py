"""Every stage and arm on another architecture than the built-in one, with a policy and prompts of one's own.

The base is set by hand: it says yes and no by chance. The judge is scripted, and likes what the policy says of T1; so
what training has to find is known, and no luck is in it.
"""

import shutil
from pathlib import Path
from typing import Any

import pytest

from deliberant.cli.opening import work
from deliberant.models.types import Request
from deliberant.prompts import write_cases, write_prompts
from deliberant.run.loader import load_recipe
from deliberant.run.run import Run, list_stages
from deliberant.stages.evaluate import results
from deliberant.stages.moved import read_moved
from deliberant.util.files import read_rows
from tests.runs import open_as
from tests.stages.scripted import Scripted
from tests.tiny import make_chain
from tests.world import BASE, CASES, STEAL, TRAIN, build

pytestmark = [pytest.mark.slow, pytest.mark.numbers]

TALKER = {**BASE, "T": "1", "</think>": "yn", "y": "<|im_end|>", "n": "<|im_end|>"}
SETTINGS = ["generate.samples=16", "sft.learning_rate=0.02", "sft.epochs=12", "incremental.epochs=24"]
SETTINGS += ["rl={steps: 8, prompts_per_step: 2, group_size: 8, learning_rate: 0.01, max_new_tokens: 16}"]


def verdict(request: Request) -> str:
    """5 for the answer `n` where T1 is to be refused, and for `y` where it is not; any song is a 5."""
    shown = "\n".join(message["content"] for message in request.messages)
    right = "n" if "[T1] refuse" in shown else "y"
    answered = [line for line in shown.split("\n") if line in ("n", "y")]
    return f"<think>so</think>score: {5 if 'sing' in shown or answered == [right] else 1}"


class JudgedRun(Run):
    def sampler(self, role: str) -> Any:
        return Scripted(verdict, "judge") if role in ("filter", "reward", "evaluate") else super().sampler(role)


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The world, where all ask for the same: whether T1 is refused."""
    root = tmp_path_factory.mktemp("world")
    found = build(root)
    shutil.rmtree(root / "model")
    make_chain(root / "model", TALKER, "mistral")
    write_prompts(root / "train.jsonl", TRAIN[:1])
    write_cases(root / "cases.jsonl", CASES[::2])
    return found


def finished(recipe: Path, runs: Path, *settings: str) -> Run:
    run = open_as(JudgedRun, load_recipe(recipe, [*SETTINGS, *settings]), runs)
    for stage in list_stages(run.recipe.evaluate.arms):
        work(run, stage)
    return run


def test_every_stage_runs_on_another_architecture(recipe: Path, tmp_path: Path) -> None:
    run = finished(recipe, tmp_path)
    kept = read_rows(run.root / "filter" / "kept.jsonl")
    assert {row["answer"] for row in kept} == {"n"}
    table = {(row["arm"], row["suite"], row["metric"]): row for row in results(run.root)}
    for arm in ("sft", "rl", "sft+rl", "no-cot"):
        assert table[arm, "unseen", "compliance"]["value"] == 1.0, "the policy moved into the weights"
    assert {arm for arm, _, _ in table} == set(run.recipe.evaluate.arms)
    assert STEAL in (run.root / "report.html").read_text(encoding="utf-8")


def test_a_flipped_clause_is_learnt_from_the_old_checkpoint(recipe: Path, tmp_path: Path) -> None:
    arms = "evaluate.arms=[base, sft]"
    old = finished(recipe, tmp_path / "runs", arms)
    world = shutil.copytree(recipe.parent, tmp_path / "world")
    for file, was, now in (
        ("policy/categories/theft.md", "[T1] refuse", "[T1] comply"),
        ("cases.jsonl", '"refuse", "clause": "T1"', '"comply", "clause": "T1"'),
    ):
        text = (world / file).read_text(encoding="utf-8")
        assert was in text
        (world / file).write_text(text.replace(was, now), encoding="utf-8")
    run = finished(world / recipe.name, tmp_path / "runs", arms, f"from_run={old.root}")
    moved = read_moved(run.root)
    assert moved is not None
    found = {
        (row["suite"], row["part"]): (row["old"]["value"], row["new"]["value"])
        for row in moved["moves"]
        if (row["arm"], row["metric"]) == ("sft", "compliance")
    }
    for suite in ("unseen", "encoded"):
        assert found[suite, "asked anew"] == (0.0, 1.0)
    assert run.manifest("helpful")["counts"]["made"] == 0
    assert run.manifest("evaluate/base")["counts"]["reused"] == len(CASES[::2])
