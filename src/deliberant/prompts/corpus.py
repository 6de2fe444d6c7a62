"""The rows of prompt files as `dedupe` and `split` need them: checked, to be compared by text and copied byte for byte.

They are held in memory: some 500 bytes for each prompt, and twice its text.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from deliberant.prompts.reader import holds_cases, iterate_rows
from deliberant.prompts.rows import CaseRow, PromptRow
from deliberant.prompts.similarity import compared_text, normalise
from deliberant.util.errors import UserError


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of a prompt file, `file:line`, and the text by which it is compared."""

    at: str
    line: bytes
    id: str
    family: str
    text: str


def read_entries(paths: Iterable[Path]) -> list[Entry]:
    """The rows of files of prompts, in order. UserError as in `read_prompts`, and for an id that two files share."""
    entries: dict[str, Entry] = {}
    for path in paths:
        for line, row in iterate_rows(path, PromptRow):
            text = compared_text(row.prompt().messages)
            entry = Entry(f"{path}:{line.number}", line.data, row.id, row.family, text)
            if (first := entries.setdefault(row.id, entry)) is not entry:
                raise UserError(f"{entry.at}: id '{row.id}' is already that of {first.at}; give it another")
    return list(entries.values())


def read_evaluation(paths: Iterable[Path]) -> list[Entry]:
    """The rows of files of prompts or of cases. A case that is encoded counts twice: as it is asked, and decoded."""
    entries = []
    for path in paths:
        kind: type[PromptRow] = CaseRow if holds_cases(path) else PromptRow
        for line, row in iterate_rows(path, kind):
            texts = [compared_text(row.prompt().messages)]
            texts += [normalise(row.plain)] if isinstance(row, CaseRow) and row.plain is not None else []
            entries += [Entry(f"{path}:{line.number}", line.data, row.id, row.family, text) for text in texts]
    return entries


def copy_lines(entries: Iterable[Entry]) -> Iterator[bytes]:
    """The lines as they stand in their files, each with a line end."""
    return (entry.line.removesuffix(b"\n") + b"\n" for entry in entries)
