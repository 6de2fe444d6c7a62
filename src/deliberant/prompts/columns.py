"""Numbers of a growing list of rows in a temporary file: sorted, grouped and counted in memory that rows do not fill.

A column is read a block at a time and sorted a part at a time: the rows whose values lie in one of several ranges, so
many that a part has about `PART` rows where the values are hashes. Rows that all share one value are one part, however
many they are. The file has no name, so it is gone with the process, killed or not; `TMPDIR` says where it is kept.
"""

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from deliberant.util.errors import UserError

BLOCK = 2**14
"""Rows that are written or read at once."""
PART = 2**17
"""Rows that are sorted at once, if values are spread evenly."""

Numbers = NDArray[Any]
Rows = NDArray[np.int32]


class Column:
    """One value of type `kind`, a number or a record of numbers, for each row. UserError where the disk is full."""

    def __init__(self, kind: DTypeLike) -> None:
        self._kind = np.dtype(kind)
        self._waiting: list[Any] = []
        self._stored = 0
        with _temporary():
            self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115, closed by `close`

    def __len__(self) -> int:
        return self._stored + len(self._waiting)

    def append(self, value: Any) -> None:
        """One more row; a record's value is a tuple."""
        self._waiting.append(value)
        if len(self._waiting) == BLOCK:
            self._flush()

    def extend(self, values: Numbers) -> None:
        """Some more rows."""
        self._flush()
        self._write(values.astype(self._kind, copy=False))

    def __getitem__(self, row: int) -> Any:
        """One row's value."""
        return self._read(row, 1)[0].item()

    def blocks(self) -> Iterator[tuple[int, Numbers]]:
        """All values in order, some at a time, each with the number of the first row."""
        for start in range(0, len(self), BLOCK):
            yield start, self._read(start, min(BLOCK, len(self) - start))

    def ranked(self, key: Callable[[Numbers], Numbers] | None = None) -> Iterator[tuple[Numbers, Rows]]:
        """Values, or what `key` makes of them, and their rows: ascending by value and row, some at a time.

        They have to be whole numbers, of the column's type; those that are equal come together.
        """
        parts, bits = 1 + len(self) // PART, 8 * self._kind.itemsize
        for part in range(parts):
            low, high = ((part + more << bits) // parts - more for more in (0, 1))
            chosen: list[Numbers] = []
            rows: list[Rows] = []
            for start, block in self.blocks():
                values = key(block) if key else block
                mine = np.flatnonzero((values >= self._kind.type(low)) & (values <= self._kind.type(high)))
                chosen.append(values[mine])
                rows.append((mine + start).astype(np.int32))
            if rows:
                values = np.concatenate(chosen)
                order = np.argsort(values, kind="stable")
                yield values[order], np.concatenate(rows)[order]

    def groups(self) -> Iterator[list[int]]:
        """Rows that share a value, two or more, ascending."""
        for values, rows in self.ranked():
            starts = firsts(values)
            ends = np.append(starts[1:], len(values))
            for group in np.flatnonzero(ends - starts > 1):
                yield rows[starts[group] : ends[group]].tolist()

    def close(self) -> None:
        self._file.close()

    def _flush(self) -> None:
        if self._waiting:
            self._write(np.array(self._waiting, self._kind))
            self._waiting = []

    def _write(self, values: Numbers) -> None:
        left = memoryview(values.tobytes())
        with _temporary():
            while left:
                left = left[self._file.write(left) :]
        self._stored += len(values)

    def _read(self, start: int, count: int) -> Numbers:
        self._flush()
        size = self._kind.itemsize
        return np.frombuffer(os.pread(self._file.fileno(), count * size, start * size), self._kind)


def firsts(ranked: Numbers) -> NDArray[np.int64]:
    """Where in a sorted array each distinct value comes first."""
    return np.flatnonzero(np.append(True, ranked[1:] != ranked[:-1])[: len(ranked)])


@contextmanager
def _temporary() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UserError(
            f"{tempfile.tempdir or 'temporary folder'}: can not write ({error.strerror}); free some space, or set "
            "TMPDIR to a folder with more"
        ) from error
