"""Prompt files too large for memory: every row is checked once, and can be found again by its number.

A row costs some 30 bytes beside its band hashes, however long its text.
"""

import hashlib
from array import array
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from deliberant.errors import UserError
from deliberant.prompts.bands import Bands
from deliberant.prompts.lines import Line, lines
from deliberant.prompts.rows import CaseRow, PromptRow, json_object, validate
from deliberant.prompts.shingles import normalised


class Corpus:
    """Rows of prompt files and, where wanted, of case files, in order; `bands` finds those that look alike.

    A case counts as two texts, with the request as it is asked and decoded, where it is encoded. `ids` and `families`
    are 64-bit digests of the names.
    """

    def __init__(self, threshold: float) -> None:
        self.bands = Bands(threshold)
        self.ids, self.families = array("Q"), array("Q")
        self._paths: list[Path] = []
        self._files: list[BinaryIO] = []
        self._file, self._line, self._offset = array("H"), array("Q"), array("Q")
        self._plain = bytearray()

    def __len__(self) -> int:
        return len(self._line)

    def read(self, path: Path, cases: bool = False) -> None:
        """Add the rows of a file of prompts, or, with `cases`, of prompts or cases. UserError as in `read_prompts`.

        That an id is given twice is seen by `check_ids`.
        """
        place = len(self._paths)
        self._paths.append(path)
        for line in lines(path):
            if not line.data.strip():
                continue
            here = f"{path}:{line.number}"
            value = json_object(line.data, here)
            row: PromptRow = validate(value, CaseRow if cases and "truth" in value else PromptRow, here)
            self._add(place, line, row, normalised((turn.role, turn.content) for turn in row.messages), False)
            if isinstance(row, CaseRow) and row.plain is not None:
                self._add(place, line, row, normalised([("user", row.plain)]), True)
        try:
            self._files.append(path.open("rb"))
        except OSError as error:
            raise UserError(f"{path}: can not read it ({error.strerror}); check the path") from error

    def check_ids(self, start: int) -> None:
        """UserError naming the first two rows from number `start` on that share an id."""
        ids = np.frombuffer(self.ids, np.uint64)[start:]
        order = np.argsort(ids, kind="stable")
        alike = np.flatnonzero(ids[order][1:] == ids[order][:-1])
        for first, second in sorted(zip(order[alike].tolist(), order[alike + 1].tolist(), strict=True)):
            one, other = start + first, start + second
            if (name := self.row(one)["id"]) == self.row(other)["id"]:
                here = self.where(other)
                raise UserError(f"{here}: id '{name}' is already that of {self.where(one)}; give it another")

    def where(self, number: int) -> str:
        """`file:line` of a row."""
        return f"{self._paths[self._file[number]]}:{self._line[number]}"

    def row(self, number: int) -> dict[str, Any]:
        """A row as it stands in its file, read again; UserError where the file was changed meanwhile."""
        return json_object(self._bytes(number), self.where(number))

    def text(self, number: int) -> str:
        """The normalised text of a row, read again from its file."""
        row = self.row(number)
        if self._plain[number]:
            return normalised([("user", row["plain"])])
        return normalised((turn["role"], turn["content"]) for turn in row["messages"])

    def copy(self, numbers: Iterable[int]) -> Iterator[bytes]:
        """The lines of some rows, byte for byte, each with a line end."""
        for number in numbers:
            yield self._bytes(number).removesuffix(b"\n") + b"\n"

    def close(self) -> None:
        for file in self._files:
            file.close()

    def _add(self, place: int, line: Line, row: PromptRow, text: str, plain: bool) -> None:
        self._file.append(place)
        self._line.append(line.number)
        self._offset.append(line.offset)
        self._plain.append(plain)
        self.ids.append(_digest(row.id))
        self.families.append(_digest(row.family))
        self.bands.add(text)

    def _bytes(self, number: int) -> bytes:
        file = self._files[self._file[number]]
        file.seek(self._offset[number])
        return file.readline()


def _digest(name: str) -> int:
    """64 bits of a name: among a million names two are alike by chance in 1 of 37 million corpora."""
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest())
