"""Prompts and the ground truth they may be measured against.

`Prompt` is all that a training stage ever holds. `Case` adds the truth and exists for evaluation alone, so that
no stage can read what it is measured against.
"""

from dataclasses import dataclass
from typing import Literal, TypedDict

Style = Literal["comply", "refuse", "safe_complete"]
STYLES: tuple[Style, ...] = ("comply", "refuse", "safe_complete")


class Message(TypedDict):
    role: Literal["system", "user", "assistant", "tool"]
    content: str


@dataclass(frozen=True)
class Hint:
    """What another source believes the ideal response style is; it may be wrong, and the judge is told so.

    `confidence` is the source's own, from 0 to 1; `clause` is the policy's clause that it believes applies; None where
    it states none.
    """

    source: str
    style: Style
    confidence: float | None = None
    clause: str | None = None


@dataclass(frozen=True)
class Prompt:
    """A conversation that ends on a user turn, and where it belongs.

    `categories` are the ids of all policy categories that it touches, () for a harmless prompt outside all of them
    (capability data). `family` is the split key: an original and all its rewrites share it. `source` names the data set
    it came from, `licence` that set's terms, `framing` how it asks (plain, fiction, encoded, ...); None: not stated.
    """

    id: str
    messages: tuple[Message, ...]
    categories: tuple[str, ...]
    family: str
    hints: tuple[Hint, ...] = ()
    source: str | None = None
    licence: str | None = None
    framing: str | None = None

    def __post_init__(self) -> None:
        assert isinstance(self.categories, tuple), "one category is a tuple of one, not its letters"


@dataclass(frozen=True)
class Truth:
    """The response style and clause that the policy asks for; `clause` is None where no clause applies."""

    style: Style
    clause: str | None
    harmful: bool


@dataclass(frozen=True)
class Case:
    """One evaluation prompt with its truth. `suite` is e.g. seen, unseen or encoded; `plain` the decoded request.

    `attack` names the attack that asks it: its id is then "<id of the case before>@<attack>", and `plain` the request
    as it was. `language`: a tag such as "fr", where the set has several.
    """

    prompt: Prompt
    truth: Truth
    suite: str
    plain: str | None = None
    attack: str | None = None
    language: str | None = None

    @property
    def origin(self) -> str:
        """The id of the case before the attack; its own where nothing attacks."""
        return self.prompt.id.removesuffix(f"@{self.attack}")
