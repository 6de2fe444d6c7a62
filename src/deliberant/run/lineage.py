"""What an incremental run has of the finished run it continues: what an edit touches, and what of the old rows holds.

    deliberant run RECIPE --from OLD_RUN

A prompt is touched where the spec view of one of its categories changed (`policy.diff`), or where the prompt itself is
new or was edited. The requests of every other prompt, to the base model and to the judge, are the old ones byte for
byte, and so are their seeds: drawing and judging them again would give the old rows, up to what sharing a batch does to
floating-point sums. So they are copied, each with the hashes it came from.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Generic, TypeVar

from deliberant.policy import diff
from deliberant.prompts import Case, Prompt
from deliberant.run.contents import Contents
from deliberant.run.folder import read_manifest
from deliberant.run.recipe import Evaluate
from deliberant.util.errors import UserError
from deliberant.util.files import Row, fingerprint, read_json, read_rows

FIXED = ("base", "writer", "filter", "reward", "evaluate", "templates")
"""What both runs must have alike, by hash; `SETTINGS` likewise, by value."""
SETTINGS = ("seed", "generate", "filter", "helpful", "evaluate")

Old = TypeVar("Old", bound=Contents)


class Lineage(Generic[Old]):
    """The old run, opened, and what this run has in common with it.

    By the prompt set they are in, `touched`: ids of the sft and rl prompts, of some category, that are trained on anew.
    `untouched`: ids of those whose rows, if there are any, are reused.
    """

    def __init__(self, run: Contents, old: Old) -> None:
        self.old = old
        self.diff = diff(old.policy, run.policy)
        self.untouched = {
            name: self._list_untouched(getattr(run.sets, name), getattr(old.sets, name))
            for name in ("sft", "rl", "helpful")
        }
        self.touched = {
            name: frozenset(prompt.id for prompt in getattr(run.sets, name) if prompt.categories) - self.untouched[name]
            for name in ("sft", "rl")
        }

    def check(self, run: Contents, stages: Sequence[str]) -> None:
        """UserError where the two cannot be compared, the old one lacks one of `stages`, or nothing is to be done."""
        old, where = self.old, self.old.root
        if missing := [arm for arm in run.recipe.evaluate.arms if arm not in old.recipe.evaluate.arms]:
            both = ",".join(arm for arm in run.recipe.evaluate.arms if arm not in missing)
            raise UserError(
                f"from_run: {where} has no arm {', '.join(missing)} to continue or compare with; leave it out "
                f"(--set 'evaluate.arms=[{both}]')"
            )
        if self.diff.categories_removed:
            raise UserError(
                f"from_run: category {self.diff.categories_removed[0]} was removed, and no prompt would unteach what "
                "the checkpoints know of it; leave --from out for a full run"
            )
        if open_ := [stage for stage in stages if read_manifest(where / stage) is None]:
            raise UserError(
                f"from_run: {where} has not finished ({', '.join(open_)}); run `deliberant run {where}` first"
            )
        if other := [*_differing(old, run)]:
            raise UserError(
                f"from_run: {where} differs in {', '.join(other)}, so its rows do not hold here; set that as it is "
                "there, or leave --from out for a full run"
            )
        if not self.touched["sft" if "generate" in stages else "rl"]:
            what = "policy and prompts are those" if self.diff.empty else "the edit touches no training prompt"
            raise UserError(
                f"from_run: nothing to make anew: {what} of {where}; edit the policy, add prompts that the edit "
                "decides, or leave --from out for a full run"
            )

    def rows(self, stage: str, *files: str) -> dict[str, Row]:
        """The old rows, by sample id, that hold in this run. RunError where a file was changed since."""
        self.old.manifest(stage)
        holds = self.untouched[_prompts_of(stage)]
        rows = (row for file in files for row in read_rows(self.old.root / stage / file))
        return {row["id"]: row for row in rows if row["prompt_id"] in holds}

    def inputs(self, stage: str, *files: str) -> dict[str, Any]:
        """What `rows` adds to a stage's inputs: the old files, and which prompts' rows are taken from them."""
        outputs = self.old.manifest(stage)["outputs"]
        hashes = {f"from/{stage}/{file}": outputs[file]["sha256"] for file in files}
        return {**hashes, "untouched": fingerprint(sorted(self.untouched[_prompts_of(stage)]))}

    def training(self, run: Contents, name: str) -> dict[str, Any]:
        """What decides which prompts of a set (`sft`, `rl`) a training stage takes for touched, and its settings."""
        return {"touched": fingerprint(sorted(self.touched[name])), "incremental": run.recipe.incremental}

    def same_cases(self, run: Contents) -> bool:
        """Whether both runs ask their arms the same, in the same order; what the policy says to it may differ."""
        now, before = ([(case.prompt.id, case.prompt.messages) for case in each.cases()] for each in (run, self.old))
        return now == before

    def touches(self, case: Case) -> bool:
        """Whether the spec view of a case's categories changed."""
        return any(map(self.diff.touches, case.prompt.categories))

    def note(self) -> dict[str, Any]:
        """For run.json: the run continued, and what the last full run before it took, in seconds by stage."""
        before = read_json(self.old.root / "run.json", "restore it").get("from")
        full = {"full": self.old.root.name, "seconds": dict(seconds(self.old.root))}
        return {"name": self.old.root.name, **({key: before[key] for key in full} if before else full)}

    def _list_untouched(self, now: Sequence[Prompt], before: Sequence[Prompt]) -> frozenset[str]:
        known = {prompt.id: prompt for prompt in before}
        return frozenset(
            prompt.id
            for prompt in now
            if known.get(prompt.id) == prompt and not any(map(self.diff.touches, prompt.categories))
        )


def seconds(root: Path) -> Iterator[tuple[str, float]]:
    """What each finished stage of a run took, by its manifest."""
    for path in sorted([*root.glob("*/manifest.json"), *root.glob("evaluate/*/manifest.json")]):
        manifest = read_manifest(path.parent)
        assert manifest is not None
        yield manifest["stage"], manifest["seconds"]


def _prompts_of(stage: str) -> str:
    return "helpful" if stage == "helpful" else "sft"


def _differing(old: Contents, new: Contents) -> Iterator[str]:
    """The keys in which two runs differ and may not, e.g. `generate.samples (4, here 8)`."""
    yield from (name for name in FIXED if old.covers.get(name) != new.covers.get(name))
    if old.world != new.world:
        yield "prompts (a world of its own)"
    for name in SETTINGS:
        before, now = (run.recipe.model_dump()[name] for run in (old, new))
        if not isinstance(before, Mapping):
            before, now = {"": before}, {"": now}
        for key in before:
            if before[key] != now[key] and key not in ("arms", *Evaluate.UNNAMED):
                yield f"{name}{'.' * bool(key)}{key} ({before[key]}, here {now[key]})"
