"""A prompt file in two, for training and for measuring, so that nothing measured was trained on in other words.

    deliberant prompts split prompts.jsonl --to sets --held-out 0.2 --seed 0

What goes to one side together: a family, and whatever is near-duplicate across families. The sets are shuffled by a
hash of the seed and of their first id, and dealt until the share is reached.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deliberant.prompts.clusters import Comparer, Forest
from deliberant.prompts.columns import BLOCK, Column, Rows, firsts
from deliberant.prompts.corpus import Corpus
from deliberant.prompts.dedupe import THRESHOLD
from deliberant.prompts.shingles import mix
from deliberant.util.errors import UserError
from deliberant.util.files import apart, write_atomically, write_json

TRAIN, HELD_OUT, COUNTS = "train.jsonl", "held-out.jsonl", "split.json"


@dataclass(frozen=True)
class Split:
    """Rows, families and indivisible sets of them; `joined` families share a set with another one's near-duplicates."""

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

    def row(self) -> dict[str, Any]:
        """As a JSON object."""
        return asdict(self)


def split(path: Path, to: Path, share: float, seed: int, threshold: float = THRESHOLD) -> Split:
    """Writes `to`/train.jsonl, `to`/held-out.jsonl (lines byte for byte, in order) and `to`/split.json, the counts.

    `share` of the rows, in (0, 1), are held out, as nearly as whole sets allow. UserError for a mistake in the file, or
    where one side would be empty. Memory: 25 bytes per row; temporary files: about 100 (see `columns`).
    """
    if not 0 < share < 1:
        raise UserError(f"--held-out {share:g}: one side would be empty; give a share above 0 and below 1")
    apart([to / name for name in (TRAIN, HELD_OUT, COUNTS)], [path])
    corpus = Corpus(threshold)
    try:
        corpus.read(path)
        corpus.check_ids(0)
        forest = Forest(len(corpus))
        for family in corpus.families.groups():
            for one, other in pairwise(family):
                forest.join(one, other)
        forest.link(corpus.bands.groups(), Comparer(corpus.text, threshold))
        roots = forest.roots()
        sizes = _count(roots, len(corpus))
        held = _deal(corpus.ids, roots, sizes, share, seed)
        if not 0 < held.sum() < len(corpus):
            sets = np.count_nonzero(sizes)
            remedy = "give families of their own to what is not a rewrite" if sets < 2 else "hold out another share"
            if not len(corpus):
                remedy = "give a file with prompts"
            raise UserError(
                f"{path}: its {len(corpus)} rows are {sets} sets that can not be divided, so one side would be empty "
                f"at --held-out {share:g}; {remedy}"
            )
        _assert_apart(corpus.families, roots, held, forest)
        write_atomically(to / TRAIN, corpus.copy(~held))
        write_atomically(to / HELD_OUT, corpus.copy(held))
        members = _members(corpus.families, roots)
        found = Split(
            rows=len(corpus),
            train=int((~held).sum()),
            held_out=int(held.sum()),
            families=int(members.sum()),
            joined=int(members[members > 1].sum()),
            sets=int(np.count_nonzero(sizes)),
            largest=int(sizes.max()),
            skipped=forest.skipped,
            share=share,
            seed=seed,
            threshold=threshold,
        )
    finally:
        corpus.close()
    write_json(to / COUNTS, found)
    return found


def _pieces(n: int) -> Iterator[slice]:
    """The numbers to n in pieces: numpy would make 8 bytes of every row number that it is given to look up."""
    return (slice(start, start + BLOCK) for start in range(0, n, BLOCK))


def _count(numbers: Rows, n: int) -> Rows:
    """How often each of the numbers 0 to n - 1 comes."""
    found = np.zeros(n, np.int32)
    for piece in _pieces(len(numbers)):
        np.add.at(found, numbers[piece], 1)
    return found


def _members(families: Column, roots: Rows) -> Rows:
    """How many families each set has, by its least row. A family is in one set, so its first row says in which."""
    found = np.zeros(len(roots), np.int32)
    for values, rows in families.ranked():
        np.add.at(found, roots[rows[firsts(values)]], 1)
    return found


def _deal(ids: Column, roots: Rows, sizes: Rows, share: float, seed: int) -> NDArray[np.bool_]:
    """Which rows are held out: sets in the order of their hashes, each where it does not overfill the share."""
    wanted = round(share * len(roots))
    salt = mix(np.array([seed], np.uint64))
    held = 0
    chosen = np.zeros(len(roots), bool)
    for _, rows in ids.ranked(lambda names: mix(names + salt)):
        sets = rows[roots[rows] == rows]
        for row, size in zip(sets.tolist(), sizes[sets].tolist(), strict=True):
            if held + size <= wanted:
                held += size
                chosen[row] = True
    for piece in _pieces(len(roots)):
        chosen[piece] = chosen[roots[piece]]  # a set's least row keeps what it has
    return chosen


def _assert_apart(families: Column, roots: Rows, held: NDArray[np.bool_], forest: Forest) -> None:
    """No family, no set and no pair of near-duplicates is on both sides."""
    like = np.frombuffer(forest.like, np.int32)
    for values, rows in families.ranked():
        sides = held[rows]
        astride = (values[1:] == values[:-1]) & (sides[1:] != sides[:-1])
        assert not astride.any(), "a family straddles the split"
    for piece in _pieces(len(roots)):
        assert (held[roots[piece]] == held[piece]).all(), "a cluster straddles the split"
        astride = (like[piece] >= 0) & (held[like[piece]] != held[piece])
        assert not astride.any(), "near-duplicates straddle the split"
