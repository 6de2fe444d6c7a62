"""Which clauses a run's samples teach, read from the run folder.

    deliberant coverage RUN [--min N]

Reads the prompts, and what filter kept and rejected.
"""

from pathlib import Path

from deliberant.policy import load_policy
from deliberant.prompts.reader import read_prompts
from deliberant.report.coverage import ALL, NO_CLAUSE, UNKNOWN, UNSTATED, ClauseRow, Coverage, Tally, add_tallies
from deliberant.run.folder import read_finished, sft_file
from deliberant.run.run import NOTE
from deliberant.util.errors import RunError, UserError
from deliberant.util.files import read_rows


def coverage(root: Path) -> Coverage:
    """The coverage of a run whose filter has finished.

    UserError where `root` is no such run, RunError where its files are damaged.
    """
    if not (root / NOTE).exists():
        raise UserError(f"{root}: is no run folder (it has no {NOTE}); give a folder below runs/")
    if read_finished(root, "filter") is None:
        raise UserError(f"{root}: filter has not finished; run `deliberant filter {root}` first")
    clauses = load_policy(root / "policy").clauses
    file = sft_file(root)
    column_of = {prompt.id: (prompt.framing or UNSTATED, prompt.source or UNSTATED) for prompt in read_prompts(file)}
    samples: dict[str, dict[tuple[str, str], list[tuple[str, bool]]]] = {
        name: {} for name in (*clauses, NO_CLAUSE, UNKNOWN, ALL)
    }
    for path, kept in ((root / "filter" / "rejected.jsonl", False), (root / "filter" / "kept.jsonl", True)):
        for number, sample in enumerate(read_rows(path), start=1):
            prompt_id = sample["prompt_id"]
            if prompt_id not in column_of:
                raise RunError(f"{path}:{number}: prompt '{prompt_id}' is not in prompts/{file.name}; restore it")
            cited = {name if name in clauses else UNKNOWN for name in sample["cited"]} or {NO_CLAUSE}
            for name in (*cited, ALL):
                samples[name].setdefault(column_of[prompt_id], []).append((prompt_id, kept))
    columns = tuple(sorted(set(column_of.values())))
    rows = []
    for name, members in samples.items():
        cells = {
            column: Tally(len({id for id, _ in cell}), len(cell), sum(kept for _, kept in cell))
            for column in columns
            if (cell := members.get(column))
        }
        clause = clauses.get(name)
        category, style = (clause.category, clause.style) if clause else (None, None)
        rows.append(ClauseRow(name, category, style, add_tallies(cells.values()), cells))
    return Coverage(columns, tuple(rows))
