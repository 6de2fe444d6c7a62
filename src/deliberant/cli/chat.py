"""One turn with an arm of a run, as `deliberant chat` shows it, or as one object."""

import time
from collections.abc import Iterator, Sequence
from typing import Any

from rich.console import Console

from deliberant.cli.console import print_stream
from deliberant.models import Parts, Request, Sampler
from deliberant.policy import find_citations
from deliberant.prompts import Message
from deliberant.run.run import Run
from deliberant.stages.answers import messages_for_arm


def reply(run: Run, arm: str, turns: Sequence[Message], show: bool) -> dict[str, Any]:
    """The arm's reply as one object, streamed as it comes where it is to be `show`n.

    A cited clause that the policy does not have has neither title nor style. `seconds`: from here, the model being
    loaded, to its first text and to the end.
    """
    sampler = run.sampler(arm)
    began = time.perf_counter()
    seconds: list[float] = []

    def timed() -> Iterator[Parts]:
        for parts in _stream(run, arm, sampler, turns):
            seconds.append(time.perf_counter() - began)
            yield parts

    parts = print_stream(timed()) if show else list(timed())[-1]
    ids = dict.fromkeys(find_citations(f"{parts.reasoning} {parts.answer}"))
    clauses = {id: run.policy.clauses.get(id) for id in ids}
    if show:
        notes = Console(stderr=True, highlight=False, soft_wrap=True)
        if not parts.complete:
            notes.print("no answer: the reasoning was not closed properly", style="red")
        elif not ids:
            notes.print("(cites no clause)", style="dim")
        for id, clause in clauses.items():
            says = f"{clause.title} → {clause.style}. {clause.text}" if clause else "is not a clause of this policy"
            notes.print(f"[{id}] {says.strip()}", markup=False)
    return {
        **{"arm": arm, "reasoning": parts.reasoning, "answer": parts.answer, "complete": parts.complete},
        "clauses": [
            {"id": id, "title": clause and clause.title, "style": clause and clause.style}
            for id, clause in clauses.items()
        ],
        "seconds": {"first": round(seconds[0], 3), "all": round(seconds[-1], 3)},
    }


def _stream(run: Run, arm: str, sampler: Sampler, turns: Sequence[Message]) -> Iterator[Parts]:
    turns = messages_for_arm(run, arm, sampler.reasoning, turns)
    sampling, seed = run.recipe.evaluate.sampling, run.recipe.seed
    if stream := getattr(sampler, "stream", None):
        yield from stream(turns, sampling, seed)
    else:
        [said] = sampler.sample([Request(turns, seed)], sampling)
        yield Parts(said.reasoning, said.answer, said.complete)
