"""A run's samples as people read them: both files of the filter, an index in memory, texts on disk."""

import json
import random
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from deliberant.policy import load_policy
from deliberant.prompts import Prompt, read_prompts
from deliberant.run.folder import finished, sft_file
from deliberant.run.run import NOTE
from deliberant.util.errors import RunError, UserError
from deliberant.util.files import Row, fingerprint

FILES = (("kept.jsonl", True), ("rejected.jsonl", False))


@dataclass(frozen=True, slots=True)
class Entry:
    """One sample without its text. `judged`: the judge read it; `hash`: fingerprint of its text."""

    id: str
    prompt_id: str
    categories: tuple[str, ...]
    kept: bool
    judged: bool
    hash: str
    offset: int

    @property
    def fate(self) -> str:
        """What the filter did with it."""
        return "kept" if self.kept else "rejected"

    @property
    def area(self) -> str:
        """Its categories as one word."""
        return "+".join(self.categories)


class Samples:
    """The samples of a run whose filter has finished; `threshold` and `k` are the filter's."""

    def __init__(self, root: Path) -> None:
        """Index both files. UserError where `root` is no such run, RunError where its files are damaged."""
        if not (root / NOTE).is_file():
            raise UserError(f"{root}: is no run folder (it has no {NOTE}); give a folder below runs/")
        manifest = finished(root, "filter")
        if manifest is None:
            raise UserError(f"{root}: filter has not finished; run `deliberant filter {root}` first")
        self.root = root
        self.threshold: int = manifest["inputs"]["filter"]["threshold"]
        self.k: int = manifest["inputs"]["filter"]["k"]
        self.policy = load_policy(root / "policy")
        self.entries = [entry for file, kept in FILES for entry in _index(root / "filter" / file, kept)]
        self.by_id = {entry.id: entry for entry in self.entries}

    def row(self, entry: Entry) -> Row:
        """The sample itself, as filter left it."""
        with (self.root / "filter" / FILES[not entry.kept][0]).open("rb") as file:
            file.seek(entry.offset)
            row: Row = json.loads(file.readline())
            return row

    def prompts(self, entries: Collection[Entry]) -> dict[str, Prompt]:
        """The prompts of some samples by id; RunError where one is missing."""
        wanted = {entry.prompt_id for entry in entries}
        path = sft_file(self.root)
        found = {prompt.id: prompt for prompt in read_prompts(path) if prompt.id in wanted}
        if missing := sorted(wanted - found.keys()):
            raise RunError(f"{path}: prompt '{missing[0]}' is not there; restore it")
        return found


def draw(entries: Sequence[Entry], n: int | None, seed: int) -> list[Entry]:
    """`n` samples (all of them where None), in an order that tells nothing.

    Strata, category by kept or rejected, take turns, so small ones are read whole and the rare reject is seen often
    enough; calibration weighs them back. A smaller draw with the same seed is part of a larger one.
    """
    rng = random.Random(seed)
    strata: dict[tuple[str, bool], list[Entry]] = defaultdict(list)
    for entry in sorted(entries, key=lambda each: each.id):
        strata[entry.area, entry.kept].append(entry)
    for stratum in strata.values():
        rng.shuffle(stratum)
    rounds = range(max(map(len, strata.values()), default=0))
    turns = [strata[key][place] for place in rounds for key in sorted(strata) if place < len(strata[key])]
    drawn = turns[:n]
    rng.shuffle(drawn)
    return drawn


def _index(path: Path, kept: bool) -> list[Entry]:
    entries, offset = [], 0
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            try:
                row = json.loads(line)
            except ValueError as error:
                raise RunError(f"{path}:{number}: no JSON ({error}); delete filter/ and run it again") from error
            names = (row["id"], row["prompt_id"], tuple(row["categories"]))
            entries.append(Entry(*names, kept, bool(row["verdicts"]), fingerprint(row["text"]), offset))
            offset += len(line)
    return entries
