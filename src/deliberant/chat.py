"""One turn with an arm of a run, as `deliberant chat` shows it."""

from collections.abc import Sequence

from rich.console import Console

from deliberant.console import print_stream
from deliberant.policy import cited, summary_view
from deliberant.prompts import Message
from deliberant.run import Run


def answer(run: Run, arm: str, turns: Sequence[Message]) -> str:
    """Stream the arm's reply, then show each clause it cited, from the run's own policy; returns the answer."""
    sampler = run.sampler(arm)
    if arm == "base+spec":
        turns = [Message(role="system", content=summary_view(run.policy)), *turns]
    pieces = sampler.stream(turns, run.recipe.evaluate.sampling, run.recipe.seed)
    parts = print_stream(pieces, sampler.prefilled)
    notes = Console(stderr=True, highlight=False, soft_wrap=True)
    if not parts.complete:
        notes.print("no answer: the reasoning was not closed properly", style="red")
    for id in dict.fromkeys(cited(f"{parts.reasoning} {parts.answer}")):
        clause = run.policy.clauses.get(id)
        text = f"{clause.title} → {clause.style}. {clause.text}".strip() if clause else "is not a clause of this policy"
        notes.print(f"[{id}] {text}", markup=False)
    return parts.answer
