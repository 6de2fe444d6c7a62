"""A run folder: what a recipe resolves to, and everything its stages leave there.

The folder's name ends in a hash of the recipe's settings and of what they point to: an edited clause is a new run, the
same command a resume. The folder has its own copy of policy and prompts; `Run.reopen` needs the recipe no more.
"""

import shutil
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import yaml

from deliberant.models.checkpoint import model_hash
from deliberant.policy import Policy, load_policy
from deliberant.prompts import Case, Prompt, Style, write_cases, write_prompts
from deliberant.run.checks import check
from deliberant.run.folder import Manifest, StageFolder, command, finished
from deliberant.run.lineage import Lineage
from deliberant.run.recipe import ARMS, BUILT_IN, Recipe, load_recipe
from deliberant.run.sources import model_folder, policy_folder, prompt_sets
from deliberant.templates.loader import Templates
from deliberant.util.errors import UserError
from deliberant.util.files import Row, fingerprint, read_json, write_atomically, write_json, writing
from deliberant.util.journal import Journal
from deliberant.util.locks import lock
from deliberant.util.names import nearest
from deliberant.util.progress import Bar, NullProgress, Progress

if TYPE_CHECKING:
    from deliberant.models.local.sampler import LocalSampler

__all__ = ["Bar", "Journal", "NullProgress", "Progress", "Run", "StageFolder", "command", "fingerprint", "plan"]

Item = TypeVar("Item")

UPSTREAM: dict[str, tuple[str, ...]] = {
    "helpful": (),
    "generate": (),
    "filter": ("generate",),
    "sft": ("filter", "helpful"),
    "no-cot": ("filter", "helpful"),
    "rl": (),
    "sft+rl": ("sft",),
}
"""Which stages read which others' outputs, in the order of a whole run; evaluate reads the arms, report evaluate."""

RECIPE = "recipe.resolved.yaml"
NOTE = "run.json"
POINTERS = {"policy", "base", "judge", "templates", "prompts", "from_run"}
"""Recipe keys that enter the run's hash by what they point to, not by what they say."""


def plan(arms: Sequence[str]) -> list[str]:
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


