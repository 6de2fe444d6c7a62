"""Which clauses a run's samples teach, read from the run folder.

    deliberant coverage RUN [--min N]

Reads the prompts and what filter kept and rejected, row by row. Of these stay in memory each prompt's id and a bit for
each prompt and clause, however many the samples are.
"""

import json
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from deliberant.policy import load_policy
from deliberant.prompts.reader import read_prompts
from deliberant.report.coverage import ALL, NO_CLAUSE, UNKNOWN, UNSTATED, ClauseRow, Coverage, Tally, total_of
from deliberant.run.folder import finished, sft_file
from deliberant.run.run import NOTE
from deliberant.util.errors import RunError, UserError

FILES = (("rejected.jsonl", False), ("kept.jsonl", True))


def coverage(root: Path) -> Coverage:
    """The coverage of a run whose filter has finished.

    UserError where `root` is no such run, RunError where its files are damaged.
    """
    if not (root / NOTE).exists():
        raise UserError(f"{root}: is no run folder (it has no {NOTE}); give a folder below runs/")
    manifest = finished(root, "filter")
    if manifest is None:
        raise UserError(f"{root}: filter has not finished; run `deliberant filter {root}` first")
    policy = load_policy(root / "policy")
    clauses = list(policy.clauses.values())
    names = [*(clause.id for clause in clauses), NO_CLAUSE, UNKNOWN, ALL]
    places = {name: place for place, name in enumerate(names)}
    columns: dict[tuple[str, str], int] = {}
    ids, column_of = dict[str, int](), array("I")
    known = sft_file(root)
    for prompt in read_prompts(known):
        ids[prompt.id] = len(ids)
        column_of.append(columns.setdefault((prompt.framing or UNSTATED, prompt.source or UNSTATED), len(columns)))
    cells: dict[tuple[int, int], list[int]] = {}
    width = -(-len(names) // 8)
    seen = bytearray(width * len(ids))  # a bit for each prompt and name: has a sample of it been counted there?
    for file, passed in FILES:
        for here, sample in _samples(root / "filter" / file):
            if (owner := ids.get(sample["prompt_id"])) is None:
                raise RunError(f"{here}: prompt '{sample['prompt_id']}' is not in prompts/{known.name}; restore it")
            cited = {places.get(name, places[UNKNOWN]) for name in sample["cited"]} or {places[NO_CLAUSE]}
            for place in (*cited, places[ALL]):
                tally = cells.setdefault((place, column_of[owner]), [0, 0, 0])
                byte, bit = owner * width + place // 8, 1 << place % 8
                tally[0] += not seen[byte] & bit
                tally[1] += 1
                tally[2] += passed
                seen[byte] |= bit
    order = sorted(columns)
    found = []
    for place, name in enumerate(names):
        mine = {column: Tally(*cells[cell]) for column in order if (cell := (place, columns[column])) in cells}
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
