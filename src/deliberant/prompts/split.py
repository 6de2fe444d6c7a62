"""Splits a prompt file for training and measuring, so that nothing measured was trained on in other words.

    deliberant prompts split prompts.jsonl --to sets --held-out 0.2 --seed 0

A family stays on one side, and so do near-duplicates across families. The sets that this makes are shuffled by a hash
of the seed and of their first id, and dealt until the share is reached.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from deliberant.prompts.corpus import Entry, copy_lines, read_entries
from deliberant.prompts.duplicates import Match, Sets, find_duplicates
from deliberant.prompts.similarity import THRESHOLD
from deliberant.util.errors import UserError
from deliberant.util.files import check_outputs, write_atomically, write_json

TRAIN, HELD_OUT, COUNTS = "train.jsonl", "held-out.jsonl", "split.json"


@dataclass(frozen=True)
class SplitCounts:
    """Rows, families, and the sets that stay together; `joined`: families in a set with near-duplicates of another."""

    rows: int
    train: int
    held_out: int
    families: int
    joined: int
    sets: int
    largest: int
    skipped: int
    share: float
    seed: int
    threshold: float


def split(path: Path, to: Path, share: float, seed: int, threshold: float = THRESHOLD) -> SplitCounts:
    """Write `to`/train.jsonl, `to`/held-out.jsonl (lines byte for byte, in order) and `to`/split.json, the counts.

    `share` of the rows, in (0, 1), are held out, as nearly as whole sets allow. UserError for a mistake in the file, or
    where one side would be empty.
    """
    if not 0 < share < 1:
        raise UserError(f"--held-out {share:g}: one side would be empty; give a share above 0 and below 1")
    check_outputs([to / name for name in (TRAIN, HELD_OUT, COUNTS)], [path])
    entries = read_entries([path])
    duplicates = find_duplicates([entry.text for entry in entries], threshold)
    joined, first_of = Sets(len(entries)), dict[str, int]()
    for row, entry in enumerate(entries):
        joined.join(row, first_of.setdefault(entry.family, row))
    for match in duplicates.matches.values():
        joined.join(match.row, match.other)
    sets = [joined.first(row) for row in range(len(entries))]
    sizes = Counter(sets)
    held_sets = _deal(entries, sizes, share, seed)
    held = [each in held_sets for each in sets]
    if not 0 < sum(held) < len(entries):
        remedy = "give families of their own to what is not a rewrite" if len(sizes) < 2 else "hold out another share"
        if not entries:
            remedy = "give a file with prompts"
        raise UserError(
            f"{path}: its {len(entries)} rows are {len(sizes)} sets that cannot be divided, so one side would be empty "
            f"at --held-out {share:g}; {remedy}"
        )
    _assert_apart(entries, duplicates.matches.values(), held)
    for name, side in ((TRAIN, False), (HELD_OUT, True)):
        write_atomically(
            to / name, copy_lines(entry for entry, each in zip(entries, held, strict=True) if each is side)
        )
    families = Counter(sets[row] for row in first_of.values())
    counts = SplitCounts(
        rows=len(entries),
        train=len(entries) - sum(held),
        held_out=sum(held),
        families=len(first_of),
        joined=sum(each for each in families.values() if each > 1),
        sets=len(sizes),
        largest=max(sizes.values()),
        skipped=duplicates.skipped,
        share=share,
        seed=seed,
        threshold=threshold,
    )
    write_json(to / COUNTS, counts)
    return counts


def _deal(entries: Sequence[Entry], sizes: Counter[int], share: float, seed: int) -> set[int]:
    """Which sets are held out, by their first row: in the order of their hashes, each where it does not overfill."""

    def key(row: int) -> bytes:
        return hashlib.sha256(f"{seed} {entries[row].id}".encode()).digest()

    room = round(share * len(entries))
    chosen = set[int]()
    for row in sorted(sizes, key=key):
        if sizes[row] <= room:
            chosen.add(row)
            room -= sizes[row]
    return chosen


def _assert_apart(entries: Sequence[Entry], matches: Iterable[Match], held: Sequence[bool]) -> None:
    """No family and no pair of near-duplicates is on both sides."""
    sides = dict[str, bool]()
    for entry, side in zip(entries, held, strict=True):
        assert sides.setdefault(entry.family, side) is side, "a family straddles the split"
    for match in matches:
        assert held[match.row] is held[match.other], "near-duplicates straddle the split"