class Run:
    """One run folder, open: what stages read (recipe, policy, templates, prompts) and where they write."""

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
        self.recipe = recipe
        self.progress = progress
        self.policy_folder = policy_folder(recipe.policy)
        self.policy: Policy = load_policy(self.policy_folder)
        self.templates = Templates.load(recipe.templates)
        self.sets = prompt_sets(recipe, self.policy)
        self.folders = {"base": model_folder(recipe.base), "judge": model_folder(recipe.judge)}
        self.world = note["world"] if note else recipe.prompts if isinstance(recipe.prompts, str) else None
        self.covers = {
            "policy": self.policy.hash,
            "templates": self.templates.hash,
            "prompts": fingerprint(self.sets),
            **{role: note["covers"][role] if note else model_hash(folder) for role, folder in self.folders.items()},
        }
        unread = set() if recipe.from_run else {"incremental"}
        if recipe.from_run and note:
            self.covers["from_run"] = note["covers"]["from_run"]
        elif self.lineage:
            self.covers["from_run"] = self.lineage.old.hash
        settings = recipe.model_dump(exclude=POINTERS | unread)
        if stated is not None:
            settings = _common(settings, stated)
        self.hash: str = fingerprint({"settings": settings, "world": self.world, "covers": self.covers})
        self.root = parent / f"{recipe.name}-{self.hash[:8]}"
        self._samplers: dict[str, LocalSampler] = {}
        self._manifests: dict[str, Manifest] = {}

    @classmethod
    def open(cls, recipe: Recipe, root: Path | None = None, progress: Progress | None = None) -> "Run":
        """The run of a recipe in the folder `root` (default `runs`), made where it is not there yet.

        UserError for a mistake in what the recipe points to, RunError where the folder can not be written.
        """
        run = cls(recipe, root or Path("runs"), progress or NullProgress(), None)
        if not (run.root / NOTE).exists():
            check(run, plan(recipe.evaluate.arms))
            run._create()
        return run

    @classmethod
    def reopen(cls, folder: Path, progress: Progress | None = None) -> "Run":
        """An existing run folder. UserError where it is none, or where its policy, prompts or recipe were edited."""
        if not (folder / NOTE).exists():
            raise UserError(f"{folder}: is no run folder (it has no {NOTE}); give a recipe, or a folder below runs/")
        note = read_json(folder / NOTE, "give the recipe instead, which writes it anew")
        recipe = load_recipe(folder / RECIPE)
        stated = yaml.safe_load((folder / RECIPE).read_bytes())
        run = cls(recipe, folder.resolve().parent, progress or NullProgress(), note, stated)
        if run.root.name != folder.resolve().name:
            raise UserError(
                f"{folder}: was renamed, or its recipe, policy or prompts were edited (they make {run.root.name}); "
                "edit the originals and run the recipe for a new run folder"
            )
        return run

    def train_prompts(self) -> tuple[Prompt, ...]:
        """Prompts of the policy's categories, to train on."""
        return self.sets.train

    def helpful_prompts(self) -> tuple[Prompt, ...]:
        """Harmless prompts outside every category, to keep capability."""
        return self.sets.helpful

    def cases(self) -> tuple[Case, ...]:
        """What the run is measured against; for evaluation alone."""
        return self.sets.cases

    @cached_property
    def lineage(self) -> Lineage | None:
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

    @property
    def style_reader(self) -> Callable[[str], Style | None] | None:
        """Reads an answer's response style without a judge, where the prompts come from a world that defines it."""
        if self.world != BUILT_IN:
            return None
        from deliberant.micro.world import read_style

        return read_style

    def sampler(self, role: str) -> "LocalSampler":
        """The model in a role: `base`, `judge` or an arm, whose training must have finished (else UserError).

        Base and judge stay in memory, and of the arms the last one.
        """
        from deliberant.models.local.sampler import LocalSampler

        role = "base" if role == "base+spec" else role
        if role not in self.folders:
            if role not in ARMS:
                raise UserError(f"there is no arm '{role}'; {nearest(role, list(ARMS))}")
            self.manifest(role)
        folder = str(self.folders.get(role, self.root / role / "checkpoint"))
        if folder not in self._samplers:
            kept = [str(each) for each in self.folders.values()]
            self._samplers = {path: sampler for path, sampler in self._samplers.items() if path in kept}
            self._samplers[folder] = LocalSampler.load(folder)
        return self._samplers[folder]

    def stage(self, name: str, inputs: Mapping[str, Any]) -> StageFolder:
        """Begin or resume a stage; what it reads of earlier stages joins its inputs, file by file.

        UserError where an earlier stage has not finished, or another process works in this run.
        """
        lock(self.root / ".lock", self.root)
        found = {
            f"{stage}/{file}": output["sha256"]
            for stage in self._upstream(name)
            for file, output in self.manifest(stage)["outputs"].items()
        }
        return StageFolder(self.root, name, {**found, **inputs})

    def manifest(self, stage: str) -> Manifest:
        """The manifest of a finished stage, its outputs checked once; UserError with the command where it has not."""
        if stage not in self._manifests:
            manifest = finished(self.root, stage)
            if manifest is None:
                raise UserError(f"{self.root}: {stage} has not finished; run `{command(stage, self.root)}` first")
            self._manifests[stage] = manifest
        return self._manifests[stage]

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

    def _create(self) -> None:
        """Write the folder, `run.json` last, so that a run that was killed while being made is made again."""
        policy = self.root / "policy"
        copy = self.root / ".policy.tmp"
        with writing(self.root, "nothing was lost"):
            self.root.mkdir(parents=True, exist_ok=True)
            lock(self.root / ".lock", self.root)
            for stale in (policy, copy):
                shutil.rmtree(stale, ignore_errors=True)
            shutil.copytree(self.policy_folder, copy, ignore=shutil.ignore_patterns(".*"))
            copy.replace(policy)
        assert load_policy(policy).hash == self.policy.hash
        write_prompts(self.root / "prompts" / "train.jsonl", self.sets.train)
        write_prompts(self.root / "prompts" / "helpful.jsonl", self.sets.helpful)
        write_cases(self.root / "cases.jsonl", self.sets.cases)
        resolved = {
            **self.recipe.model_dump(mode="json"),
            "policy": "policy",
            "prompts": {"train": "prompts/train.jsonl", "helpful": "prompts/helpful.jsonl", "cases": "cases.jsonl"},
            **{role: str(folder) for role, folder in self.folders.items() if getattr(self.recipe, role) != BUILT_IN},
        }
        note: dict[str, Any] = {"hash": self.hash, "world": self.world, "covers": self.covers}
        if self.lineage:
            note["from"] = self.lineage.note()
            old = self.lineage.old.root.resolve()
            beside = old.parent == self.root.resolve().parent  # both may be moved, together
            resolved["from_run"] = f"../{old.name}" if beside else str(old)
        write_atomically(self.root / RECIPE, yaml.safe_dump(resolved, sort_keys=False, allow_unicode=True).encode())
        write_json(self.root / NOTE, note)
