"""Prompts that a model writes, from prompt files beside those of the judge; each job asks for one prompt.

The model reasons first and closes with what it was asked for, a line `prompt: ...` or turns; `reading` says how that is
read. What it does not give (it declines, babbles, is cut) is malformed, counted and kept among the rejects.
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal

from deliberant.generators.reading import last_category, last_prompt, lead_up, repeats_what_was_shown
from deliberant.generators.types import Made, Settled, settle
from deliberant.judge.judge import request_seed
from deliberant.judge.labelling import Labeller
from deliberant.judge.labels import Label, label_of
from deliberant.models.types import Request, Sampler, Sampling
from deliberant.prompts.types import Message, Prompt
from deliberant.util.files import Row, name_beside
from deliberant.util.journal import delete_journal, in_chunks
from deliberant.util.progress import Progress

ECHO = "echoes what it was shown"


@dataclass(frozen=True)
class Job:
    """One prompt to ask for: what the model is `shown`, and the `frame` that what it writes completes.

    `asks`: for the last turn ("prompt"), for that and its category, since the frame's does not hold ("twin"), or for
    the turns before the last one ("lead-up").
    """

    generator: str
    of: str
    shown: tuple[Message, ...]
    frame: Prompt
    index: int = 0
    hints: int = 0
    asks: Literal["prompt", "twin", "lead-up"] = "prompt"


def write(
    jobs: Sequence[Job],
    sampler: Sampler,
    sampling: Sampling,
    labeller: Labeller | None,
    existing: Iterable[Prompt],
    threshold: float,
    to: Path,
    chunk: int,
    seed: int,
    progress: Progress,
) -> Settled:
    """Asks `sampler` for every job's prompt and settles them, `labeller`, if any, reading what is no duplicate.

    Killed, it resumes from its journals beside `to`; whoever wrote `to` deletes them (`forget_journals`). UserError
    where they were begun with other inputs.
    """
    writing, reading = _journals(to)

    def ask(some: Sequence[Job]) -> list[Row]:
        requests = [Request(job.shown, request_seed(seed, job.shown, job.index, 0)) for job in some]
        drawn = sampler.sample(requests, sampling)
        return [{"answer": each.answer, "why": each.missing, "text": each.text} for each in drawn]

    def read(prompts: Sequence[Prompt]) -> list[Label]:
        def label(some: Sequence[Prompt]) -> list[Row]:
            return [asdict(each) for each in labeller.read(some)] if labeller else []

        inputs = {"prompts": list(prompts), "labeller": labeller and labeller.inputs}
        return [label_of(row) for row in in_chunks(reading, inputs, prompts, chunk, label, progress, "check")]

    inputs = {"jobs": [asdict(job) for job in jobs], "model": sampler.identity, "sampling": sampling, "seed": seed}
    rows = in_chunks(writing, inputs, jobs, chunk, ask, progress, "write")
    made = [_made(job, row, labeller) for job, row in zip(jobs, rows, strict=True)]
    return settle(made, existing, threshold, read if labeller else None)


def forget_journals(to: Path) -> None:
    """Delete the journals of prompts that are now in `to`."""
    for path in _journals(to):
        delete_journal(path)


def _journals(to: Path) -> tuple[Path, Path]:
    return name_beside(to, "written.jsonl"), name_beside(to, "read.jsonl")


def _made(job: Job, row: Row, labeller: Labeller | None) -> Made:
    prompt, why = (None, row["why"]) if row["why"] is not None else _completed(job, row["answer"], labeller)
    if prompt is None:
        return Made(job.generator, job.of, job.frame.family, None, why, row["text"])
    return Made(job.generator, job.of, job.frame.family, prompt, hints=job.hints)


def _completed(job: Job, answer: str, labeller: Labeller | None) -> tuple[Prompt | None, str | None]:
    """The job's prompt, or None and why there is none."""
    *before, last = job.frame.messages
    shown = "\n".join(message["content"] for message in job.shown)
    if job.asks == "lead-up":
        turns, why = lead_up(answer, last["content"])
        if why is None and any(repeats_what_was_shown(turn["content"], shown) for turn in turns):
            why = ECHO
        return (None, why) if why is not None else (replace(job.frame, messages=(*before, *turns, last)), None)
    text, categories = last_prompt(answer), job.frame.categories
    if not text:
        return None, "no prompt line"
    if repeats_what_was_shown(text, shown):
        return None, ECHO
    if job.asks == "twin":
        assert labeller is not None, "a twin's category is checked"
        named = last_category(answer, labeller.rule.categories)
        if named is None:
            return None, "no category line"
        categories = named
    return replace(job.frame, messages=(*before, Message(role="user", content=text)), categories=categories), None
