"""Prompt files without duplicates and without what the evaluation asks.

    deliberant prompts dedupe train.jsonl more.jsonl --against cases.jsonl --to clean.jsonl

First every prompt that is like one of the evaluation is removed; then, of the prompts that are alike (directly or by a
chain of others), all but the first. The removed rows are listed beside the output, each with what it was like.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deliberant.prompts.corpus import copy_lines, read_entries, read_evaluation
from deliberant.prompts.duplicates import Match, find_duplicates
from deliberant.prompts.similarity import THRESHOLD
from deliberant.util.files import check_outputs, name_beside, write_atomically, write_rows

CONTAMINATED, EXACT, NEAR = "in the evaluation", "exact duplicate", "near-duplicate"


@dataclass(frozen=True)
class DedupeCounts:
    """What became of the rows; `skipped` counts comparisons that were not made (see `duplicates`)."""

    rows: int
    kept: int
    contaminated: int
    exact: int
    near: int
    evaluation: int
    skipped: int
    threshold: float
    removed: str


def dedupe(files: Sequence[Path], against: Sequence[Path], to: Path, threshold: float = THRESHOLD) -> DedupeCounts:
    """Write the rows that stay to `to`, byte for byte and in order, and list the others in `removed_file(to)`.

    `against` are files of prompts or cases; a case that is encoded counts decoded, too. `threshold` is in (0, 1].
    UserError for a mistake in a file, or an id that two rows share.
    """
    check_outputs([to, removed_file(to)], [*files, *against])
    evaluation = read_evaluation(against)
    start = len(evaluation)
    entries = [*evaluation, *read_entries(files)]
    duplicates = find_duplicates([entry.text for entry in entries], threshold, start)

    def why(match: Match) -> str:
        return CONTAMINATED if match.other < start else EXACT if match.exact else NEAR

    def removed(match: Match) -> dict[str, Any]:
        entry, other = entries[match.row], entries[match.other]
        row = {"id": entry.id, "at": entry.at, "why": why(match), "similarity": round(match.similarity, 4)}
        return {**row, "like": other.id, "like_at": other.at}

    write_atomically(
        to, copy_lines(entries[row] for row in range(start, len(entries)) if row not in duplicates.matches)
    )
    write_rows(removed_file(to), map(removed, duplicates.matches.values()))
    reasons = Counter(map(why, duplicates.matches.values()))
    return DedupeCounts(
        rows=len(entries) - start,
        kept=len(entries) - start - len(duplicates.matches),
        contaminated=reasons[CONTAMINATED],
        exact=reasons[EXACT],
        near=reasons[NEAR],
        evaluation=start,
        skipped=duplicates.skipped,
        threshold=threshold,
        removed=str(removed_file(to)),
    )


def removed_file(to: Path) -> Path:
    """Where the list of removed rows goes: beside what stays."""
    return name_beside(to, "removed.jsonl")
