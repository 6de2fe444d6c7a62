import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from deliberant.util.errors import UserError
from deliberant.util.locks import lock, unlock

HOLD = """
import sys
from pathlib import Path
from deliberant.util.locks import lock
lock(Path(sys.argv[1]), Path("here"))
print("held", flush=True)
sys.stdin.readline()
"""


@contextmanager
def another(file: Path, script: str = HOLD) -> Iterator[int]:
    """A process that has the lock; its number."""
    arguments = [sys.executable, "-c", script, str(file)]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None and other.stdin is not None
        assert other.stdout.readline() == "held\n"
        yield other.pid
        other.stdin.close()


def test_another_process_is_named_and_its_end_frees_the_place(tmp_path: Path) -> None:
    file = tmp_path / ".lock"
    with another(file) as process, pytest.raises(UserError, match=f"^here: process {process} is working here; wait"):
        lock(file, Path("here"))
    lock(file, Path("here"))
    lock(file, Path("here"))  # the same process may, as often as it likes
    unlock(file)


def test_what_was_given_up_leaves_no_file_and_is_free(tmp_path: Path) -> None:
    file = tmp_path / ".lock"
    unlock(file)
    lock(file, Path("here"))
    unlock(file)
    assert not file.exists()
    with another(file):
        unlock(file)
        assert file.exists(), "nobody gives up the lock of another process"


def test_a_lock_whose_file_was_deleted_meanwhile_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / ".lock"
    file.touch()
    opened = []

    def open_and_lose(*arguments: Any) -> int:
        opened.append(real(*arguments))
        if len(opened) == 1:
            file.unlink()  # the process that had it was done, after this one opened it
        return opened[-1]

    real = os.open
    monkeypatch.setattr("deliberant.util.locks.os.open", open_and_lose)
    lock(file, Path("here"))
    assert len(opened) == 2 and file.exists()
    unlock(file)
