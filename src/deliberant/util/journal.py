"""An append-only JSONL file that grows in whole chunks and survives being killed at any byte.

Each chunk is its rows and one marker line with the chunk's number and the sha256 of those rows. What lies behind the
last chunk that holds was never finished, or was damaged since; it vanishes on reopening and is done again.
"""

import hashlib
import json
import os
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from deliberant.util.errors import UserError
from deliberant.util.files import Row, append_durably, explain_write_errors, fingerprint, json_line, write_atomically
from deliberant.util.locks import lock, unlock
from deliberant.util.progress import Progress

Item = TypeVar("Item")

MARKER = re.compile(rb"^# chunk (\d+) sha256 ([0-9a-f]{64})\n", re.MULTILINE)


class Journal:
    """The rows of one output while its stage runs: kept in `<path>.journal` until `seal` writes them to `path`."""

    def __init__(self, path: Path) -> None:
        """Open or begin."""
        self.path = path
        self.file = path.with_name(path.name + ".journal")
        self._bodies: list[bytes] = []
        if self.file.exists():
            self._bodies, length = self._read()
            os.truncate(self.file, length)

    def __len__(self) -> int:
        """Number of chunks closed so far."""
        return len(self._bodies)

    @property
    def rows(self) -> list[Row]:
        """Every row of every closed chunk, in order, as read back from JSON."""
        return [row for number in range(len(self)) for row in self.chunk(number)]

    def chunk(self, number: int) -> list[Row]:
        """The rows of one closed chunk, as read back from JSON."""
        return [json.loads(line) for line in self._bodies[number].split(b"\n")[:-1]]

    def append(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Close one more chunk: one write, one fsync. RunError when the disk is full; the chunks before are safe."""
        body = b"".join(json_line(row) for row in rows)
        marker = b"# chunk %d sha256 %s\n" % (len(self), hashlib.sha256(body).hexdigest().encode())
        with explain_write_errors(self.file, f"{len(self)} finished chunks are kept"):
            self.file.parent.mkdir(parents=True, exist_ok=True)
            append_durably(self.file, body + marker)
        self._bodies.append(body)

    def extend(
        self,
        items: Sequence[Item],
        size: int,
        work: Callable[[Sequence[Item]], Sequence[Mapping[str, Any]]],
        progress: Progress,
        name: str,
        ahead: int = 0,
    ) -> None:
        """`work` on `items`, `size` at a time, one chunk each; those closed before are skipped. The journal begins with
        `ahead` chunks of another kind."""
        done = (len(self) - ahead) * size
        with progress(name, len(items)) as bar:
            bar.advance(min(done, len(items)))
            for start in range(done, len(items), size):
                chunk = items[start : start + size]
                self.append(work(chunk))
                bar.advance(len(chunk))

    def seal(self) -> Path:
        """Write the rows, without markers, to `path`, atomically. The journal stays until the stage has finished."""
        write_atomically(self.path, self._bodies)
        return self.path

    def _read(self) -> tuple[list[bytes], int]:
        """The bodies of the chunks up to the first that does not hold, and their length in the file."""
        data = self.file.read_bytes()
        bodies: list[bytes] = []
        end = 0
        for marker in MARKER.finditer(data):
            body = data[end : marker.start()]
            if (int(marker[1]), marker[2].decode()) != (len(bodies), hashlib.sha256(body).hexdigest()):
                break
            bodies.append(body)
            end = marker.end()
        return bodies, end


def in_chunks(
    path: Path,
    inputs: Any,
    items: Sequence[Item],
    size: int,
    work: Callable[[Sequence[Item]], Sequence[Mapping[str, Any]]],
    progress: Progress,
    name: str,
) -> list[Row]:
    """`Run.in_chunks` for a verb that has no run folder: `work` on `items`, `size` at a time, kept beside `path`.

    Returns the rows in item order, as read back from JSON; `name` is what the progress calls the work. The first chunk
    names the `inputs`, everything that shapes the rows: UserError where a journal was begun with others. Whoever has
    written what comes of the rows deletes the journal (`forget`), so that a kill before that resumes. Until then no
    other process can work on `path`: UserError.
    """
    file = _lock_file(path)
    with explain_write_errors(path, "nothing was lost"):
        file.parent.mkdir(parents=True, exist_ok=True)
        lock(file, path)
    journal = Journal(path)
    begun = [{"inputs": fingerprint({"inputs": inputs, "size": size})}]
    if not len(journal):
        journal.append(begun)
    elif journal.chunk(0) != begun:
        raise UserError(
            f"{journal.file}: was begun with another file, policy, model or option; "
            "give the same ones to resume it, or delete it to begin anew"
        )
    journal.extend(items, size, work, progress, name, ahead=1)
    return journal.rows[1:]


def delete_journal(path: Path) -> None:
    """Delete the journal of finished work and let others work there."""
    path.with_name(path.name + ".journal").unlink(missing_ok=True)
    unlock(_lock_file(path))


def _lock_file(path: Path) -> Path:
    return path.with_name(f".{path.name}.lock")
