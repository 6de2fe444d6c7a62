"""From a model's completions to the categories of a prompt.

How a completion is read belongs to the prompt file that asked for it, so it stands beside it: `label.yaml`. By the
default rule the model reasons first and closes with a line `category: ID, ID` or `category: none`; its own think block
is not read, and the last line that names categories of the policy and nothing else wins. What cannot be read is
*unscored* with a reason: never "none", which is a category like any other here.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, TypeAdapter

from deliberant.judge.rules import Pattern
from deliberant.models.types import Completion
from deliberant.templates.loader import Templates
from deliberant.util.errors import UserError
from deliberant.util.yaml import read_model

FILE = "label.yaml"
NONE = "none"
"""What a model says of a prompt outside every category."""
MARKS = " \t*\"'`.[]"

Categories = tuple[str, ...]


@dataclass(frozen=True)
class Reading:
    """One reading. Exactly one of `categories`, () for none, and `unscored` (the reason, a few words) is set."""

    categories: Categories | None
    unscored: str | None
    text: str

    def __post_init__(self) -> None:
        assert (self.categories is None) != (self.unscored is None), "a reading names categories or says why not"


@dataclass(frozen=True)
class Label:
    """What most readings say: `share` of all k agree, unscored ones do not. None, and why, without a majority."""

    categories: Categories | None
    share: float
    unscored: str | None
    readings: tuple[Reading, ...]


LABEL = TypeAdapter(Label)


class _RuleFile(BaseModel):
    model_config = ConfigDict(extra="forbid")

    part: Literal["answer", "reasoning"]
    pattern: Pattern


class Rule:
    """Reads completions by the `label.yaml` of a folder of prompt files; `menu` are the policy's category ids."""

    def __init__(self, templates: Templates, menu: Sequence[str]) -> None:
        """UserError naming the file where it is missing, no rule, or holds no regular expression with `names`."""
        where = templates.folder / FILE
        if FILE not in templates.files:
            raise UserError(f"{where}: is missing; copy the one of the default prompt files")
        if NONE in menu:
            raise UserError(f"the policy has a category '{NONE}', which here means no category; give it another id")
        rule, _ = read_model(where, _RuleFile, templates.files[FILE])
        self.part, self.pattern, self.menu = rule.part, rule.pattern, tuple(menu)

    def read(self, completion: Completion) -> Reading:
        """One completion as a reading; never raises, whatever the text."""
        if completion.missing:
            return Reading(None, completion.missing, completion.text.strip())
        text = completion.answer if self.part == "answer" else completion.reasoning
        written = [match["names"] or "" for match in self.pattern.finditer(text)]
        named = [categories for names in written if (categories := self.categories(names)) is not None]
        if named:
            return Reading(named[-1], None, text)
        return Reading(None, f"off-menu category {written[-1].strip()[:24]!r}" if written else "no category", text)

    def categories(self, names: str) -> Categories | None:
        """`a, b` or `none` as categories in the policy's order; None where anything else is named."""
        known = {id.casefold(): id for id in self.menu}
        folded = [name.strip(MARKS).casefold() for name in names.split(",")]
        if folded == [NONE]:
            return ()
        chosen = {known[name] for name in folded if name in known}
        return tuple(id for id in self.menu if id in chosen) if all(name in known for name in folded) else None


def majority(readings: Sequence[Reading]) -> Label:
    """The categories that more than half of all readings name, as a set; unscored ones count against."""
    named = Counter(reading.categories for reading in readings if reading.categories is not None)
    best, votes = named.most_common(1)[0] if named else (None, 0)
    share = votes / len(readings)
    if votes * 2 > len(readings):
        return Label(best, share, None, tuple(readings))
    reasons = Counter(reading.unscored for reading in readings if reading.unscored is not None)
    why = "no majority" if named else reasons.most_common(1)[0][0]
    return Label(None, share, why, tuple(readings))


def label_of(row: dict[str, Any]) -> Label:
    """A label that went through JSON."""
    return LABEL.validate_python(row)
