"""A scored sample: one case answered by one arm, read mechanically; the row of `evaluate/<arm>/samples.jsonl`.

Both parts of a completion are kept whole, so that the report shows what was measured.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from deliberant.prompts.types import Case, Prompt, Style, Truth

StyleReader = Callable[[str], Style | None]
"""Reads the response style off an answer; None = it shows none of them, which fails like a wrong one."""


@dataclass(frozen=True)
class ScoredSample:
    """`answer` is "" when the completion is not `complete`. `cited`: clause ids in the reasoning, in order.

    `style` None: the answer shows no style, and fails. `judged` False: nothing could say (no reader, or a
    judge without a verdict), so an answer without a style is unscored and left out of the rates.
    """

    arm: str
    case: Case
    reasoning: str
    answer: str
    complete: bool
    stop: str
    cited: tuple[str, ...]
    style: Style | None
    judged: bool = True

    @property
    def empty(self) -> bool:
        return not self.answer.strip()

    @property
    def unscored(self) -> bool:
        return not self.judged and self.style is None and not self.empty


def to_row(sample: ScoredSample) -> dict[str, Any]:
    """A JSON object; `from_row` is its inverse (hints and origin, which evaluation never reads, stay behind)."""
    return {
        "arm": sample.arm,
        **case_row(sample.case),
        "reasoning": sample.reasoning,
        "answer": sample.answer,
        "complete": sample.complete,
        "stop": sample.stop,
        "cited": list(sample.cited),
        "style": sample.style,
        "judged": sample.judged,
    }


def from_row(row: dict[str, Any]) -> ScoredSample:
    return ScoredSample(
        arm=row["arm"],
        case=row_case(row),
        reasoning=row["reasoning"],
        answer=row["answer"],
        complete=row["complete"],
        stop=row["stop"],
        cited=tuple(row["cited"]),
        style=row["style"],
        judged=row["judged"],
    )


def case_row(case: Case) -> dict[str, Any]:
    prompt, truth = case.prompt, case.truth
    return {
        "suite": case.suite,
        "id": prompt.id,
        "family": prompt.family,
        "categories": list(prompt.categories),
        "messages": [dict(message) for message in prompt.messages],
        "plain": case.plain,
        "truth": {"style": truth.style, "clause": truth.clause, "harmful": truth.harmful},
    }


def row_case(row: dict[str, Any]) -> Case:
    prompt = Prompt(row["id"], tuple(row["messages"]), tuple(row["categories"]), row["family"])
    return Case(prompt, Truth(**row["truth"]), row["suite"], row["plain"])
