"""One process at a time in a run folder or at an output file."""

import os
from pathlib import Path

from filelock import FileLock, Timeout

from deliberant.util.errors import UserError

_HELD: dict[Path, FileLock] = {}
"""The locks of this process, by file."""


def lock(file: Path, place: Path) -> None:
    """Make this process the only one that works in `place`, until it ends or gives `file` up with `unlock`.

    UserError where another process does; OSError where the file cannot be written.
    """
    if (key := file.resolve()) in _HELD:
        return
    held = FileLock(key, blocking=False, thread_local=False)
    try:
        held.acquire()
    except Timeout as error:
        owner = key.read_text() or "unknown"
        raise UserError(f"{place}: process {owner} is working here; wait for it to end, or stop it") from error
    key.write_text(str(os.getpid()))
    _HELD[key] = held


def adopt(file: Path) -> None:
    """Work under the lock of the process that started this one."""
    _HELD[file.resolve()] = FileLock(file)


def unlock(file: Path) -> None:
    """Give up a lock and delete its file; nothing where this process has none."""
    if (held := _HELD.pop(file.resolve(), None)) is not None:
        file.unlink(missing_ok=True)
        held.release()
