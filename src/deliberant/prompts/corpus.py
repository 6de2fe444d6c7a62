"""Prompt files too large for memory: every row is checked once, and can be found again by its number.

A row costs nothing in memory and, beside its band hashes, 31 bytes in temporary files, however long its text.
"""

import hashlib
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from deliberant.prompts.bands import Bands
from deliberant.prompts.columns import Column
from deliberant.prompts.lines import Line, lines
from deliberant.prompts.rows import CaseRow, PromptRow, json_object, validate
from deliberant.prompts.shingles import normalised
from deliberant.util.errors import UserError

PLACE = [("file", "u2"), ("plain", "?"), ("line", "u4"), ("offset", "u8")]
"""Where a row is, and whether it is the decoded request of the case that stands there."""


class Corpus:
    """Rows of prompt files and, where wanted, of case files, in order; `bands` finds those that look alike.

    A case counts as two texts, with the request as it is asked and decoded, where it is encoded. `ids` and `families`
    are 64-bit digests of the names.
    """

    def __init__(self, threshold: float) -> None:
        self.bands = Bands(threshold)
        self.ids, self.families = Column(np.uint64), Column(np.uint64)
        self._paths: list[Path] = []
        self._files: list[BinaryIO] = []
        self._places = Column(PLACE)

    def __len__(self) -> int:
        return len(self._places)

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
        first: tuple[int, int] | None = None
        for group in self.ids.groups():
            for pair in pairwise(row for row in group if row >= start):
                if (first is None or pair < first) and self.row(pair[0])["id"] == self.row(pair[1])["id"]:
                    first = pair
        if first:
            one, other = map(self.where, first)
            raise UserError(f"{other}: id '{self.row(first[0])['id']}' is already that of {one}; give it another")

    def where(self, number: int) -> str:
        """`file:line` of a row."""
        file, _, line, _ = self._places[number]
        return f"{self._paths[file]}:{line}"

    def row(self, number: int) -> dict[str, Any]:
        """A row as it stands in its file, read again; UserError where the file was changed meanwhile."""
        return self._row(self._places[number])

    def text(self, number: int) -> str:
        """The normalised text of a row, read again from its file."""
        place = self._places[number]
        row = self._row(place)
        if place[1]:
            return normalised([("user", row["plain"])])
        return normalised((turn["role"], turn["content"]) for turn in row["messages"])

    def copy(self, chosen: NDArray[np.bool_]) -> Iterator[bytes]:
        """The lines of the rows that are `chosen`, byte for byte, each with a line end; `chosen` is as long as this."""
        for start, places in self._places.blocks():
            for file, _, _, offset in places[chosen[start : start + len(places)]].tolist():
                yield self._bytes(file, offset).removesuffix(b"\n") + b"\n"

    def close(self) -> None:
        for file in self._files:
            file.close()
        for each in (self.bands, self.ids, self.families, self._places):
            each.close()

    def _add(self, place: int, line: Line, row: PromptRow, text: str, plain: bool) -> None:
        self._places.append((place, plain, line.number, line.offset))
        self.ids.append(_digest(row.id))
        self.families.append(_digest(row.family))
        self.bands.add(text)

    def _row(self, place: tuple[int, bool, int, int]) -> dict[str, Any]:
        file, _, line, offset = place
        return json_object(self._bytes(file, offset), f"{self._paths[file]}:{line}")

    def _bytes(self, file: int, offset: int) -> bytes:
        self._files[file].seek(offset)
        return self._files[file].readline()


def _digest(name: str) -> int:
    """64 bits of a name: among a million names two are alike by chance in 1 of 37 million corpora."""
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest())
