"""The rows of prompt files as `dedupe` and `split` need them: checked, to be compared by text and copied byte for byte.

They are held in memory: some 500 bytes for each prompt, and twice its text.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from deliberant.prompts.lines import lines
from deliberant.prompts.rows import CaseRow, PromptRow, json_object, validate
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
    """The rows of files of prompts, in order. UserError as in `read_prompts`, and for an id that two rows share."""
    found: dict[str, Entry] = {}
    for entry in _entries(paths, cases=False):
        if (first := found.setdefault(entry.id, entry)) is not entry:
            raise UserError(f"{entry.at}: id '{entry.id}' is already that of {first.at}; give it another")
    return list(found.values())


def read_evaluation(paths: Iterable[Path]) -> list[Entry]:
    """The rows of files of prompts or cases. A case that is encoded counts twice: as it is asked, and decoded."""
    return list(_entries(paths, cases=True))


def _entries(paths: Iterable[Path], cases: bool) -> Iterator[Entry]:
    for path in paths:
        for number, line in lines(path):
            if not line.strip():
                continue
            here = f"{path}:{number}"
            value = json_object(line, here)
            row: PromptRow = validate(value, CaseRow if cases and "truth" in value else PromptRow, here)
            texts = [compared_text(row.prompt().messages)]
            if isinstance(row, CaseRow) and row.plain is not None:
                texts.append(normalise(row.plain))
            for text in texts:
                yield Entry(path, number, line, row.id, row.family, text)


def copied(entries: Iterable[Entry]) -> Iterator[bytes]:
    """The lines as they stand in their files, each with a line end."""
    return (entry.line.removesuffix(b"\n") + b"\n" for entry in entries)
