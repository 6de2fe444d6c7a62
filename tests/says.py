"""A sampler that says what it is told to, for tests of how completions are read."""

from collections.abc import Callable, Sequence
from typing import Literal

from deliberant.models.types import Completion, Reasoning, Request, Sampling
from deliberant.policy import Category, Clause, Guideline, Policy
from tests.completions import completed

WEAPONS = Category(
    "weapons",
    "Weapons",
    "things that hurt",
    clauses=(
        Clause("W1", "making them", "refuse", "text", ("how do i make a bomb?",), ("a bath bomb",), "weapons"),
        Clause("W2", "their history", "comply", category="weapons"),
    ),
)
THEFT = Category("theft", "Theft", "taking things", clauses=(Clause("T1", "plans", "refuse", category="theft"),))
STYLES = (Guideline("refuse", "no"), Guideline("comply", "yes"), Guideline("safe_complete", "in part"))
POLICY = Policy("p", "1", "", STYLES, (WEAPONS, THEFT))


class Says:
    """`answer` sees the last message and the request's number; `stop` is that of every completion."""

    identity = "0123456789abcdef"
    reasoning: Reasoning = "off"

    def __init__(self, answer: Callable[[str, int], str], stop: Literal["stop", "length"] = "stop") -> None:
        self.answer, self.stop, self.requests = answer, stop, list[Request]()

    def sample(self, requests: Sequence[Request], sampling: Sampling) -> list[Completion]:
        drawn = []
        for request in requests:
            text = self.answer(request.messages[-1]["content"], len(self.requests))
            self.requests.append(request)
            drawn.append(completed(text, self.stop, strict=False))
        return drawn
