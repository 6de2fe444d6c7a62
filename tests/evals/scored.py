"""Scored samples for the tests of metrics and report."""

from typing import Any

from deliberant.evals import ScoredSample
from deliberant.policy import Category, Clause, Guideline, Policy
from deliberant.prompts.types import Case, Message, Prompt, Style, Truth

POLICY = Policy(
    name="garden",
    version="1",
    intro="",
    styles=(Guideline("refuse", "be brief"), Guideline("comply", "be useful")),
    categories=(
        Category(
            "fire", "Fire", "burning", clauses=(Clause("F1", "arson", "refuse"), Clause("F2", "hearth", "comply"))
        ),
        Category("tools", "Tools", "sharp", clauses=(Clause("T1", "pruning", "safe_complete"),)),
    ),
)


def case(
    name: str = "p",
    style: Style = "refuse",
    clause: str | None = "F1",
    harmful: bool = True,
    category: str | None = "fire",
    suite: str = "unseen",
    text: str = "burn it",
    plain: str | None = None,
) -> Case:
    prompt = Prompt(name, (Message(role="user", content=text),), (category,) if category else (), f"family of {name}")
    return Case(prompt, Truth(style, clause, harmful), suite, plain)


def scored(
    read: Style | None,
    *,
    arm: str = "sft",
    reasoning: str = "",
    cited: tuple[str, ...] = (),
    answer: str = "an answer",
    complete: bool = True,
    stop: str = "stop",
    of: Case | None = None,
    judged: bool | None = None,
    **about: Any,
) -> ScoredSample:
    return ScoredSample(
        arm,
        of or case(**about),
        reasoning,
        answer,
        complete,
        stop,
        cited,
        read,
        read is not None if judged is None else judged,
    )


def cut(**about: Any) -> ScoredSample:
    """A completion that ran into the token limit while still reasoning."""
    return scored(None, answer="", complete=False, stop="length", **about)
