"""One line of a prompt file: its schema, strict about what is unknown, missing, blank or given twice.

A prompt: {"id", "messages": [{"role", "content"}], "family"} and either "category": a name or null, or "categories": a
list. Optional: "hints": [{"source", "style", "confidence", "clause"}], "source", "licence", "framing". A case has the
same keys and "truth": {"style", "clause", "harmful"}, "suite" and, optionally, "plain", "attack" and "language".
"""

import json
from codecs import BOM_UTF8
from typing import Annotated, Any, ClassVar, Literal, Self, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from deliberant.prompts.lines import decode
from deliberant.prompts.types import Case, Hint, Message, Prompt, Style, Truth
from deliberant.util.errors import UserError
from deliberant.util.mistakes import first_mistake
from deliberant.util.names import find_repeated, refuse_half_characters


def _sound(text: str) -> str:
    if not text.strip():
        raise ValueError("is blank; write some text")
    return refuse_half_characters(text)


def _ends_on_user(messages: list["_Message"]) -> list["_Message"]:
    if not messages or messages[-1].role != "user":
        raise ValueError("must end on a user turn; remove what follows the last one")
    return messages


def _unique(names: list[str]) -> list[str]:
    if (twice := find_repeated(names)) is not None:
        raise ValueError(f"name '{twice}' twice; keep one of them")
    return names


Text = Annotated[str, AfterValidator(_sound)]


class _Row(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class _Message(_Row):
    role: Literal["system", "user", "assistant", "tool"]
    content: Text


class _Hint(_Row):
    source: Text
    style: Style
    confidence: Annotated[float, Field(ge=0, le=1)] | None = None
    clause: Text | None = None


class PromptRow(_Row):
    """A line of a prompt file."""

    id: Text
    messages: Annotated[list[_Message], AfterValidator(_ends_on_user)]
    category: Text | None = None
    categories: Annotated[list[Text], AfterValidator(_unique)] = []
    family: Text
    hints: list[_Hint] = []
    source: Text | None = None
    licence: Text | None = None
    framing: Text | None = None

    may_be_unstated: ClassVar[bool] = False

    @property
    def stated(self) -> bool:
        """Whether the line says where the prompt belongs, even if that is outside every category."""
        return bool(self.model_fields_set & {"category", "categories"})

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        given = self.model_fields_set & {"category", "categories"}
        if not given and not self.may_be_unstated:
            raise ValueError("'category' is missing; add it, null for a prompt outside every category")
        if len(given) == 2:
            raise ValueError("'category' and 'categories' are both given; keep one of them")
        if self.category is not None:
            self.categories = [self.category]
        return self

    def prompt(self) -> Prompt:
        return Prompt(
            id=self.id,
            messages=tuple(Message(role=message.role, content=message.content) for message in self.messages),
            categories=tuple(self.categories),
            family=self.family,
            hints=tuple(Hint(**dict(hint)) for hint in self.hints),
            source=self.source,
            licence=self.licence,
            framing=self.framing,
        )


class PartlyLabelledRow(PromptRow):
    """A line of a prompt file that may leave out category and categories: nobody has labelled it yet."""

    may_be_unstated: ClassVar[bool] = True


class _Truth(_Row):
    style: Style
    clause: Text | None
    harmful: bool


class CaseRow(PromptRow):
    """A line of a file of cases."""

    truth: _Truth
    suite: Text
    plain: Text | None = None
    attack: Text | None = None
    language: Text | None = None

    def case(self) -> Case:
        return Case(self.prompt(), Truth(**dict(self.truth)), self.suite, self.plain, self.attack, self.language)


AnyRow = TypeVar("AnyRow", bound=PromptRow)


def prompt_row(prompt: Prompt) -> dict[str, Any]:
    """A prompt as the JSON object that is read back."""
    return dict(vars(prompt))


def case_row(case: Case) -> dict[str, Any]:
    """A case as the JSON object that is read back."""
    how = {"attack": case.attack, "language": case.language}
    stated = {name: each for name, each in how.items() if each is not None}
    return {**prompt_row(case.prompt), "truth": case.truth, "suite": case.suite, "plain": case.plain, **stated}


def validate(value: Any, kind: type[AnyRow], here: str) -> AnyRow:
    """An object as a row. UserError that starts with `here` and names the first mistake."""
    try:
        return kind.model_validate(value)
    except ValidationError as error:
        _, what = first_mistake(error, kind)
        raise UserError(f"{here}: {what}") from error


def json_object(line: bytes, here: str) -> dict[str, Any]:
    """The JSON object on a line. UserError that starts with `here` where there is none, or a key comes twice."""
    if line.startswith(BOM_UTF8):
        raise UserError(f"{here}: begins with a byte order mark, which belongs at the start of a file only; remove it")
    value = json_value(decode(line, here), here)  # json would take bytes, and guess at UTF-16
    if not isinstance(value, dict):
        raise UserError(f"{here}: is not a JSON object; write one object per line")
    return value


def json_value(text: str, here: str) -> Any:
    """What a JSON text says. UserError that starts with `here` where there is none, or a key comes twice."""
    try:
        return json.loads(text, object_pairs_hook=_no_duplicates)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{here}: is not a JSON object ({error}); write one object per line") from error


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        raise ValueError(f"key '{find_repeated(name for name, _ in pairs)}' is given twice")
    return values
