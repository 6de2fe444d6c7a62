import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deliberant.prompts import columns
from deliberant.prompts.columns import Column, firsts
from deliberant.util.errors import UserError

NUMBERS = st.lists(st.one_of(st.integers(0, 3), st.integers(0, 2**64 - 1)), max_size=60)


def column(numbers: list[int]) -> Column:
    found = Column(np.uint64)
    for number in numbers[::2]:
        found.append(number)
    found.extend(np.array(numbers[1::2], np.uint64))
    return found


@given(NUMBERS, st.integers(1, 9), st.integers(1, 9))
def test_what_is_ranked_is_what_sorting_it_all_gives(numbers: list[int], block: int, part: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(columns, "BLOCK", block)
        patch.setattr(columns, "PART", part)
        found = column(numbers)
        given = [*numbers[::2], *numbers[1::2]]
        assert len(found) == len(given)
        assert [found[row] for row in range(len(given))] == given
        assert [value for _, values in found.blocks() for value in values.tolist()] == given
        pairs = [pair for values, rows in found.ranked() for pair in zip(values.tolist(), rows.tolist(), strict=True)]
        assert pairs == sorted(zip(given, range(len(given)), strict=True))
        turned = [row for _, rows in found.ranked(lambda values: ~values) for row in rows.tolist()]
        assert turned == sorted(range(len(given)), key=lambda row: (-given[row], row))
        alike = [[row for row, each in enumerate(given) if each == value] for value in sorted(set(given))]
        assert list(found.groups()) == [rows for rows in alike if len(rows) > 1]
        assert sum(len(firsts(values)) for values, _ in found.ranked()) == len(set(given))
        found.close()


def test_a_record_comes_back_as_it_was() -> None:
    found = Column([("file", "u2"), ("plain", "?"), ("offset", "u8")])
    found.append((3, True, 2**40))
    found.append((0, False, 0))
    assert [found[row] for row in range(2)] == [(3, True, 2**40), (0, False, 0)]


WRITE = """
import resource, signal, sys
import numpy as np
from deliberant.prompts.columns import Column
if sys.argv[1] == "full":
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
column = Column(np.uint64)
column.extend(np.zeros(100_000, np.uint64))
print("written", flush=True)
sys.stdin.readline()
"""


def test_a_full_disk_is_an_error_that_names_the_folder_and_the_remedy(tmp_path: Path) -> None:
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", WRITE, "full"], env=environment, capture_output=True, text=True)
    last = done.stderr.splitlines()[-1]
    assert f"UserError: {tmp_path}: can not write (File too large); free some space, or set TMPDIR" in last
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    with pytest.raises(UserError, match=r"gone: can not write \(No such file or directory\); free some space, or set"):
        Column(np.uint64)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_nothing_is_left_however_the_process_ends(tmp_path: Path, how: signal.Signals) -> None:
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    arguments = [sys.executable, "-c", WRITE, "waits"]
    with subprocess.Popen(
        arguments, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout is not None and process.stdout.readline() == "written\n"
        process.send_signal(how)
    assert process.returncode and not list(tmp_path.iterdir())
