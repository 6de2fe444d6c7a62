"""The commands of docs/evaluation.md on red-teaming, in the reduced world of the other pages' commands."""

import re
import shlex
from pathlib import Path

import pytest

from deliberant.evals.attacks.static import attacked_prompt, attacks_named
from deliberant.prompts import Prompt, read_prompts, write_prompts
from tests.test_readme import ROOT, Workspace, workspace

__all__ = ["workspace"]


@pytest.mark.slow
def test_the_commands_of_the_page_work(workspace: Workspace) -> None:
    page = (
        (ROOT / "docs/evaluation.md").read_text(encoding="utf-8").partition("## Red-teaming")[2].partition("\n## ")[0]
    )
    asked, trained = re.findall(r"^deliberant .*$", page, re.MULTILINE)
    recipe = Path("recipes/micro.yaml")
    text = recipe.read_text(encoding="utf-8")
    recipe.write_text(text.replace("evaluate: {max", "evaluate: {arms: [sft+rl], max"), encoding="utf-8")
    workspace.deliberant("run", "recipes/micro.yaml")
    small = ["--most", "2", "--max-new-tokens", "16"]
    shown = workspace.deliberant(*shlex.split(workspace.named(asked))[1:], *small)
    assert "plea-novelist (held out)" in shown
    assert Path("recipes/found.jsonl").exists()
    write_prompts(Path("recipes/found.jsonl"), [_found()])
    workspace.deliberant(*shlex.split(workspace.named(trained))[1:])
    [new] = [path for path in Path("runs").iterdir() if "from" in (path / "run.json").read_text(encoding="utf-8")]
    assert "plea-doctor" in (new / "prompts/sft.jsonl").read_text(encoding="utf-8")


def _found() -> Prompt:
    """What the verb would have written of a prompt of this world, whose model says letters."""
    first = next(each for each in read_prompts(Path("recipes/train.jsonl")) if each.categories)
    return attacked_prompt(first, attacks_named(["plea-doctor"])[0])
