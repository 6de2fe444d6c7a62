"""Prompt files without duplicates and without what the evaluation asks.

    deliberant prompts dedupe train.jsonl more.jsonl --against cases.jsonl --to clean.jsonl

First every prompt goes that is like one of the evaluation; then, of the prompts that are alike (directly or by a chain
of others), all but the first. What goes is written beside what stays, each row with what it was like and how much.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from deliberant.files import json_line, write_atomically
from deliberant.prompts.clusters import Comparer, Forest, Match, directed, near_any
from deliberant.prompts.corpus import Corpus

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
    Memory: about 120 bytes per row, and 500 more per row that goes. UserError for a mistake in a file, or an id that
    two rows share.
    """
    corpus = Corpus(threshold)
    try:
        for path in against:
            corpus.read(path, cases=True)
        start = len(corpus)
        for path in files:
            corpus.read(path)
        corpus.check_ids(start)
        comparer = Comparer(corpus.text, threshold)
        contaminated = near_any(corpus.bands.groups(), start, comparer) if start else {}
        forest = Forest.of(len(corpus))
        forest.link(_within(corpus.bands.groups(), start, contaminated), comparer)
        steps = directed(forest.matches)
        assert not steps.keys() & contaminated.keys()
        going = {**contaminated, **steps}
        write_atomically(to, corpus.copy(row for row in range(start, len(corpus)) if row not in going))
        write_atomically(removed_file(to), (json_line(_entry(corpus, going[row], start)) for row in sorted(going)))
    finally:
        corpus.close()
    return Deduped(
        rows=len(corpus) - start,
        kept=len(corpus) - start - len(going),
        contaminated=len(contaminated),
        exact=sum(match.exact for match in steps.values()),
        near=sum(not match.exact for match in steps.values()),
        evaluation=start,
        skipped=forest.skipped,
        threshold=threshold,
        removed=str(removed_file(to)),
    )


def removed_file(to: Path) -> Path:
    """Where the list of removed rows goes: beside what stays."""
    return to.with_name(f"{to.stem}.removed.jsonl")


def _within(groups: Iterator[list[int]], start: int, without: dict[int, Match]) -> Iterator[list[int]]:
    for group in groups:
        rest = [row for row in group if row >= start and row not in without]
        if len(rest) > 1:
            yield rest


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
