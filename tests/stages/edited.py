"""Runs to be continued after an edit: tiny real models are trained, the base speaks by script, the judge too.

The policy is that of `scripted`, categories fire and tools; the edit turns F2 (hearth) around, so `fire` is touched.
"""

from pathlib import Path
from typing import Any

from deliberant.cli.opening import work
from deliberant.models.types import Completion, Request, Sampling
from deliberant.prompts import Case, Message, Prompt, Truth, write_cases, write_prompts
from deliberant.run.recipe import Prompts, Recipe
from deliberant.run.run import Run, list_stages
from deliberant.util.progress import Progress
from tests.completions import completed
from tests.runs import open_as
from tests.stages.scripted import Scripted
from tests.stages.scripted import recipe as write_recipe

MESSAGE = {"fire": "light a hearth", "tools": "prune a rose", None: "write a song"}
CLAUSES = {"fire": "F2", "tools": "T1"}
SETTINGS: dict[str, Any] = {
    "generate": {"samples": 2, "max_new_tokens": 64, "chunk": 3},
    "filter": {"k": 1, "chunk": 3},
    "helpful": {"samples": 2, "chunk": 3},
    "sft": {"epochs": 2, "batch_size": 4, "save_steps": 2, "learning_rate": 1e-2},
    "rl": {
        **{"steps": 4, "prompts_per_step": 2, "group_size": 2, "batch_size": 4},
        **{"max_new_tokens": 4, "save_steps": 1, "helpful_share": 0},
    },
    "evaluate": {"arms": ["base", "base+spec", "sft"], "max_new_tokens": 4, "bootstrap": 20, "chunk": 4},
    "incremental": {"epochs": 1, "replay": 0.5, "rl_share": 0.5},
}


def prompt(number: int, category: str | None, more: str = "") -> Prompt:
    name = f"{category or 'song'}-{number}"
    text = f"{MESSAGE[category]} {number}{more}"
    return Prompt(name, (Message(role="user", content=text),), (category,) if category else (), name)


TRAIN = [prompt(number, category) for number in range(4) for category in ("fire", "tools")]
HELPFUL = [prompt(number, None) for number in range(3)]


class Voice:
    """A real sampler whose completions are scripted: `requests` are all that it was asked."""

    def __init__(self, sampler: Any) -> None:
        self._sampler = sampler
        self.requests: list[Request] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sampler, name)

    def sample(self, requests: list[Request], sampling: Sampling) -> list[Completion]:
        self.requests += requests
        return [completed(say(request), ids=(7, 8)) for request in requests]


def say(request: Request) -> str:
    """Cites the clause of what is asked; says its seed, so that two draws differ."""
    text = request.messages[-1]["content"]
    clause = next((CLAUSES[each] for each in CLAUSES if MESSAGE[each] in text), None)
    return f"<think>{f'[{clause}] ' if clause else ''}so</think>{request.seed % 89}"


class EditedRun(Run):
    """A real run but for what base and judge say."""

    def sampler(self, role: str) -> Any:
        if role in ("base", "base+spec", "writer"):
            self.__dict__.setdefault("voice", Voice(super().sampler("base")))
            return self.__dict__["voice"]
        if role in ("filter", "reward", "evaluate"):
            return self.__dict__.setdefault("judging", Scripted(lambda request: "<think></think>score: 5", "judge"))
        return super().sampler(role)

    def trainable(self, arm: str = "base") -> Any:
        return Run.sampler(self, arm)

    @property
    def asked(self) -> list[str]:
        """What the base was asked, last turns."""
        return [request.messages[-1]["content"] for request in self.sampler("base").requests]


def recipe(folder: Path, model: Path, train: list[Prompt] | None = None, **settings: Any) -> Recipe:
    """The recipe before the edit; `settings` are added to those above, a mapping key by key."""
    given = dict(SETTINGS)
    for name, value in settings.items():
        given[name] = {**SETTINGS.get(name, {}), **value} if isinstance(value, dict) else value
    made = write_recipe(folder, train or TRAIN, model, **given)
    write_prompts(folder / "helpful.jsonl", HELPFUL)
    put_cases(folder, "comply")
    return made


def edited(old: Recipe, where: Path, folder: Path, train: list[Prompt] | None = None, **settings: Any) -> Recipe:
    """The recipe in its edited form, written below `folder`: F2 turned to refuse, to continue the run at `where`."""
    policy = folder / "edited"
    for path in Path(old.policy).rglob("*.md"):
        copy = policy / path.relative_to(old.policy)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text(path.read_text().replace("hearth [F2] comply", "hearth [F2] refuse"))
    assert isinstance(old.prompts, Prompts)
    files = {name: str(folder / f"{name}.jsonl") for name in ("train", "helpful", "cases")}
    write_prompts(Path(files["train"]), train or TRAIN)
    write_prompts(Path(files["helpful"]), HELPFUL)
    put_cases(folder, "refuse")
    changes = {"policy": str(policy), "from_run": str(where), "prompts": files, **settings}
    return Recipe.model_validate({**old.model_dump(), **changes})


def put_cases(folder: Path, hearth: Any) -> None:
    def case(number: int, category: str, truth: Truth) -> Case:
        return Case(prompt(number, category), truth, "unseen")

    cases = [case(90, "fire", Truth(hearth, "F2", False)), case(91, "tools", Truth("comply", "T1", False))]
    write_cases(folder / "cases.jsonl", [*cases, case(92, "fire", Truth("refuse", "F1", True))])


def finish(made: Recipe, runs: Path, progress: Progress | None = None) -> EditedRun:
    """Every stage of the recipe's run."""
    run = open_as(EditedRun, made, runs, progress)
    assert isinstance(run, EditedRun)
    for stage in list_stages(made.evaluate.arms):
        work(run, stage)
    return run
