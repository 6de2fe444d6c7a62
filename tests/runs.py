"""A recipe on disk with everything it points to: a small policy, prompt files, a tiny model."""

from pathlib import Path
from typing import TypeVar
from unittest import mock

from deliberant.prompts import Case, Message, Prompt, Truth, write_cases, write_prompts
from deliberant.run.opening import open_run
from deliberant.run.recipe import Recipe
from deliberant.run.run import Run
from deliberant.util.progress import Progress

AnyRun = TypeVar("AnyRun", bound=Run)

FILES = {
    "policy.md": "---\nname: tiny\nversion: 1\n---\n",
    "styles.md": "# Styles\n\n## refuse\nSay no.\n\n## comply\nHelp.\n\n## safe_complete\nHelp with the safe part.\n",
    "categories/weapons.md": (
        "---\nid: weapons\n---\n# Weapons\n\n## Summary\nThings made to hurt.\n\n## Clauses\n\n"
        "### weapon instructions [W1] refuse\n\n### weapon history [W2] comply\n"
    ),
}


def prompt(id: str, category: str | None = "weapons") -> Prompt:
    return Prompt(id, (Message(role="user", content=f"request {id}"),), (category,) if category else (), family=id)


def write_recipe(folder: Path, model: Path) -> Path:
    """`folder/recipe.yaml`, its policy in `folder/policy` and its prompts beside it."""
    for name, text in FILES.items():
        (folder / "policy" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "policy" / name).write_text(text)
    write_prompts(folder / "train.jsonl", [prompt("t1"), prompt("t2")])
    write_prompts(folder / "helpful.jsonl", [prompt("h1", None)])
    write_cases(folder / "cases.jsonl", [Case(prompt("c1"), Truth("refuse", "W1", True), "seen")])
    recipe = folder / "recipe.yaml"
    recipe.write_text(
        f"name: tiny\npolicy: policy\nbase: {model}\ntemplates: micro\n"
        f"judge: {{filter: {model}, reward: {model}, evaluate: micro}}\n"
        "prompts:\n  train: train.jsonl\n  helpful: helpful.jsonl\n  cases: cases.jsonl\n"
    )
    return recipe


def open_as(kind: type[AnyRun], recipe: Recipe, root: Path, progress: Progress | None = None) -> AnyRun:
    """`open_run` for a kind of run that answers in its own way."""
    with mock.patch("deliberant.run.opening.Run", kind):
        run = open_run(recipe, root, progress)
    assert isinstance(run, kind)
    return run
