"""Prompts and the ground truth they may be measured against.

`Prompt` is all that a training stage ever holds. `Case` adds the truth and exists for evaluation alone, so that
no stage can read what it is measured against.
"""

from dataclasses import dataclass, field
from typing import Literal, TypedDict

Style = Literal["comply", "refuse", "safe_complete"]
STYLES: tuple[Style, ...] = ("comply", "refuse", "safe_complete")


class Message(TypedDict):
    role: Literal["system", "user", "assistant", "tool"]
    content: str


@dataclass(frozen=True)
class Hint:
    """What another source believes the ideal response style is; possibly wrong, shown to the judge as such."""

    source: str
    style: Style


@dataclass(frozen=True)
class Prompt:
    """A conversation that ends on a user turn, and where it belongs.

    `category` is a policy category id, or None for a harmless prompt outside every category (capability data).
    `family` is the split key: an original and all its rewrites share it.
    """

    id: str
    messages: tuple[Message, ...]
    category: str | None
    family: str
    hints: tuple[Hint, ...] = field(default=())


@dataclass(frozen=True)
class Truth:
    """The response style and clause that the policy asks for; `clause` is None where no clause applies."""

    style: Style
    clause: str | None
    harmful: bool


@dataclass(frozen=True)
class Case:
    """One evaluation prompt with its truth. `suite` is e.g. seen, unseen or encoded; `plain` the decoded request."""

    prompt: Prompt
    truth: Truth
    suite: str
    plain: str | None = None
