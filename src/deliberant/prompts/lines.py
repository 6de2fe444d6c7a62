"""The lines of a file, one at a time, so that no file is too large and no line fills the memory."""

from codecs import BOM_UTF8
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from deliberant.util.errors import UserError
from deliberant.util.files import no_pipe

MAX_LINE = 16 * 2**20
"""Bytes of the longest line that is read: a conversation with long tool results, and no more."""


class Line(NamedTuple):
    """`number` counts from 1, `offset` in bytes from the file's start; `data` keeps its line end.

    A byte order mark at the file's start is no part of the first line. Later ones are data.
    """

    number: int
    offset: int
    data: bytes


def lines(path: Path, limit: int = MAX_LINE) -> Iterator[Line]:
    """Every line of a file, blank ones too, split at line feeds only; at most `limit` bytes are held at once.

    UserError with file:line for a longer line, with the file where it can not be read or is a pipe.
    """
    no_pipe(path)
    number = offset = 0
    try:
        with path.open("rb") as file:
            while data := file.readline(limit + 1):
                number += 1
                if len(data) > limit:
                    raise UserError(
                        f"{path}:{number}: is longer than {limit / 2**20:g} MiB; split this line or take it out"
                    )
                if number == 1 and data.startswith(BOM_UTF8):
                    offset, data = len(BOM_UTF8), data.removeprefix(BOM_UTF8)
                yield Line(number, offset, data)
                offset += len(data)
    except OSError as error:
        raise UserError(f"{path}: can not read it ({error.strerror}); check the path") from error


def text_of(line: Line, path: Path) -> str:
    """The line decoded. UserError with file:line where it is not UTF-8."""
    try:
        return line.data.decode()
    except UnicodeDecodeError as error:
        byte = error.object[error.start]
        raise UserError(
            f"{path}:{line.number}: is not UTF-8 (byte 0x{byte:02x} at {error.start + 1}); save the file as UTF-8"
        ) from error
