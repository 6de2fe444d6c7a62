"""Files that say who works in a place, so that no second process does.

They bear POSIX locks, which are gone with the process that has them. Such a lock is lost when any handle to its file is
closed, so that file is one of its own, which nothing else opens.
"""

import fcntl
import os
from pathlib import Path

from deliberant.util.errors import UserError

_HELD: dict[Path, int] = {}
"""Handles of the lock files of this process."""


def lock(file: Path, place: Path) -> None:
    """Make this process the only one that works in `place`, until it ends or gives `file` up with `unlock`.

    UserError where another process does; OSError where the file can not be written.
    """
    key = file.resolve()
    while key not in _HELD:
        handle = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            owner = os.read(handle, 20).decode() or "unknown"
            os.close(handle)
            raise UserError(f"{place}: process {owner} is working here; wait for it to end, or stop it") from error
        if not file.exists() or not os.path.samestat(os.fstat(handle), file.stat()):
            os.close(handle)  # the process that had it has deleted it just now
            continue
        os.ftruncate(handle, 0)
        os.write(handle, str(os.getpid()).encode())
        _HELD[key] = handle


def unlock(file: Path) -> None:
    """Give up a lock and delete its file; nothing where this process has none."""
    handle = _HELD.pop(file.resolve(), None)
    if handle is not None:
        file.unlink(missing_ok=True)
        os.close(handle)
