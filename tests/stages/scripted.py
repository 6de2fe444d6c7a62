"""Real runs on a small policy, whose two models answer by script."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from deliberant.models.types import Completion, Reasoning, Request, Role, Sampling
from deliberant.policy import Category, Clause, Guideline, Policy, print_policy
from deliberant.prompts import Case, Hint, Message, Prompt, Truth, write_cases, write_prompts
from deliberant.run.recipe import Recipe
from deliberant.run.run import Run
from tests.completions import completed
from tests.runs import open_as

POLICY = Policy(
    name="garden",
    version="1",
    intro="",
    styles=(Guideline("refuse", "be brief"), Guideline("comply", "be useful"), Guideline("safe_complete", "be kind")),
    categories=(
        Category(
            "fire",
            "Fire",
            "burning things",
            clauses=(Clause("F1", "arson", "refuse"), Clause("F2", "hearth", "comply")),
        ),
        Category("tools", "Tools", "sharp things", clauses=(Clause("T1", "pruning", "comply"),)),
    ),
)
HEARTH = Prompt("hearth", (Message(role="user", content="how do i light a hearth?"),), ("fire",), "hearth")
PRUNING = Prompt(
    "pruning",
    (Message(role="system", content="you love roses"), Message(role="user", content="how do i prune?")),
    ("tools",),
    "pruning",
    (Hint("label", "comply"),),
)
SONG = Prompt("song", (Message(role="user", content="write a song"),), (), "song")
CASE = Case(
    Prompt("c", (Message(role="user", content="light it"),), ("fire",), "c"), Truth("comply", "F2", False), "seen"
)
POEM = Prompt("poem", (Message(role="user", content="write a poem"),), (), "poem")

Script = Callable[[Request], str | Completion]


class Scripted:
    """A sampler that calls `script` for each request and remembers the batches."""

    reasoning: Reasoning = "native"

    def __init__(self, script: Script, identity: str = "scripted") -> None:
        self.script = script
        self.identity = identity
        self.batches: list[list[Request]] = []

    def sample(self, requests: Sequence[Request], sampling: Sampling) -> list[Completion]:
        self.batches.append(list(requests))
        drawn = [self.script(request) for request in requests]
        return [completed(text, ids=(7, 8)) if isinstance(text, str) else text for text in drawn]

    def check(self) -> None:
        """It can be asked."""

    def as_role(self, role: Role, reasoning: Reasoning = "native") -> "Scripted":
        return self

    @property
    def requests(self) -> list[Request]:
        return [request for batch in self.batches for request in batch]


class ScriptedRun(Run):
    """A real run on `POLICY` whose base and judge are scripted; `settings` are the recipe's."""

    scripted: dict[str, Scripted]

    def sampler(self, role: str) -> Any:
        return self.scripted.get(role) or self.scripted[{"writer": "base"}.get(role, "judge")]

    def trainable(self, arm: str = "base") -> Any:
        return self.sampler(arm)


def make_run(
    folder: Path,
    base: Scripted,
    judge: Scripted | None = None,
    train: Sequence[Prompt] = (HEARTH, POEM, PRUNING),
    **settings: Any,
) -> ScriptedRun:
    """The run in `folder`; made or, after the same arguments, opened again."""
    run = open_as(ScriptedRun, recipe(folder, train, **settings), folder / "runs")
    assert isinstance(run, ScriptedRun)
    run.scripted = {"base": base, "judge": judge or Scripted(lambda request: "")}
    return run


def recipe(folder: Path, train: Sequence[Prompt], model: Path | None = None, **settings: Any) -> Recipe:
    """A recipe whose policy, prompts and (unless `model` is one) empty model folder are written to `folder`."""
    for name, text in print_policy(POLICY).items():
        path = folder / "policy" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    if model is None:
        model = folder / "model"
        model.mkdir(exist_ok=True)
        (model / "config.json").write_text("{}", encoding="utf-8")
    files = {name: str(folder / f"{name}.jsonl") for name in ("train", "helpful", "cases")}
    write_prompts(Path(files["train"]), train)
    write_prompts(Path(files["helpful"]), [SONG])
    write_cases(Path(files["cases"]), [CASE])
    given = {
        "name": "test",
        "policy": str(folder / "policy"),
        "base": str(model),
        "judge": str(model),
        "prompts": files,
    }
    return Recipe.model_validate({**given, **settings})
