"""Prompt sets and evaluation cases as JSONL, one object per line; `rows` has the schema."""

from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

from deliberant.prompts.lines import Line, lines
from deliberant.prompts.rows import (
    AnyRow,
    CaseRow,
    PartlyLabelledRow,
    PromptRow,
    case_row,
    json_object,
    prompt_row,
    validate,
)
from deliberant.prompts.similarity import compared_text
from deliberant.prompts.types import Case, Prompt
from deliberant.util.errors import UserError
from deliberant.util.files import write_rows
from deliberant.util.names import suggest_name


def read_prompts(
    path: Path, categories: Collection[str] | None = None, clauses: Collection[str] | None = None
) -> list[Prompt]:
    """The prompts of a JSONL file, in order; `categories` and `clauses`, where given, are the ones the policy has.

    UserError with file:line for anything unknown, missing, blank, repeated or too long, or not ending on a user turn.
    """
    return [row.prompt() for _, row in iterate_rows(path, PromptRow, categories, clauses)]


def read_partly_labelled(
    path: Path, categories: Collection[str] | None = None, clauses: Collection[str] | None = None
) -> list[tuple[Prompt, bool]]:
    """As `read_prompts`, for rows that may leave out their category; each comes with whether it is stated."""
    return [(row.prompt(), row.stated) for _, row in iterate_rows(path, PartlyLabelledRow, categories, clauses)]


def read_cases(
    path: Path, categories: Collection[str] | None = None, clauses: Collection[str] | None = None
) -> list[Case]:
    """The evaluation cases of a JSONL file; UserError as in `read_prompts`."""
    return [row.case() for _, row in iterate_rows(path, CaseRow, categories, clauses)]


def holds_cases(path: Path) -> bool:
    """Whether a file's first row has a truth. UserError where it is not a JSON object."""
    first = next((line for line in lines(path) if line.data.strip()), None)
    return first is not None and "truth" in json_object(first.data, f"{path}:{first.number}")


def write_prompts(path: Path, prompts: Iterable[Prompt]) -> None:
    """The JSONL that `read_prompts` reads, written atomically."""
    write_rows(path, map(prompt_row, prompts))


def write_cases(path: Path, cases: Iterable[Case]) -> None:
    """The JSONL that `read_cases` reads, written atomically."""
    write_rows(path, map(case_row, cases))


def assert_families_disjoint(train: Iterable[Prompt], held_out: Iterable[Prompt], file: Path | None = None) -> None:
    """UserError for the first family that is trained on and measured: an original and its rewrites stay together.

    `file` is the file of the cases, if they have one.
    """
    trained = {prompt.family: prompt.id for prompt in train}
    for prompt in held_out:
        if (same := trained.get(prompt.family)) is not None:
            raise UserError(
                f"{locate_case(file, prompt)}family '{prompt.family}' is in training (prompt '{same}') and in "
                f"evaluation (case '{prompt.id}'); move the whole family to one side"
            )


def assert_texts_disjoint(train: Iterable[Prompt], held_out: Iterable[Prompt], file: Path | None = None) -> None:
    """UserError for the first text, as `dedupe` compares texts, that is trained on and measured; `file` as above."""
    trained = {compared_text(prompt.messages): prompt.id for prompt in train}
    for prompt in held_out:
        if (same := trained.get(compared_text(prompt.messages))) is not None:
            raise UserError(
                f"{locate_case(file, prompt)}case '{prompt.id}' asks what prompt '{same}' trains on; drop one of them, "
                "or let `deliberant prompts dedupe` with --against take out such prompts, and nearly equal ones"
            )


def locate_case(file: Path | None, case: Prompt) -> str:
    """File and line of a case, to begin an error with; "" where the cases come from no file."""
    return "" if file is None else f"{file}:{find_line(file, case.id)}: "


def iterate_rows(
    path: Path,
    kind: type[AnyRow],
    categories: Collection[str] | None = None,
    clauses: Collection[str] | None = None,
) -> Iterator[tuple[Line, AnyRow]]:
    """The lines that are not blank, each with its row. UserError as in `read_prompts`."""
    seen: dict[str, int] = {}
    for line in lines(path):
        if not line.data.strip():
            continue
        here = f"{path}:{line.number}"
        row = validate(json_object(line.data, here), kind, here)
        if (first := seen.setdefault(row.id, line.number)) < line.number:
            raise UserError(f"{here}: id '{row.id}' is already that of line {first}; give it another")
        check_names(here, row, categories, clauses)
        if isinstance(row, CaseRow):
            _check_name(here, "clause", row.truth.clause, clauses)
        yield line, row


def find_line(path: Path, id: str) -> int:
    """The first line with this id in a file of prompts or cases whose lines were read up to one that has it."""
    return next(
        number for number, data in lines(path) if data.strip() and json_object(data, f"{path}:{number}")["id"] == id
    )


def check_names(here: str, row: PromptRow, categories: Collection[str] | None, clauses: Collection[str] | None) -> None:
    """UserError that starts with `here` where the prompt names a category or clause that is not among those given."""
    for category in row.categories:
        _check_name(here, "category", category, categories)
    for place, hint in enumerate(row.hints):
        _check_name(here, f"hints.{place}.clause", hint.clause, clauses)


def _check_name(here: str, what: str, name: str | None, known: Collection[str] | None) -> None:
    if known is not None and name is not None and name not in known:
        raise UserError(f"{here}: {what} '{name}' is not in the policy; {suggest_name(name, sorted(known))}")
