"""A run's samples as people read them: both files of the filter."""

import random
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from deliberant.judge import Verdict
from deliberant.policy import load_policy
from deliberant.prompts import Prompt, read_prompts
from deliberant.run.folder import read_finished, sft_file
from deliberant.run.run import NOTE
from deliberant.util.errors import RunError, UserError
from deliberant.util.files import Row, fingerprint, read_rows
from deliberant.util.turns import take_turns


@dataclass(frozen=True)
class Entry:
    """One sample. `hash`: fingerprint of its text; `row`: the whole of it, as filter left it."""

    id: str
    prompt_id: str
    categories: tuple[str, ...]
    kept: bool
    hash: str
    row: Row = field(compare=False, repr=False)

    @property
    def fate(self) -> str:
        """What the filter did with it."""
        return "kept" if self.kept else "rejected"

    @property
    def area(self) -> str:
        """Its categories as one word."""
        return "+".join(self.categories)

    @property
    def readings(self) -> list[Verdict]:
        """The judge's; none where the filter rejected the sample without asking it."""
        return [Verdict(**verdict) for verdict in self.row["verdicts"]]

    @property
    def judged(self) -> bool:
        """Whether the judge read it."""
        return bool(self.row["verdicts"])

    @property
    def stratum(self) -> tuple[str, bool, bool]:
        """What a draw is even over, and weights undo."""
        return self.area, self.kept, self.judged


class Samples:
    """The samples of a run whose filter has finished; `threshold` and `k` are the filter's."""

    def __init__(self, root: Path) -> None:
        """UserError where `root` is no such run, RunError where its files are damaged."""
        if not (root / NOTE).is_file():
            raise UserError(f"{root}: is no run folder (it has no {NOTE}); give a folder below runs/")
        manifest = read_finished(root, "filter")
        if manifest is None:
            raise UserError(f"{root}: filter has not finished; run `deliberant filter {root}` first")
        self.root = root
        self.threshold: int = manifest["inputs"]["filter"]["threshold"]
        self.k: int = manifest["inputs"]["filter"]["k"]
        self.policy = load_policy(root / "policy")
        self.entries = [
            Entry(row["id"], row["prompt_id"], tuple(row["categories"]), kept, fingerprint(row["text"]), row)
            for file, kept in (("kept.jsonl", True), ("rejected.jsonl", False))
            for row in read_rows(root / "filter" / file)
        ]
        self.by_id = {entry.id: entry for entry in self.entries}

    def prompts(self, entries: Collection[Entry]) -> dict[str, Prompt]:
        """The prompts of some samples by id; RunError where one is missing."""
        wanted = {entry.prompt_id for entry in entries}
        path = sft_file(self.root)
        prompts = {prompt.id: prompt for prompt in read_prompts(path) if prompt.id in wanted}
        if missing := sorted(wanted - prompts.keys()):
            raise RunError(f"{path}: prompt '{missing[0]}' is not there; restore it")
        return prompts


def draw(entries: Sequence[Entry], n: int | None, seed: int) -> list[Entry]:
    """`n` samples (all of them where None), in an order that tells nothing.

    Strata, category by kept or rejected, take turns, so small ones are read whole and the rare reject is seen often
    enough; calibration weighs them back. A smaller draw with the same seed is part of a larger one.
    """
    rng = random.Random(seed)
    shuffled = rng.sample(sorted(entries, key=lambda entry: entry.id), len(entries))
    drawn = take_turns(shuffled, lambda entry: (entry.area, entry.kept))[:n]
    rng.shuffle(drawn)
    return drawn
