"""One turn with an arm of a run, as `deliberant chat` shows it, or as one object."""

import time
from collections.abc import Iterator, Sequence
from typing import Any

from rich.console import Console

from deliberant.cli.console import print_stream
from deliberant.models import Parts, Request, Sampler
from deliberant.policy import Clause, cited
from deliberant.prompts import Message
from deliberant.run.run import Run
from deliberant.stages.evaluate import given


def answer(run: Run, arm: str, turns: Sequence[Message]) -> str:
    """Stream the arm's reply, then show each clause it cited, from the run's own policy; returns the answer."""
    sampler = run.sampler(arm)
    parts = print_stream(_stream(run, arm, sampler, turns))
    notes = Console(stderr=True, highlight=False, soft_wrap=True)
    if not parts.complete:
        notes.print("no answer: the reasoning was not closed properly", style="red")
    for id, clause in _clauses(run, parts).items():
        text = f"{clause.title} → {clause.style}. {clause.text}".strip() if clause else "is not a clause of this policy"
        notes.print(f"[{id}] {text}", markup=False)
    return parts.answer


def reply(run: Run, arm: str, turns: Sequence[Message]) -> dict[str, Any]:
    """The same as one JSON object; a clause that the policy does not have has neither title nor style.

    `seconds`: from here, the model being loaded, to its first text and to the end.
    """
    sampler = run.sampler(arm)
    began = time.perf_counter()
    said = [(parts, time.perf_counter() - began) for parts in _stream(run, arm, sampler, turns)]
    parts = said[-1][0]
    return {
        "arm": arm,
        "reasoning": parts.reasoning,
        "answer": parts.answer,
        "complete": parts.complete,
        "clauses": [
            {"id": id, "title": clause and clause.title, "style": clause and clause.style}
            for id, clause in _clauses(run, parts).items()
        ],
        "seconds": {"first": round(said[0][1], 3), "all": round(said[-1][1], 3)},
    }


def _stream(run: Run, arm: str, sampler: Sampler, turns: Sequence[Message]) -> Iterator[Parts]:
    turns = given(run, arm, sampler.reasoning, turns)
    sampling, seed = run.recipe.evaluate.sampling, run.recipe.seed
    if stream := getattr(sampler, "stream", None):
        yield from stream(turns, sampling, seed)
    else:
        [said] = sampler.sample([Request(turns, seed)], sampling)
        yield Parts(said.reasoning, said.answer, said.complete)


def _clauses(run: Run, parts: Parts) -> dict[str, Clause | None]:
    """What the reply cites, in order."""
    ids = dict.fromkeys(cited(f"{parts.reasoning} {parts.answer}"))
    return {id: run.policy.clauses.get(id) for id in ids}
