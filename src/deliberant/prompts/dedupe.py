"""Prompt files without duplicates and without what the evaluation asks.

    deliberant prompts dedupe train.jsonl more.jsonl --against cases.jsonl --to clean.jsonl

First every prompt goes that is like one of the evaluation; then, of the prompts that are alike (directly or by a chain
of others), all but the first. What goes is written beside what stays, each row with what it was like and how much.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from deliberant.prompts.clusters import EQUAL, Comparer, Forest, Match
from deliberant.prompts.corpus import Corpus
from deliberant.util.files import apart, beside, json_line, write_atomically

THRESHOLD = 0.8
"""Jaccard similarity of shingle sets from which on two prompts are near-duplicates."""

CONTAMINATED, EXACT, NEAR = "in the evaluation", "exact duplicate", "near-duplicate"


@dataclass(frozen=True)
class Deduped:
    """What became of the rows; `skipped` counts comparisons that were not made (see `clusters`)."""

    rows: int
    kept: int
    contaminated: int
    exact: int
    near: int
    evaluation: int
    skipped: int
    threshold: float
    removed: str

    def row(self) -> dict[str, Any]:
        """As a JSON object."""
        return asdict(self)


def dedupe(files: Sequence[Path], against: Sequence[Path], to: Path, threshold: float = THRESHOLD) -> Deduped:
    """Writes the rows that stay to `to`, byte for byte and in order, and those that go to `removed_file(to)`.

    `against` are files of prompts or cases; a case that is encoded counts decoded, too. `threshold` is in (0, 1].
    Memory: 13 bytes per row; temporary files: about 100 (see `columns`). UserError for a mistake in a file, or an id
    that two rows share.
    """
    apart([to, removed_file(to)], [*files, *against])
    corpus = Corpus(threshold)
    try:
        for path in against:
            corpus.read(path, cases=True)
        start = len(corpus)
        for path in files:
            corpus.read(path)
        corpus.check_ids(start)
        comparer = Comparer(corpus.text, threshold)
        forest = Forest(len(corpus))
        if start:
            forest.against(corpus.bands.groups(), start, comparer)
        forest.link(corpus.bands.groups(), comparer, start)
        like, how = np.frombuffer(forest.like, np.int32), np.frombuffer(forest.how, np.uint16)
        stays = like < 0
        stays[:start] = False
        write_atomically(to, corpus.copy(stays))
        going = (forest.match(row) for row in range(start, len(corpus)))
        write_atomically(removed_file(to), (json_line(_entry(corpus, match, start)) for match in going if match))
        contaminated = int(((like >= 0) & (like < start)).sum())
        exact = int(((like >= start) & (how == EQUAL)).sum())
    finally:
        corpus.close()
    return Deduped(
        rows=len(corpus) - start,
        kept=int(stays.sum()),
        contaminated=contaminated,
        exact=exact,
        near=int((like >= start).sum()) - exact,
        evaluation=start,
        skipped=forest.skipped,
        threshold=threshold,
        removed=str(removed_file(to)),
    )


def removed_file(to: Path) -> Path:
    """Where the list of removed rows goes: beside what stays."""
    return beside(to, "removed.jsonl")


def _entry(corpus: Corpus, match: Match, start: int) -> dict[str, Any]:
    why = CONTAMINATED if match.other < start else EXACT if match.exact else NEAR
    return {
        "id": corpus.row(match.row)["id"],
        "at": corpus.where(match.row),
        "why": why,
        "similarity": round(match.similarity, 4),
        "like": corpus.row(match.other)["id"],
        "like_at": corpus.where(match.other),
    }
