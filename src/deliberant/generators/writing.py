"""Prompts that a model writes, from prompt files beside those of the judge; each job asks for one prompt.

The model reasons first and closes with one line, `prompt: ...`; its think block is not read, the last such line
counts. What it does not give (it declines, babbles, is cut) is malformed, counted and kept among the rejects.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from deliberant.files import Row
from deliberant.generators.types import Made, Settled, settle
from deliberant.journal import forget, in_chunks
from deliberant.judge.answers import answer_of
from deliberant.judge.judge import request_seed
from deliberant.judge.labelling import Labeller
from deliberant.judge.labels import Categories, Label, label_of
from deliberant.models.types import Request, Sampler, Sampling
from deliberant.progress import Progress
from deliberant.prompts.types import Message, Prompt

PROMPT = re.compile(r"(?im)^[ \t*\"'`]*prompt[ \t*\"'`]*:\**(?P<text>.*)$")
CATEGORY = re.compile(r"(?im)^[ \t*\"'`]*categor(?:y|ies)[ \t*\"'`]*:(?P<names>.*)$")
QUOTES = {'"': '"', "'": "'", "`": "`", "“": "”", "**": "**"}


@dataclass(frozen=True)
class Job:
    """One prompt to ask for: what the model is `shown`, and the `frame` whose last turn and id its text completes.

    `says`: the model names the category, too, and the frame's does not hold.
    """

    generator: str
    of: str
    shown: tuple[Message, ...]
    frame: Prompt
    index: int = 0
    hints: int = 0
    says: bool = False


def write(
    jobs: Sequence[Job],
    sampler: Sampler,
    sampling: Sampling,
    labeller: Labeller,
    existing: Iterable[Prompt],
    threshold: float,
    to: Path,
    chunk: int,
    seed: int,
    progress: Progress,
) -> Settled:
    """Asks `sampler` for every job's prompt and settles them, `labeller` reading what is no duplicate.

    Killed, it resumes from its journals beside `to`; whoever wrote `to` deletes them (`forget_journals`). UserError
    where they were begun with other inputs.
    """
    writing, reading = _journals(to)
    made = written(jobs, sampler, sampling, labeller, writing, chunk, seed, progress)
    return settle(made, existing, threshold, lambda prompts: read(prompts, labeller, reading, chunk, progress))


def forget_journals(to: Path) -> None:
    """Delete the journals of prompts that are now in `to`."""
    for path in _journals(to):
        forget(path)


def _journals(to: Path) -> tuple[Path, Path]:
    return to.with_name(f"{to.stem}.written.jsonl"), to.with_name(f"{to.stem}.read.jsonl")


def written(
    jobs: Sequence[Job],
    sampler: Sampler,
    sampling: Sampling,
    labeller: Labeller,
    journal: Path,
    chunk: int,
    seed: int,
    progress: Progress,
) -> list[Made]:
    """What came of each job, in order. Killed, it resumes from `journal`; UserError where that was begun otherwise."""

    def work(todo: Sequence[Job]) -> list[Row]:
        requests = [Request(job.shown, request_seed(seed, job.shown, job.index, 0)) for job in todo]
        drawn = sampler.sample(requests, sampling)
        return [_row(*answer_of(completion, sampler.prefilled), completion.text) for completion in drawn]

    inputs = {"jobs": [asdict(job) for job in jobs], "model": sampler.identity, "sampling": sampling, "seed": seed}
    rows = in_chunks(journal, inputs, jobs, chunk, work, progress, "write")
    return [_made(job, row, labeller) for job, row in zip(jobs, rows, strict=True)]


def read(prompts: Sequence[Prompt], labeller: Labeller, journal: Path, chunk: int, progress: Progress) -> list[Label]:
    """The labeller's labels; killed, it resumes from `journal`."""

    def work(some: Sequence[Prompt]) -> list[Row]:
        return [asdict(label) for label in labeller.read(some)]

    inputs = {"prompts": list(prompts), "labeller": labeller.inputs}
    rows = in_chunks(journal, inputs, prompts, chunk, work, progress, "check")
    return [label_of(row) for row in rows]


def last_prompt(answer: str) -> str:
    """The text of the last `prompt:` line, without quotation marks around it; "" where there is none."""
    found = [match["text"].strip() for match in PROMPT.finditer(answer)]
    text = found[-1] if found else ""
    for opening, closing in QUOTES.items():
        if len(text) > len(opening + closing) and text.startswith(opening) and text.endswith(closing):
            inner = text[len(opening) : -len(closing)]
            text = inner.strip() if opening not in inner and closing not in inner else text
    return text


def last_category(answer: str, labeller: Labeller) -> Categories | None:
    """What the last on-menu `category:` line names; None where there is none."""
    named = [labeller.rule.categories(match["names"]) for match in CATEGORY.finditer(answer)]
    return next((categories for categories in reversed(named) if categories is not None), None)


def _row(answer: str, why: str | None, text: str) -> Row:
    return {"answer": answer, "why": why, "text": text}


def _made(job: Job, row: Row, labeller: Labeller) -> Made:
    text, categories = last_prompt(row["answer"]), job.frame.categories
    why = row["why"] if row["why"] is not None else None if text else "no prompt line"
    if why is None and job.says:
        named = last_category(row["answer"], labeller)
        why, categories = ("no category line", categories) if named is None else (None, named)
    if why is not None:
        return Made(job.generator, job.of, job.frame.family, None, why, row["text"])
    turns = (*job.frame.messages[:-1], Message(role="user", content=text))
    made = replace(job.frame, messages=turns, categories=categories)
    return Made(job.generator, job.of, job.frame.family, made, hints=job.hints)
