"""Prompt sets and evaluation cases as JSONL, one object per line.

A prompt: {"id", "messages": [{"role", "content"}], "category", "family"}; optional: "hints": [{"source", "style"}].
A case has the same keys and "truth": {"style", "clause", "harmful"}, "suite" and, optionally, "plain".
"""

import json
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError

from deliberant.errors import UserError
from deliberant.files import write_rows
from deliberant.mistakes import first_mistake
from deliberant.names import nearest
from deliberant.prompts.types import Case, Hint, Message, Prompt, Style, Truth


def _sound(text: str) -> str:
    if not text.strip():
        raise ValueError("is blank; write some text")
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise ValueError("holds half a surrogate pair, which is no character; repair that escape")
    return text


def _ends_on_user(messages: list["_Message"]) -> list["_Message"]:
    if not messages or messages[-1].role != "user":
        raise ValueError("must end on a user turn; remove what follows the last one")
    return messages


Text = Annotated[str, AfterValidator(_sound)]


class _Row(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class _Message(_Row):
    role: Literal["system", "user", "assistant", "tool"]
    content: Text


class _Hint(_Row):
    source: Text
    style: Style


class _PromptRow(_Row):
    id: Text
    messages: Annotated[list[_Message], AfterValidator(_ends_on_user)]
    category: Text | None
    family: Text
    hints: list[_Hint] = []

    def prompt(self) -> Prompt:
        return Prompt(
            id=self.id,
            messages=tuple(Message(role=message.role, content=message.content) for message in self.messages),
            category=self.category,
            family=self.family,
            hints=tuple(Hint(hint.source, hint.style) for hint in self.hints),
        )


class _Truth(_Row):
    style: Style
    clause: Text | None
    harmful: bool


class _CaseRow(_PromptRow):
    truth: _Truth
    suite: Text
    plain: Text | None = None

    def case(self) -> Case:
        truth = Truth(self.truth.style, self.truth.clause, self.truth.harmful)
        return Case(self.prompt(), truth, self.suite, self.plain)


AnyRow = TypeVar("AnyRow", bound=_PromptRow)


def read_prompts(path: Path, categories: Collection[str] | None = None) -> list[Prompt]:
    """The prompts of a JSONL file, in order; `categories`, where given, are the ones the policy has.

    UserError with file:line for anything unknown, missing, blank, duplicated or not ending on a user turn.
    """
    return [row.prompt() for row in _rows(path, _PromptRow, categories, None)]


def read_cases(
    path: Path, categories: Collection[str] | None = None, clauses: Collection[str] | None = None
) -> list[Case]:
    """The evaluation cases of a JSONL file; UserError as in `read_prompts`, and for a clause not among `clauses`."""
    return [row.case() for row in _rows(path, _CaseRow, categories, clauses)]


def write_prompts(path: Path, prompts: Iterable[Prompt]) -> None:
    """The JSONL that `read_prompts` reads, written atomically."""
    write_rows(path, map(_prompt_row, prompts))


def write_cases(path: Path, cases: Iterable[Case]) -> None:
    """The JSONL that `read_cases` reads, written atomically."""
    write_rows(
        path,
        ({**_prompt_row(case.prompt), "truth": case.truth, "suite": case.suite, "plain": case.plain} for case in cases),
    )


def assert_families_disjoint(train: Iterable[Prompt], held_out: Iterable[Prompt]) -> None:
    """UserError naming the first family that is trained on and measured: an original and its rewrites stay together."""
    trained = {prompt.family: prompt.id for prompt in train}
    for prompt in held_out:
        if prompt.family in trained:
            raise UserError(
                f"family '{prompt.family}' is in training (prompt {trained[prompt.family]}) and in evaluation (case "
                f"{prompt.id}); move the whole family to one side"
            )


def _prompt_row(prompt: Prompt) -> dict[str, Any]:
    return {
        "id": prompt.id,
        "messages": prompt.messages,
        "category": prompt.category,
        "family": prompt.family,
        "hints": prompt.hints,
    }


def _rows(
    path: Path, kind: type[AnyRow], categories: Collection[str] | None, clauses: Collection[str] | None
) -> Iterator[AnyRow]:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: can not read the prompts ({error.strerror}); check the path") from error
    seen: dict[str, int] = {}
    for number, line in enumerate(data.split(b"\n"), start=1):
        if not line.strip():
            continue
        here = f"{path}:{number}"
        row = _row(line, kind, here)
        if row.id in seen:
            raise UserError(f"{here}: id '{row.id}' is already that of line {seen[row.id]}; give it another")
        seen[row.id] = number
        _known(here, "category", row.category, categories)
        if isinstance(row, _CaseRow):
            _known(here, "clause", row.truth.clause, clauses)
        yield row


def _row(line: bytes, kind: type[AnyRow], here: str) -> AnyRow:
    try:
        return kind.model_validate(json.loads(line, object_pairs_hook=_no_duplicates))
    except ValidationError as error:
        _, what = first_mistake(error, kind)
        raise UserError(f"{here}: {what}") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{here}: is not UTF-8; save the file as UTF-8") from error
    except (ValueError, RecursionError) as error:
        raise UserError(f"{here}: is no JSON object ({error}); write one object per line") from error


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"key '{key}' is given twice")
        found[key] = value
    return found


def _known(here: str, what: str, name: str | None, known: Collection[str] | None) -> None:
    if known is not None and name is not None and name not in known:
        raise UserError(f"{here}: {what} '{name}' is not in the policy; {nearest(name, sorted(known))}")
