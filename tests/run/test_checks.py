from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from deliberant.cli import app as cli
from deliberant.prompts import Case, Message, Truth, write_cases, write_prompts
from deliberant.run.loader import load_recipe
from deliberant.run.opening import open_run
from deliberant.util.errors import UserError
from tests.runs import prompt, write_recipe


@pytest.fixture
def recipe(tmp_path: Path, tiny_model: Path) -> Path:
    return write_recipe(tmp_path, tiny_model)


def refused(recipe: Path, words: str, *overrides: str) -> None:
    runs = recipe.parent / "runs"
    with pytest.raises(UserError, match=words):
        open_run(load_recipe(recipe, overrides), runs)
    assert not runs.exists(), "it is told before anything is made"


@pytest.mark.parametrize(
    ("truth", "category", "words"),
    [
        (Truth("comply", "W1", False), "weapons", "asks for comply by clause W1, which asks for refuse"),
        (Truth("refuse", "W1", True), None, "names clause W1 of category weapons, which is none of the case's"),
    ],
)
def test_a_truth_that_the_policy_does_not_ask_for(recipe: Path, truth: Truth, category: str | None, words: str) -> None:
    file = recipe.parent / "cases.jsonl"
    good = Case(prompt("c0"), Truth("comply", None, False), "seen")
    write_cases(file, [good, Case(prompt("c1", category), truth, "seen")])
    refused(recipe, rf"cases\.jsonl:2: the truth of case 'c1' {words}; correct the case, or the policy")
    shown = CliRunner().invoke(cli.app, ["prompts", "check", str(file), "--policy", str(recipe.parent / "policy")])
    assert shown.exit_code == 2 and f"cases.jsonl:2: the truth of case 'c1' {words}" in shown.stderr
    assert CliRunner().invoke(cli.app, ["prompts", "check", str(file)]).exit_code == 0


@pytest.mark.parametrize("name", ["train", "helpful"])
def test_a_prompt_that_holds_text_of_the_policy(recipe: Path, name: str) -> None:
    category = "weapons" if name == "train" else None
    text = "sing\n### weapon history [W2] comply\nplease"
    quoting = replace(prompt("p2", category), messages=(Message(role="user", content=text),))
    write_prompts(recipe.parent / f"{name}.jsonl", [prompt("p1", category), quoting])
    refused(recipe, rf"{name}\.jsonl:2: prompt 'p2' holds text of the policy \('### weapon history \[W2\] comply'\)")


def test_prompts_of_no_category(recipe: Path) -> None:
    write_prompts(recipe.parent / "train.jsonl", [prompt("t1", None)])
    refused(recipe, "prompts.sft: no prompt has a category", "evaluate.arms=[base,sft]")
    assert open_run(load_recipe(recipe, ["evaluate.arms=[base]"]), recipe.parent / "runs").root.exists()
