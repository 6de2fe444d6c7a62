"""Prompt sets and evaluation cases as JSONL, one object per line; `rows` has the schema."""

from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

from deliberant.prompts.index import Index
from deliberant.prompts.lines import lines
from deliberant.prompts.rows import (
    AnyRow,
    CaseRow,
    PartlyLabelledRow,
    PromptRow,
    case_row,
    json_object,
    parse,
    prompt_row,
)
from deliberant.prompts.types import Case, Prompt
from deliberant.util.errors import UserError
from deliberant.util.files import write_rows
from deliberant.util.names import nearest


def iterate_prompts(
    path: Path,
    categories: Collection[str] | None = None,
    clauses: Collection[str] | None = None,
    ids: Index | None = None,
) -> Iterator[Prompt]:
    """`read_prompts`, one at a time; of those that went by, some 20 bytes stay in memory, in `ids`, empty at first."""
    return (row.prompt() for row in _rows(path, PromptRow, categories, clauses, ids))


def read_prompts(
    path: Path, categories: Collection[str] | None = None, clauses: Collection[str] | None = None
) -> list[Prompt]:
    """The prompts of a JSONL file, in order; `categories` and `clauses`, where given, are the ones the policy has.

    UserError with file:line for anything unknown, missing, blank, duplicated, over-long or not ending on a user turn.
    """
    return list(iterate_prompts(path, categories, clauses))


def read_partly_labelled(
    path: Path, categories: Collection[str] | None = None, clauses: Collection[str] | None = None
) -> list[tuple[Prompt, bool]]:
    """As `read_prompts`, of a file whose rows may leave their category out; with each prompt, whether it is stated."""
    return [(row.prompt(), row.stated) for row in _rows(path, PartlyLabelledRow, categories, clauses)]


def read_cases(
    path: Path, categories: Collection[str] | None = None, clauses: Collection[str] | None = None
) -> list[Case]:
    """The evaluation cases of a JSONL file; UserError as in `read_prompts`."""
    return [row.case() for row in _rows(path, CaseRow, categories, clauses)]


def holds_cases(path: Path) -> bool:
    """Whether a file's first row has a truth. UserError where it is no JSON object."""
    first = next((line for line in lines(path) if line.data.strip()), None)
    return first is not None and "truth" in json_object(first.data, f"{path}:{first.number}")


def write_prompts(path: Path, prompts: Iterable[Prompt]) -> None:
    """The JSONL that `read_prompts` reads, written atomically."""
    write_rows(path, map(prompt_row, prompts))


def write_cases(path: Path, cases: Iterable[Case]) -> None:
    """The JSONL that `read_cases` reads, written atomically."""
    write_rows(path, map(case_row, cases))


def assert_families_disjoint(train: Iterable[Prompt], held_out: Iterable[Prompt], file: Path | None = None) -> None:
    """UserError naming the first family that is trained on and measured: an original and its rewrites stay together.

    `file` is that of the cases, where they have one.
    """
    trained = {prompt.family: prompt.id for prompt in train}
    for prompt in held_out:
        if (same := trained.get(prompt.family)) is not None:
            raise UserError(
                f"{place(file, prompt)}family '{prompt.family}' is in training (prompt '{same}') and in evaluation "
                f"(case '{prompt.id}'); move the whole family to one side"
            )


def assert_texts_disjoint(train: Iterable[Prompt], held_out: Iterable[Prompt], file: Path | None = None) -> None:
    """UserError naming the first text, as `dedupe` compares texts, that is trained on and measured; `file` as above."""
    trained = {_words(prompt): prompt.id for prompt in train}
    for prompt in held_out:
        if (same := trained.get(_words(prompt))) is not None:
            raise UserError(
                f"{place(file, prompt)}case '{prompt.id}' asks what prompt '{same}' trains on; drop one of them, or "
                "let `deliberant prompts dedupe` with --against take out such prompts, and those that are nearly alike"
            )


def place(file: Path | None, case: Prompt) -> str:
    """File and line of a case, to begin a mistake with; "" where the cases are in no file."""
    return "" if file is None else f"{file}:{line_of(file, case.id)}: "


def _words(prompt: Prompt) -> str:
    from deliberant.prompts.shingles import normalised  # imports numpy

    return normalised((turn["role"], turn["content"]) for turn in prompt.messages)


def _rows(
    path: Path,
    kind: type[AnyRow],
    categories: Collection[str] | None,
    clauses: Collection[str] | None,
    ids: Index | None = None,
) -> Iterator[AnyRow]:
    seen = Index() if ids is None else ids
    for number, _, data in lines(path):
        if not data.strip():
            continue
        here = f"{path}:{number}"
        row = parse(data, kind, here)
        if seen.add(row.id) is not None and (first := line_of(path, row.id)) < number:
            raise UserError(f"{here}: id '{row.id}' is already that of line {first}; give it another")
        check_names(here, row, categories, clauses)
        if isinstance(row, CaseRow):
            _check_name(here, "clause", row.truth.clause, clauses)
        yield row


def line_of(path: Path, id: str) -> int:
    """The first line with this id in a file of prompts or cases whose lines were read up to one that has it."""
    return next(
        number for number, _, data in lines(path) if data.strip() and json_object(data, f"{path}:{number}")["id"] == id
    )


def check_names(here: str, row: PromptRow, categories: Collection[str] | None, clauses: Collection[str] | None) -> None:
    """UserError, beginning with `here`, where the prompt names what is not among the policy's names, where given."""
    for category in row.categories:
        _check_name(here, "category", category, categories)
    for place, hint in enumerate(row.hints):
        _check_name(here, f"hints.{place}.clause", hint.clause, clauses)


def _check_name(here: str, what: str, name: str | None, known: Collection[str] | None) -> None:
    if known is not None and name is not None and name not in known:
        raise UserError(f"{here}: {what} '{name}' is not in the policy; {nearest(name, sorted(known))}")
