"""The lines of a file, one at a time, so that no file is too large and no line fills the memory."""

from codecs import BOM_UTF8
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

from deliberant.util.errors import UserError
from deliberant.util.files import refuse_pipe

MAX_LINE = 16 * 2**20
"""Bytes of the longest line that is read: a conversation with long tool results, and no more."""


class Line(NamedTuple):
    """`number` counts from 1; `data` keeps its line end, but not a byte order mark at the start of the file."""

    number: int
    data: bytes


def lines(path: Path, limit: int = MAX_LINE) -> Iterator[Line]:
    """Every line of a file, blank ones too, split at line feeds only; at most `limit` bytes are held at once.

    UserError with file:line for a longer line, with the file where it cannot be read or is a pipe.
    """
    refuse_pipe(path)
    try:
        with path.open("rb") as file:
            for number, data in enumerate(iter(partial(file.readline, limit + 1), b""), start=1):
                if len(data) > limit:
                    raise UserError(
                        f"{path}:{number}: is longer than {limit / 2**20:g} MiB; split this line or remove it"
                    )
                yield Line(number, data.removeprefix(BOM_UTF8) if number == 1 else data)
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); check the path") from error


def decode(data: bytes, here: str) -> str:
    """The text of a line. UserError that starts with `here` where it is not UTF-8."""
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        byte = f"byte 0x{data[error.start]:02x} at {error.start + 1}"
        raise UserError(f"{here}: is not UTF-8 ({byte}); save the file as UTF-8") from error
