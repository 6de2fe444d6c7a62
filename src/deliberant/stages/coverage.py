"""Which clauses a run's samples teach, read from the run folder.

    deliberant coverage RUN [--min N]

Reads the prompts and what filter kept and rejected, row by row, so a run of a million prompts takes no more memory than
their ids and a few numbers per sample.
"""

import json
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from deliberant.errors import RunError, UserError
from deliberant.folder import read_manifest, verify
from deliberant.policy import load_policy
from deliberant.prompts.reader import iterate_prompts
from deliberant.report.coverage import ALL, NO_CLAUSE, UNKNOWN, UNSTATED, ClauseRow, Coverage, Tally, total_of

FILES = (("rejected.jsonl", False), ("kept.jsonl", True))


def coverage(root: Path) -> Coverage:
    """The coverage of a run whose filter has finished.

    UserError where `root` is no such run, RunError where its files are damaged.
    """
    manifest = read_manifest(root / "filter")
    if manifest is None:
        raise UserError(f"{root}: filter has not finished; run `deliberant filter {root}` first")
    verify(root / "filter", manifest)
    policy = load_policy(root / "policy")
    clauses = list(policy.clauses.values())
    names = [*(clause.id for clause in clauses), NO_CLAUSE, UNKNOWN, ALL]
    places = {name: place for place, name in enumerate(names)}
    columns: dict[tuple[str, str], int] = {}
    prompts: dict[str, int] = {}
    column_of = array("I")
    for prompt in iterate_prompts(root / "prompts" / "train.jsonl"):
        prompts[prompt.id] = len(prompts)
        column_of.append(columns.setdefault((prompt.framing or UNSTATED, prompt.source or UNSTATED), len(columns)))
    rows, owners, kept = array("I"), array("I"), bytearray()
    for file, passed in FILES:
        for here, sample in _samples(root / "filter" / file):
            if (owner := prompts.get(sample["prompt_id"])) is None:
                raise RunError(f"{here}: prompt '{sample['prompt_id']}' is not in prompts/train.jsonl; restore it")
            cited = {places.get(name, places[UNKNOWN]) for name in sample["cited"]} or {places[NO_CLAUSE]}
            for row in (*cited, places[ALL]):
                rows.append(row)
                owners.append(owner)
                kept.append(passed)
    cells = _cells(rows, owners, kept, column_of, len(columns))
    order = sorted(columns)
    found = []
    for place, name in enumerate(names):
        mine = {column: cells[cell] for column in order if (cell := (place, columns[column])) in cells}
        clause = clauses[place] if place < len(clauses) else None
        category, style = (clause.category, clause.style) if clause else (None, None)
        found.append(ClauseRow(name, category, style, total_of(mine.values()), mine))
    return Coverage(tuple(order), tuple(found))


def _samples(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """`file:line` and row. The lines are ours, so they have no limit."""
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            try:
                yield f"{path}:{number}", json.loads(line)
            except ValueError as error:
                raise RunError(f"{path}:{number}: no JSON ({error}); delete filter/ and run it again") from error


def _cells(
    rows: "array[int]", owners: "array[int]", kept: bytearray, column_of: "array[int]", width: int
) -> dict[tuple[int, int], Tally]:
    """(row, column) -> tally, from parallel lists of a sample's row, its prompt and whether it was kept."""
    if not rows:
        return {}
    owner = np.frombuffer(owners, np.uint32).astype(np.int64)
    cell = np.frombuffer(rows, np.uint32).astype(np.int64) * width + np.frombuffer(column_of, np.uint32)[owner]
    size = int(cell.max()) + 1
    samples = np.bincount(cell, minlength=size)
    passed = np.bincount(cell[np.frombuffer(kept, np.uint8) == 1], minlength=size)
    prompts = np.bincount(np.unique(cell << 32 | owner) >> 32, minlength=size)
    return {
        divmod(place, width): Tally(int(prompts[place]), int(samples[place]), int(passed[place]))
        for place in np.flatnonzero(samples).tolist()
    }
