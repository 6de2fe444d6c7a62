"""A run folder: what a recipe resolves to, and everything its stages leave there.

The folder's name ends in a hash of the recipe's settings and of what they point to: an edited clause is a new run, the
same command a resume. The folder has its own copy of policy and prompts; `Run.reopen` needs the recipe no more.
"""

import shutil
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar, cast

import yaml

from deliberant.judge import Judge
from deliberant.models import Reasoning, Role, Sampler
from deliberant.models.cache import Calls
from deliberant.models.open import open_model
from deliberant.models.refs import parse_reference
from deliberant.policy import load_policy
from deliberant.prompts import write_cases, write_prompts
from deliberant.run.arms import ARMS, BASE, Arm, arm_named
from deliberant.run.contents import Contents
from deliberant.run.folder import StageFolder
from deliberant.run.lineage import Lineage
from deliberant.run.loader import load_recipe
from deliberant.run.recipe import Recipe
from deliberant.run.roles import JudgeModel
from deliberant.util.errors import UserError
from deliberant.util.files import Row, explain_write_errors, fingerprint, read_json, write_atomically, write_json
from deliberant.util.locks import lock
from deliberant.util.processes import is_leader
from deliberant.util.progress import NullProgress, Progress

if TYPE_CHECKING:
    from deliberant.models.local.sampler import LocalSampler

Item = TypeVar("Item")


def _read_by(arm: Arm) -> tuple[str, ...]:
    rows = ("documents" if arm.documents else "filter", "helpful") if arm.stage == "sft" else ()
    return rows + ((arm.start,) if ARMS[arm.start].stage else ())


UPSTREAM: dict[str, tuple[str, ...]] = {
    "documents": (),
    "helpful": (),
    "generate": (),
    "filter": ("generate",),
    **{arm.name: _read_by(arm) for arm in ARMS.values() if arm.stage},
}
"""Which stages read which others' outputs, in the order of a whole run; evaluate reads the arms, report evaluate."""

RECIPE = "recipe.resolved.yaml"
NOTE = "run.json"
POINTERS = {"policy", "base", "judge", "writer", "templates", "prompts", "from_run", "more"}
"""Recipe keys that enter the run's hash by what they point to, not by what they say."""

UNCOVERED = {"built_in", "budget", "prices"}
"""Recipe keys that shape no row, or only by the prompts they make: a run whose budget was raised is the same run."""
LOCK = ".lock"
CALLS = "calls"
"""The folder of what remote models replied."""
PRICE_LIST = "prices.yaml"


def list_stages(arms: Sequence[str]) -> list[str]:
    """The stages that a run with these arms goes through, in order."""
    needed: set[str] = set()
    waiting = [arm for arm in arms if arm in UPSTREAM]
    while waiting:
        stage = waiting.pop()
        needed.add(stage)
        waiting += UPSTREAM[stage]
    return [*(stage for stage in UPSTREAM if stage in needed), "evaluate", "report"]


def _common(settings: Mapping[str, Any], stated: Mapping[str, Any]) -> dict[str, Any]:
    """The settings whose keys are stated, at every depth."""
    return {
        key: _common(value, stated[key]) if isinstance(value, Mapping) and isinstance(stated[key], Mapping) else value
        for key, value in settings.items()
        if key in stated
    }


