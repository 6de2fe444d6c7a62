"""A judge beside a policy author's golden set: replies of which people have said whether the policy is kept.

    deliberant judge calibrate golden.csv --policy my-policy/ --with MODEL

Each row has a request, a reply to it, and a label of the reply: a clause's id, or what the ids of several of one style
begin with. A label whose clauses say comply means that the reply keeps the policy, any other one that it breaks it.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from deliberant.judge import Judge, RewardRequest
from deliberant.policy import Clause, Policy, spec_view
from deliberant.prompts.tables import open_table
from deliberant.prompts.types import Message, Prompt
from deliberant.review.agreement import Pair
from deliberant.review.calibrate import Calibration, calibrate_pairs, decide
from deliberant.util.errors import UserError
from deliberant.util.names import suggest_name

COLUMNS = {"text": "Example", "answer": "Responses", "label": "Response Label"}
"""Where a golden set has request, reply and label of the reply, unless it is said otherwise."""


class Golden(NamedTuple):
    """A row. `request`: what the judge is asked of it; `good`: whether its reply keeps the policy."""

    request: RewardRequest
    good: bool


def read_golden(
    file: Path, policy: Policy, columns: Mapping[str, str] = COLUMNS, skip_lines: int = 0
) -> tuple[list[Golden], int]:
    """The rows that have a reply and a label of it, and how many have not.

    UserError with file and line for a label that is no clause nor begins some of one style, or a missing column.
    """
    table = open_table(str(file), skip_lines=skip_lines)
    rows, without = [], 0
    for record in table.records(None):
        for field, column in columns.items():
            if record.values and column not in record.values:
                remedy = f"{suggest_name(column, record.values)}; name it with --map {field}=COLUMN"
                raise UserError(f"{table.at}: there is no column '{column}'; {remedy}")
        text, answer, label = (str(record.values.get(columns[each]) or "").strip() for each in COLUMNS)
        if not (text and answer and label):
            without += 1
            continue
        clauses = _labelled(label, policy, record.at)
        categories = tuple(dict.fromkeys(clause.category for clause in clauses))
        prompt = Prompt(record.at, (Message(role="user", content=text),), categories, text)
        request = RewardRequest(prompt, answer, spec_view(policy, categories))
        rows.append(Golden(request, clauses[0].style == "comply"))
    if not rows:
        raise UserError(f"{file}: no row has a request, a reply and a label of it; name their columns with --map")
    return rows, without


def _labelled(label: str, policy: Policy, at: str) -> list[Clause]:
    clauses = [policy.clauses[label]] if label in policy.clauses else []
    clauses = clauses or [clause for id, clause in policy.clauses.items() if id.startswith(label)]
    if len({clause.style == "comply" for clause in clauses}) != 1:
        what = "begins clauses of several styles" if clauses else "is no clause, nor begins one"
        raise UserError(f"{at}: label '{label}' {what}; {suggest_name(label, policy.clauses)}")
    return clauses


def calibrate_golden(rows: list[Golden], judge: Judge, k: int, threshold: int, seed: int) -> Calibration:
    """The judge's readings, the lowest of k, beside the labels; rows of one request are a family."""
    readings = judge.read([row.request for row in rows], k, seed)
    pairs = [
        Pair(request.prompt.family, good, decide(verdicts, threshold))
        for (request, good), verdicts in zip(rows, readings, strict=True)
    ]
    unscored = sum(verdict.unscored is not None for verdicts in readings for verdict in verdicts)
    counts = {"samples": len(rows), "readings": k * len(rows), "readings_unscored": unscored}
    return calibrate_pairs(pairs, threshold, counts)
