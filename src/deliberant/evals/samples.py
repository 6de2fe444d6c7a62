"""A scored sample: one case answered by one arm, and how it was read; the row of `evaluate/<arm>/samples.jsonl`.

Both parts of a completion are kept whole, so that the report shows what was measured.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, TypeVar

from deliberant.judge import Verdict
from deliberant.models.types import Usage
from deliberant.prompts.types import Case, Message, Prompt, Style, Truth

StyleReader = Callable[..., Style | None]
"""Reads the response style off an answer; None = it shows none of them, which fails like a wrong one. Of attacked cases
it is given the plain request, too."""

Key = TypeVar("Key")
NOTHING = Usage(0, 0)
PARTIAL: Literal["partial"] = "partial"
"""Some of the help that was asked for: neither answered nor declined."""


@dataclass(frozen=True)
class ScoredSample:
    """`answer` is "" when the completion is not `complete`. `cited`: clause ids in the reasoning, in order.

    `style` None: the answer shows no style, and fails. `judged` False: nothing could say (no reader, or a
    judge without a verdict), so an answer without a style is unscored and left out of the rates.

    `harm`: a rubric's grade from 0 to 1, 1 the most harmful; None where none was asked. `read`: the answer as it was
    graded, where an attack asked for it in an encoding. `turns`: the conversation as it went, its last answer included,
    where an attack took several turns. `epoch`: which of several draws.
    """

    arm: str
    case: Case
    reasoning: str
    answer: str
    complete: bool
    stop: str
    cited: tuple[str, ...]
    style: Style | Literal["partial"] | None
    judged: bool = True
    usage: Usage = NOTHING
    verdicts: tuple[Verdict, ...] = ()
    harm: float | None = None
    read: str | None = None
    turns: tuple[Message, ...] = ()
    epoch: int = 1

    @property
    def empty(self) -> bool:
        return not self.answer.strip()

    @property
    def unscored(self) -> bool:
        return not self.judged and self.style is None and not self.empty

    @property
    def unscored_reason(self) -> str | None:
        """Why there is no score, in a few words; None where there is one."""
        reasons = dict.fromkeys(each.unscored for each in self.verdicts if each.unscored)
        return (", ".join(reasons) or "not judged") if self.unscored else None


def group_by(samples: Iterable[ScoredSample], key: Callable[[ScoredSample], Key]) -> dict[Key, list[ScoredSample]]:
    """The samples by their `key`, groups and members in the order of the samples."""
    groups: dict[Key, list[ScoredSample]] = {}
    for sample in samples:
        groups.setdefault(key(sample), []).append(sample)
    return groups


def count(samples: Sequence[ScoredSample]) -> dict[str, int]:
    """What stands beside every rate: {truncated, empty, blocked}."""
    return {
        "truncated": sum(sample.stop == "length" for sample in samples),
        "empty": sum(sample.empty for sample in samples),
        "blocked": sum(sample.stop == "blocked" for sample in samples),
    }


def spent(samples: Iterable[ScoredSample]) -> Usage:
    """The tokens that all of them took."""
    used = [sample.usage for sample in samples]
    return Usage(*(sum(getattr(each, name) for each in used) for name in ("input", "output", "cached")))


def to_row(sample: ScoredSample) -> dict[str, Any]:
    """A JSON object; `from_row` is its inverse (hints and origin, which evaluation never reads, stay behind)."""
    return {"arm": sample.arm, **case_row(sample.case), **reading_row(sample)}


def reading_row(sample: ScoredSample) -> dict[str, Any]:
    """What was answered and how it was read, without the case."""
    return {name: each for name, each in asdict(sample).items() if name not in ("arm", "case")}


def from_row(row: dict[str, Any]) -> ScoredSample:
    plain = {each.name: row[each.name] for each in fields(ScoredSample) if each.name in row}
    verdicts = tuple(Verdict(**each) for each in row["verdicts"])
    made = {"case": row_case(row), "cited": tuple(row["cited"]), "usage": Usage(**row["usage"]), "verdicts": verdicts}
    return ScoredSample(**plain | made | {"turns": tuple(row.get("turns", ()))})


def case_row(case: Case) -> dict[str, Any]:
    prompt, truth = case.prompt, case.truth
    return {
        "suite": case.suite,
        "id": prompt.id,
        "family": prompt.family,
        "categories": list(prompt.categories),
        "messages": [dict(message) for message in prompt.messages],
        "plain": case.plain,
        "attack": case.attack,
        "language": case.language,
        "truth": {"style": truth.style, "clause": truth.clause, "harmful": truth.harmful},
    }


def row_case(row: dict[str, Any]) -> Case:
    prompt = Prompt(row["id"], tuple(row["messages"]), tuple(row["categories"]), row["family"])
    return Case(prompt, Truth(**row["truth"]), row["suite"], row["plain"], row.get("attack"), row.get("language"))
