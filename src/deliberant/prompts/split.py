"""A prompt file in two, for training and for measuring, so that nothing measured was trained on in other words.

    deliberant prompts split prompts.jsonl --to sets --held-out 0.2 --seed 0

What goes to one side together: a family, and whatever is near-duplicate across families. The sets are shuffled by a
hash of the seed and of their first id, and dealt until the share is reached.
"""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deliberant.errors import UserError
from deliberant.files import write_atomically, write_json
from deliberant.prompts.clusters import Comparer, Forest
from deliberant.prompts.corpus import Corpus
from deliberant.prompts.dedupe import THRESHOLD
from deliberant.prompts.shingles import mix

TRAIN, HELD_OUT = "train.jsonl", "held-out.jsonl"


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
    where one side would be empty. Memory: about 120 bytes per row.
    """
    corpus = Corpus(threshold)
    try:
        corpus.read(path)
        corpus.check_ids(0)
        families = np.frombuffer(corpus.families, np.uint64)
        forest = Forest.of(len(corpus))
        _join_families(forest, families)
        forest.link(corpus.bands.groups(), Comparer(corpus.text, threshold))
        roots = np.fromiter(map(forest.root, range(len(corpus))), np.int64, len(corpus))
        held = _deal(corpus, roots, share, seed)
        if not 0 < held.sum() < len(corpus):
            raise UserError(
                f"{path}: its {len(corpus)} rows are {len(np.unique(roots))} sets that can not be divided, so one side "
                f"would be empty at --held-out {share:g}; give families of their own to what is not a rewrite"
            )
        _assert_apart(families, roots, held, forest)
        write_atomically(to / TRAIN, corpus.copy(np.flatnonzero(~held).tolist()))
        write_atomically(to / HELD_OUT, corpus.copy(np.flatnonzero(held).tolist()))
        sets, sizes = np.unique(roots, return_counts=True)
        pairs = np.unique(np.stack([roots.astype(np.uint64), families]), axis=1)
        _, members = np.unique(pairs[0], return_counts=True)
        found = Split(
            rows=len(corpus),
            train=int((~held).sum()),
            held_out=int(held.sum()),
            families=len(np.unique(families)),
            joined=int(members[members > 1].sum()),
            sets=len(sets),
            largest=int(sizes.max()),
            skipped=forest.skipped,
            share=share,
            seed=seed,
            threshold=threshold,
        )
    finally:
        corpus.close()
    write_json(to / "split.json", found)
    return found


def _join_families(forest: Forest, families: NDArray[np.uint64]) -> None:
    order = np.argsort(families, kind="stable")
    same = np.flatnonzero(families[order][1:] == families[order][:-1])
    for one, other in zip(order[same].tolist(), order[same + 1].tolist(), strict=True):
        forest.join(one, other)


def _deal(corpus: Corpus, roots: NDArray[np.int64], share: float, seed: int) -> NDArray[np.bool_]:
    """Which rows are held out: sets in the order of their hashes, each where it does not overfill the share."""
    wanted = round(share * len(roots))
    sets, sizes = np.unique(roots, return_counts=True)
    firsts = np.frombuffer(corpus.ids, np.uint64)[sets]
    keys = mix(firsts + mix(np.array([seed], np.uint64)))
    held = 0
    chosen = []
    for place in np.argsort(keys, kind="stable").tolist():
        if held + sizes[place] <= wanted:
            held += int(sizes[place])
            chosen.append(sets[place])
    return np.isin(roots, np.array(chosen, np.int64))


def _assert_apart(
    families: NDArray[np.uint64], roots: NDArray[np.int64], held: NDArray[np.bool_], forest: Forest
) -> None:
    """No family, no set and no pair of near-duplicates is on both sides."""
    assert not np.intersect1d(families[held], families[~held]).size, "a family straddles the split"
    assert not np.intersect1d(roots[held], roots[~held]).size, "a cluster straddles the split"
    assert all(held[match.row] == held[match.other] for match in forest.matches), "near-duplicates straddle the split"
