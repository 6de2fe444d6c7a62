"""The judge that evaluates beside people, on answers of the arms: a table to fill in, and the judge's own readings.

    deliberant judge calibrate RUN --answers answers.csv

Evaluation has asked the judge already, so no model is loaded. The table says neither which arm answered nor what the
judge thought; arms take turns in it.
"""

import csv
import io
import random
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from deliberant.evals import ScoredSample
from deliberant.prompts.tables import open_table
from deliberant.review.agreement import Pair
from deliberant.review.calibrate import Calibration, calibrate_pairs, decide
from deliberant.stages.answers import read_samples
from deliberant.util.errors import UserError
from deliberant.util.files import fingerprint, write_atomically
from deliberant.util.turns import take_turns

if TYPE_CHECKING:
    from deliberant.run.run import Run

COLUMNS = ("answer_id", "request", "wanted", "clause", "answer", "decision")
DECISIONS = {"accept": True, "reject": False}


def write_answers(run: "Run", file: Path, number: int) -> int:
    """A table of up to `number` judged answers, drawn by the run's seed, its column `decision` to be filled in.

    `wanted` and `clause` are what the policy asks for. Returns how many there are.
    """
    judged = list(_judged(run))
    drawn = random.Random(f"{run.recipe.seed} answers").sample(judged, len(judged))
    drawn = take_turns(drawn, lambda sample: sample.arm)[:number]
    random.Random(run.recipe.seed).shuffle(drawn)
    table = io.StringIO(newline="")
    writer = csv.writer(table)
    writer.writerow(COLUMNS)
    for sample in drawn:
        truth, turns = sample.case.truth, sample.case.prompt.messages
        request = "\n\n".join(turn["content"] for turn in turns)
        writer.writerow((_name(sample), request, truth.style, truth.clause or "", sample.answer, ""))
    write_atomically(file, table.getvalue().encode())
    return len(drawn)


def calibrate_answers(run: "Run", file: Path) -> Calibration:
    """The judge's recorded readings beside the decisions of a table that `write_answers` made.

    UserError with file and line for a decision that is none, or an answer that the run has not.
    """
    known = {_name(sample): sample for sample in _judged(run)}
    threshold, pairs, blank = run.recipe.filter.threshold, [], 0
    for record in open_table(str(file)).records(None):
        name, decision = (str(record.values.get(each) or "").strip().lower() for each in ("answer_id", "decision"))
        if name not in known:
            raise UserError(f"{record.at}: {run.root} has no judged answer '{name}'; use a table of this very run")
        if decision and decision not in DECISIONS:
            raise UserError(f"{record.at}: unknown decision '{decision}'; write accept or reject, or nothing")
        sample = known[name]
        if decision:
            judge = decide(sample.verdicts, threshold)
            pairs.append(Pair(sample.case.prompt.family, DECISIONS[decision], judge))
        blank += not decision
    if not pairs:
        raise UserError(f"{file}: no row has a decision; write accept or reject into that column")
    return calibrate_pairs(pairs, threshold, {"samples": len(pairs), "without_decision": blank})


def _judged(run: "Run") -> Iterator[ScoredSample]:
    for arm in run.recipe.evaluate.arms:
        yield from (sample for sample in read_samples(run.root, arm) if sample.verdicts)


def _name(sample: ScoredSample) -> str:
    """Says not which arm it is of."""
    return fingerprint([sample.arm, sample.case.prompt.id, sample.epoch])
