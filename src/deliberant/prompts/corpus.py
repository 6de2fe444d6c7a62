"""The rows of prompt files as `dedupe` and `split` need them: checked, to be compared by text and copied byte for byte.

They are held in memory: some 500 bytes for each prompt, and twice its text.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from deliberant.prompts.lines import Line
from deliberant.prompts.reader import holds_cases, iterate_rows
from deliberant.prompts.rows import CaseRow, PromptRow
from deliberant.prompts.similarity import compared_text, normalise
from deliberant.util.errors import UserError


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of a prompt file, and the text by which it is compared."""

    path: Path
    number: int
    line: bytes
    id: str
    family: str
    text: str

    @property
    def at(self) -> str:
        """`file:line`."""
        return f"{self.path}:{self.number}"


def read_entries(paths: Iterable[Path]) -> list[Entry]:
    """The rows of files of prompts, in order. UserError as in `read_prompts`, and for an id that two files share."""
    found: dict[str, Entry] = {}
    for path in paths:
        for line, row in iterate_rows(path, PromptRow):
            entry = _entry(path, line, row, compared_text(row.prompt().messages))
            if (first := found.setdefault(row.id, entry)) is not entry:
                raise UserError(f"{entry.at}: id '{row.id}' is already that of {first.at}; give it another")
    return list(found.values())


def read_evaluation(paths: Iterable[Path]) -> list[Entry]:
    """The rows of files of prompts or of cases. A case that is encoded counts twice: as it is asked, and decoded."""
    found = []
    for path in paths:
        kind: type[PromptRow] = CaseRow if holds_cases(path) else PromptRow
        for line, row in iterate_rows(path, kind):
            found.append(_entry(path, line, row, compared_text(row.prompt().messages)))
            if isinstance(row, CaseRow) and row.plain is not None:
                found.append(_entry(path, line, row, normalise(row.plain)))
    return found


def _entry(path: Path, line: Line, row: PromptRow, text: str) -> Entry:
    return Entry(path, line.number, line.data, row.id, row.family, text)


def copied(entries: Iterable[Entry]) -> Iterator[bytes]:
    """The lines as they stand in their files, each with a line end."""
    return (entry.line.removesuffix(b"\n") + b"\n" for entry in entries)
