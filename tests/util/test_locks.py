import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

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
def another(file: Path) -> Iterator[int]:
    """A process that has the lock; its number."""
    arguments = [sys.executable, "-c", HOLD, str(file)]
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