class Run(Contents):
    """One run folder, open: what stages read, the models in their roles, and where stages write."""

    def __init__(
        self,
        recipe: Recipe,
        parent: Path,
        progress: Progress,
        note: Mapping[str, Any] | None,
        stated: Mapping[str, Any] | None = None,
    ) -> None:
        """Load what the recipe names; `note` is an existing run's note, which spares hashing its models again.

        `stated`: its settings as they were written down. What a later version added has its default and is no part of
        that run's name.
        """
        super().__init__(recipe, note)
        self.progress = progress
        unread = set() if recipe.from_run else {"incremental"}
        if recipe.from_run and note:
            self.covers["from_run"] = note["covers"]["from_run"]
        elif self.lineage:
            self.covers["from_run"] = self.lineage.old.hash
        settings = recipe.model_dump(exclude=POINTERS | UNCOVERED | unread | {"sft", "rl", "evaluate"})
        settings |= {"sft": recipe.sft.shaping, "rl": recipe.rl.shaping, "evaluate": recipe.evaluate.shaping}
        if stated is not None:
            settings = _common(settings, stated)
        self.hash: str = fingerprint({"settings": settings, "world": self.world, "covers": self.covers})
        self.root = parent / f"{recipe.name}-{self.hash[:8]}"
        self._samplers: dict[str, Any] = {}

    @classmethod
    def reopen(cls, folder: Path, progress: Progress | None = None) -> "Run":
        """An existing run folder. UserError where it is none, or where its policy, prompts or recipe were edited."""
        if not (folder / NOTE).exists():
            raise UserError(f"{folder}: is no run folder (it has no {NOTE}); give a recipe, or a folder below runs/")
        note = read_json(folder / NOTE, "give the recipe instead, which writes it anew")
        recipe = load_recipe(folder / RECIPE, settled=True)
        stated = yaml.safe_load((folder / RECIPE).read_bytes())
        run = cls(recipe, folder.resolve().parent, progress or NullProgress(), note, stated)
        if run.root.name != folder.resolve().name:
            raise UserError(
                f"{folder}: was renamed, or its recipe, policy or prompts were edited (they make {run.root.name}); "
                "edit the originals and run the recipe for a new run folder"
            )
        return run

    @cached_property
    def lineage(self) -> "Lineage[Run] | None":
        """What this run has of the one it continues (`from_run`), None where it continues none.

        UserError where that one is gone or is another one by now.
        """
        if self.recipe.from_run is None:
            return None
        where = Path(self.recipe.from_run)
        if not (where / NOTE).exists():
            raise UserError(f"from_run: {where} is no run folder (it has no {NOTE}); name a finished run")
        old = type(self).reopen(where)
        if old.hash != self.covers.get("from_run", old.hash):
            raise UserError(f"from_run: {old.root} is another run than the one that {self.root} began from")
        return Lineage(self, old)

    @cached_property
    def calls(self) -> Calls:
        """Every finished call to a remote model, and their account."""
        return Calls(self.root / CALLS)

    def sampler(self, role: str) -> Sampler:
        """The model in a role (`base`, `writer`, `filter`, `reward`, `evaluate`), or an arm, whose training must have
        finished (else UserError). Models of the recipe stay in memory, and of the trained arms the last one.
        """
        if role not in self.models and arm_named(role).stage is None:
            role = BASE
        model = self.models.get(role)
        if isinstance(model, JudgeModel):
            return self._open(model.model, role, "off", self.identities[role])
        if model is not None:
            return self._open(model.model, BASE, model.reasoning, self.identities[role], model.trust_remote_code)
        self.manifest(role)
        named = {model.model for model in self.models.values()}
        self._samplers = {name: sampler for name, sampler in self._samplers.items() if name in named}
        trusted = self.recipe.base.trust_remote_code
        return self._open(str(self.root / role / "checkpoint"), BASE, "native", None, trusted)

    def trainable(self, arm: str = BASE) -> "LocalSampler":
        """The base model, or an arm, to train on or from. UserError where it is not local."""
        from deliberant.models.local.sampler import LocalSampler

        sampler = self.sampler(arm)
        if not isinstance(sampler, LocalSampler):
            raise UserError(
                f"base: {self.models[BASE].model} cannot be trained, only sampled; name a folder or a Hub id as base, "
                "and this one as writer"
            )
        return sampler

    def judge(self, role: Literal["filter", "reward", "evaluate"]) -> Judge:
        """The judge in a role, with its own prompt files and sampling. UserError where the recipe names none."""
        model = getattr(self.recipe.judge, role)
        if model is None:
            raise UserError(f"judge.{role} is missing in the recipe; name a model")
        return Judge(self.sampler(role), self.judge_templates(role), model.sampling)

    def _open(
        self, model: str, role: str, reasoning: Reasoning, identity: str | None, trusted: bool = False
    ) -> Sampler:
        if model not in self._samplers:
            options: dict[str, Any] = {"trust_remote_code": trusted}
            if parse_reference(model).remote:
                budget, prices = self.recipe.budget, self.recipe.price_list
                options = {"calls": self.calls, "budget": budget, "prices": prices}
            options["progress"] = self.progress
            with self.progress(f"loading {model}", 1, brief=True):
                self._samplers[model] = open_model(model, cast(Role, role), reasoning, identity, **options)
        sampler: Sampler = self._samplers[model].as_role(role, reasoning)
        return sampler

    def stage(self, name: str, inputs: Mapping[str, Any]) -> StageFolder:
        """Begin or resume a stage; what it reads of earlier stages joins its inputs, file by file.

        UserError where an earlier stage has not finished, or another process works in this run.
        """
        if is_leader():
            lock(self.root / LOCK, self.root)
        self.calls.stage = name
        read = {
            f"{stage}/{file}": output["sha256"]
            for stage in self._upstream(name)
            for file, output in self.manifest(stage)["outputs"].items()
        }
        return StageFolder(self.root, name, {**read, **inputs})

    def in_chunks(
        self,
        folder: StageFolder,
        file: str,
        items: Sequence[Item],
        size: int,
        work: Callable[[Sequence[Item]], Sequence[Mapping[str, Any]]],
    ) -> list[Row]:
        """`work` on `items`, `size` at a time; each chunk's rows are durable before the next, and resuming skips them.

        Writes `file` in the stage's folder and returns its rows, in item order, as read back from JSON.
        """
        journal = folder.journal(file)
        assert len(journal) <= -(-len(items) // size), f"{journal.file} has more chunks than there is work"
        journal.extend(items, size, work, self.progress, folder.name)
        journal.seal()
        return journal.rows

    def _upstream(self, name: str) -> tuple[str, ...]:
        stage, _, arm = name.partition("/")
        if stage == "review":
            return ("filter",)
        if stage == "report":
            return ("evaluate",)
        if stage == "evaluate":
            return tuple(each for each in UPSTREAM if each == arm or (not arm and each in self.recipe.evaluate.arms))
        return UPSTREAM[stage]

    def write(self) -> None:
        """Write the folder, `run.json` last, so that a run that was killed while being made is made again."""
        policy = self.root / "policy"
        copy = self.root / ".policy.tmp"
        with explain_write_errors(self.root, "nothing was lost"):
            self.root.mkdir(parents=True, exist_ok=True)
            lock(self.root / LOCK, self.root)
            for stale in (policy, copy):
                shutil.rmtree(stale, ignore_errors=True)
            shutil.copytree(self.policy_folder, copy, ignore=shutil.ignore_patterns(".*"))
            copy.replace(policy)
        assert load_policy(policy).hash == self.policy.hash
        files = {name: f"prompts/{name}.jsonl" for name in ("sft", "rl", "helpful")}
        for name, file in files.items():
            write_prompts(self.root / file, getattr(self.sets, name))
        write_cases(self.root / "cases.jsonl", self.sets.cases)
        resolved = {
            **self.recipe.model_dump(mode="json"),
            "prices": self.recipe.prices and PRICE_LIST,
            "policy": "policy",
            "more": None,
            "prompts": {**files, "cases": "cases.jsonl"},
        }
        if self.recipe.prices:
            write_atomically(self.root / PRICE_LIST, self.recipe.price_list.read_bytes())
        note: dict[str, Any] = {
            "hash": self.hash,
            "world": self.world,
            "date": self.date,
            "identities": self.identities,
            "covers": self.covers,
        }
        if self.lineage:
            note["from"] = self.lineage.note()
            old = self.lineage.old.root.resolve()
            beside = old.parent == self.root.resolve().parent  # both may be moved, together
            resolved["from_run"] = f"../{old.name}" if beside else str(old)
        write_atomically(self.root / RECIPE, yaml.safe_dump(resolved, sort_keys=False, allow_unicode=True).encode())
        write_json(self.root / NOTE, note)
