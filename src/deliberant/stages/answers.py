"""How a run's arms are asked, graded and kept: what stage evaluate does, and what it measures beyond."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from deliberant.evals.agreement import strip_grade
from deliberant.evals.samples import ScoredSample, count, from_row, to_row
from deliberant.evals.scoring import add_summaries, apply_verdicts, ask_cases, judge_samples
from deliberant.models.types import Reasoning, Sampling
from deliberant.policy import summary_view
from deliberant.prompts import Case, Message
from deliberant.run.arms import ARMS
from deliberant.run.folder import StageFolder
from deliberant.stages.filter import check_unscored
from deliberant.templates.form import compose_request
from deliberant.util.files import Row, read_rows, write_rows

if TYPE_CHECKING:
    from deliberant.run.run import Run

SAMPLES = "samples.jsonl"
DRAWN = ("answers.jsonl", "judged.jsonl")
"""What resuming needs; all of it is in the samples."""


def ask_arm(
    run: "Run",
    arm: str,
    cases: Sequence[Case],
    sampling: Sampling,
    epoch: int = 1,
    thoughts: Sequence[str] | None = None,
) -> list[Row]:
    """One chunk of cases, as rows; `epoch` and `thoughts` as in `scoring.draw`."""
    sampler = run.sampler(arm)
    shown = partial(messages_for_arm, run, arm, sampler.reasoning)
    samples = ask_cases(arm, sampler, cases, sampling, run.recipe.seed, run.style_reader, shown, epoch, thoughts)
    return list(map(to_row, samples))


def grade_by_judge(run: "Run", folder: StageFolder, samples: Sequence[ScoredSample]) -> list[ScoredSample]:
    """The samples with styles by the judge, from the answer alone: the right one, or one of the other side."""
    recipe = run.recipe.filter

    def work(chunk: Sequence[ScoredSample]) -> list[Row]:
        by_threshold = partial(apply_verdicts, threshold=recipe.threshold)
        judge = run.judge("evaluate")
        return [*map(to_row, judge_samples(chunk, judge, run.policy, by_threshold, recipe.k, run.recipe.seed))]

    answers = [strip_grade(sample) for sample in samples if not sample.empty]  # a reused one was graded in an older run
    readings = [from_row(row) for row in run.in_chunks(folder, DRAWN[1], answers, recipe.chunk, work)]
    unscored = sum(sample.unscored for sample in readings)
    check_unscored(str(folder.dir), "evaluate", unscored, len(readings), recipe.max_unscored)
    read = iter(readings)
    return [sample if sample.empty else next(read) for sample in samples]


def messages_for_arm(run: "Run", arm: str, reasoning: Reasoning, turns: Sequence[Message]) -> tuple[Message, ...]:
    """What an arm is shown of a conversation: the policy's summaries or not, and the form where it is prompted.

    The form is the same in every case, so that all of them share it as their beginning.
    """
    summaries = summary_view(run.policy) if ARMS[arm].summaries else None
    clauses = list(run.policy.clauses.values()) if summaries else ()
    return compose_request(add_summaries(turns, summaries), run.templates, reasoning, clauses)


def finish(folder: StageFolder, samples: Sequence[ScoredSample], outputs: Sequence[str], extra: dict[str, int]) -> None:
    """Write the samples and finish; `extra` joins the counts."""
    write_rows(folder.dir / SAMPLES, map(to_row, samples))
    for drawn in DRAWN:
        (folder.dir / drawn).unlink(missing_ok=True)
    unscored = sum(sample.unscored for sample in samples)
    folder.finish(outputs, {"samples": len(samples), **count(samples), "unscored": unscored} | extra)


def read_samples(run_root: Path, arm: str) -> list[ScoredSample]:
    """What an evaluated arm answered, in the order of the cases."""
    return [from_row(row) for row in read_rows(run_root / "evaluate" / arm / SAMPLES)]
