"""What generators make, and the account of it: every prompt that was asked for is kept, or rejected with a reason."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from deliberant.judge.labels import Label
from deliberant.prompts.duplicates import find_duplicates
from deliberant.prompts.similarity import compared_text
from deliberant.prompts.types import Prompt

MALFORMED, DUPLICATE, OFF_CATEGORY, UNSCORED, KEPT = "malformed", "duplicate", "off-category", "unscored", "kept"
OUTCOMES = (MALFORMED, DUPLICATE, OFF_CATEGORY, UNSCORED, KEPT)


@dataclass(frozen=True)
class Made:
    """One prompt that was asked for; exactly one of `prompt` and `malformed` (why there is none) is set.

    `generator`: e.g. `framings:fiction`; `of`: the id of the prompt or clause it was made of; `family` that of the
    prompt; `text` what was written where no prompt came of it; `hints`: of the source's hints, how many were dropped.
    """

    generator: str
    of: str
    family: str
    prompt: Prompt | None
    malformed: str | None = None
    text: str = ""
    hints: int = 0

    def __post_init__(self) -> None:
        assert (self.prompt is None) != (self.malformed is None), "what was asked for is made or says why not"


@dataclass
class Settled:
    """`kept` prompts; a row for each reject; `outcomes`: generator -> (outcome, family) of each prompt asked for.

    `hints`: hints of source prompts that were dropped; `skipped` comparisons, see `prompts.duplicates`.
    """

    kept: list[Prompt] = field(default_factory=list)
    rejected: list[dict[str, Any]] = field(default_factory=list)
    outcomes: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    hints: int = 0
    skipped: int = 0


def settle(
    made: Sequence[Made],
    existing: Iterable[Prompt],
    threshold: float,
    read: Callable[[Sequence[Prompt]], Sequence[Label]] | None = None,
) -> Settled:
    """Sort what was made, in order: malformed, duplicate, then, where `read` is given, by what a labeller says.

    Duplicate is what is as similar as `threshold` says to one of `existing` or to one made before it. A prompt keeps
    its place where the labeller names every category it was made for (none at all, if that is what it was made for);
    categories that the labeller names besides are added. Without a label it is unscored: counted, never kept.
    """
    settled = Settled(hints=sum(each.hints for each in made))
    fates: dict[int, tuple[str, str]] = {}
    prompts: dict[int, Prompt] = {}
    for place, each in enumerate(made):
        if each.prompt is not None:
            prompts[place] = each.prompt
        else:
            fates[place] = (MALFORMED, each.malformed or "")
    places = list(prompts)
    everything = [*existing, *prompts.values()]
    start = len(everything) - len(prompts)
    alike = find_duplicates([compared_text(prompt.messages) for prompt in everything], threshold, start)
    settled.skipped = alike.skipped
    for match in alike.matches.values():
        like = everything[match.other].id
        fates[places[match.row - start]] = (DUPLICATE, f"{match.similarity:.4f} like {like}")
    rest = [place for place in places if place not in fates]
    for place, label in zip(rest, read([prompts[place] for place in rest]) if read and rest else (), strict=False):
        wanted = prompts[place].categories
        if label.categories is None:
            fates[place] = (UNSCORED, label.unscored or "")
        elif not set(wanted) <= set(label.categories) or (label.categories and not wanted):
            fates[place] = (OFF_CATEGORY, f"read as {', '.join(label.categories) or 'none'}")
        else:
            prompts[place] = replace(prompts[place], categories=label.categories)
    for place, each in enumerate(made):
        outcome, detail = fates.get(place, (KEPT, ""))
        settled.outcomes.setdefault(each.generator, []).append((outcome, each.family))
        if outcome == KEPT:
            settled.kept.append(prompts[place])
        else:
            settled.rejected.append(_reject(each, outcome, detail))
    assert len(settled.kept) + len(settled.rejected) == len(made), "what was asked for is kept or rejected"
    return settled


def _reject(made: Made, why: str, detail: str) -> dict[str, Any]:
    messages = made.prompt.messages if made.prompt else None
    row = {"generator": made.generator, "of": made.of, "why": why, "detail": detail, "text": made.text}
    return {**row, "id": made.prompt.id if made.prompt else None, "messages": messages}
