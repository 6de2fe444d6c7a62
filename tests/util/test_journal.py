import errno
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deliberant.run.folder import StageFolder, read_manifest
from deliberant.util.errors import RunError, UserError
from deliberant.util.files import Row, fingerprint, read_rows, write_atomically
from deliberant.util.journal import Journal, delete_journal, in_chunks
from deliberant.util.progress import NullProgress

CHUNKS: list[list[Row]] = [[{"id": 1, "text": "a\n# chunk 0"}, {"id": 2}], [], [{"id": 3, "text": "é\u2028"}]]


def filled(path: Path) -> Journal:
    journal = Journal(path)
    for chunk in CHUNKS:
        journal.append(chunk)
    return journal


def test_reopened_journal_has_the_same_rows(tmp_path: Path) -> None:
    journal = filled(tmp_path / "rows.jsonl")
    again = Journal(tmp_path / "rows.jsonl")
    assert len(again) == 3
    assert again.rows == journal.rows == [row for chunk in CHUNKS for row in chunk]


def test_sealed_file_is_plain_jsonl(tmp_path: Path) -> None:
    path = filled(tmp_path / "rows.jsonl").seal()
    assert read_rows(path) == [row for chunk in CHUNKS for row in chunk]


def test_a_kill_at_any_byte_leaves_whole_chunks(tmp_path: Path) -> None:
    whole = filled(tmp_path / "rows.jsonl").file.read_bytes()
    ends = [0]
    for size in range(1, len(CHUNKS) + 1):
        path = tmp_path / f"{size}.jsonl"
        journal = Journal(path)
        for chunk in CHUNKS[:size]:
            journal.append(chunk)
        ends.append(journal.file.stat().st_size)
    for length in range(len(whole) + 1):
        path = tmp_path / "torn.jsonl"
        (tmp_path / "torn.jsonl.journal").write_bytes(whole[:length])
        torn = Journal(path)
        assert len(torn) == sum(end <= length for end in ends) - 1
        assert torn.file.read_bytes() == whole[: ends[len(torn)]]
        if length in (ends[1] - 1, ends[1], ends[2] + 5):
            for chunk in CHUNKS[len(torn) :]:
                torn.append(chunk)
            assert torn.file.read_bytes() == whole


def test_a_damaged_last_chunk_is_dropped(tmp_path: Path) -> None:
    journal = filled(tmp_path / "rows.jsonl")
    journal.file.write_bytes(journal.file.read_bytes().replace(b'"id": 3', b'"id": 4'))
    assert len(Journal(tmp_path / "rows.jsonl")) == 2


@pytest.mark.parametrize(
    ("old", "new"),
    [(b'"id": 1', b'"id": 9'), (b"# chunk 0 sha256", b"# chunk 7 sha256"), (b"# chunk 1 sha256", b"# chunc 1 sha256")],
)
def test_a_damaged_chunk_and_those_behind_it_are_done_again(tmp_path: Path, old: bytes, new: bytes) -> None:
    whole = filled(tmp_path / "rows.jsonl").file.read_bytes()
    (tmp_path / "rows.jsonl.journal").write_bytes(whole.replace(old, new))
    again = Journal(tmp_path / "rows.jsonl")
    assert len(again) == (1 if b"chunk 1" in old else 0)
    for chunk in CHUNKS[len(again) :]:
        again.append(chunk)
    assert again.file.read_bytes() == whole


def test_a_nan_never_reaches_the_disk(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "rows.jsonl")
    with pytest.raises(ValueError, match="JSON"):
        journal.append([{"value": float("nan")}])
    assert not journal.file.exists()


def failing(error: int) -> Callable[..., Any]:
    def fail(*_: Any) -> None:
        raise OSError(error, os.strerror(error))

    return fail


def test_a_full_disk_keeps_what_is_finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = filled(tmp_path / "rows.jsonl")
    before = journal.file.read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr("deliberant.util.files.os.fsync", failing(errno.ENOSPC))
        with pytest.raises(RunError, match=r"No space left on device.*3 finished chunks are kept; free some space"):
            journal.append([{"id": 4}])
    assert journal.file.read_bytes() == before
    journal.append([{"id": 4}])
    assert len(Journal(tmp_path / "rows.jsonl")) == 4


def test_a_write_cut_short_leaves_no_trace(tmp_path: Path) -> None:
    journal = filled(tmp_path / "rows.jsonl")
    before = journal.file.read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 10, hard))
    try:
        with pytest.raises(RunError, match="No space left on device"):
            journal.append([{"id": 4}])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert journal.file.read_bytes() == before


def test_an_interrupted_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_atomically(path, b"old")

    def parts() -> Any:
        yield b"new"
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_atomically(path, parts())
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@given(st.dictionaries(st.text(), st.integers() | st.text() | st.none()))
def test_fingerprint_ignores_key_order(value: dict[str, Any]) -> None:
    backwards = dict(reversed(value.items()))
    assert fingerprint(value) == fingerprint(backwards)
    assert fingerprint({**value, "one more": 1}) != fingerprint({**value, "one more": 2})


def finished(root: Path) -> StageFolder:
    folder = StageFolder(root, "generate", {"seed": 1})
    folder.journal("samples.jsonl").append([{"id": 1}, {"id": 2}])
    folder.journal("samples.jsonl").seal()
    (folder.dir / "checkpoint").mkdir()
    (folder.dir / "checkpoint" / "config.json").write_text("{}")
    assert not folder.complete
    folder.finish(["samples.jsonl", "checkpoint"], {"samples": 2})
    return folder


def test_a_finished_stage_is_complete_and_says_what_it_holds(tmp_path: Path) -> None:
    finished(tmp_path)
    folder = StageFolder(tmp_path, "generate", {"seed": 1})
    assert folder.complete
    manifest = read_manifest(folder.dir)
    assert manifest is not None
    assert {name: output["rows"] for name, output in manifest["outputs"].items()} == {
        "samples.jsonl": 2,
        "checkpoint/config.json": None,
    }
    assert manifest["counts"] == {"samples": 2}
    assert manifest["inputs"] == {"seed": 1}
    assert not list(folder.dir.glob("*.journal"))


def test_other_inputs_are_refused_by_name(tmp_path: Path) -> None:
    finished(tmp_path)
    with pytest.raises(UserError, match=r"other inputs \(seed\); use a new run folder, or delete"):
        StageFolder(tmp_path, "generate", {"seed": 2})


def test_other_inputs_are_refused_before_the_stage_has_finished(tmp_path: Path) -> None:
    StageFolder(tmp_path, "sft", {"seed": 1, "rows": "a"})
    with pytest.raises(UserError, match=r"other inputs \(rows\)"):
        StageFolder(tmp_path, "sft", {"seed": 1, "rows": "b"})


@pytest.mark.parametrize("name", ["samples.jsonl", "checkpoint/config.json"])
def test_a_changed_or_missing_output_is_an_error_naming_it(tmp_path: Path, name: str) -> None:
    folder = finished(tmp_path)
    (folder.dir / name).write_text("other")
    with pytest.raises(RunError, match=rf"{name}: was changed"):
        assert StageFolder(tmp_path, "generate", {"seed": 1}).complete
    (folder.dir / name).unlink()
    with pytest.raises(RunError, match=rf"{name}: is missing"):
        assert StageFolder(tmp_path, "generate", {"seed": 1}).complete


def test_a_torn_manifest_is_an_error_naming_file_and_remedy(tmp_path: Path) -> None:
    folder = finished(tmp_path)
    path = folder.dir / "manifest.json"
    text = path.read_bytes()
    for cut in range(0, len(text), 7):
        path.write_bytes(text[:cut])
        with pytest.raises(RunError, match=r"manifest\.json: is torn or no JSON .*; delete it"):
            read_manifest(folder.dir)
    path.write_text("{}")
    with pytest.raises(RunError, match=r"manifest\.json: is no manifest"):
        read_manifest(folder.dir)


def test_a_kill_between_manifest_and_journal_leaves_a_complete_stage(tmp_path: Path) -> None:
    folder = finished(tmp_path)
    folder.journal("samples.jsonl").append([{"id": 1}])
    assert StageFolder(tmp_path, "generate", {"seed": 1}).complete
    assert not list(folder.dir.glob("*.journal"))


WORKER = """
import sys
from pathlib import Path
from deliberant.run.folder import StageFolder
from deliberant.run.run import Run
from deliberant.util.progress import NullProgress

def work(items):
    print("works", flush=True)
    sys.stdin.readline()
    return [{"id": item, "text": "x" * (item % 700)} for item in items]

run = Run.__new__(Run)
run.progress = NullProgress()
folder = StageFolder(Path(sys.argv[1]), "generate", {})
rows = run.in_chunks(folder, "rows.jsonl", list(range(60)), 7, work)
folder.finish(["rows.jsonl"], {"rows": len(rows)})
"""


def start(root: Path) -> subprocess.Popen[str]:
    arguments = [sys.executable, "-c", WORKER, str(root)]
    return subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def test_kill_9_ends_with_the_rows_of_an_undisturbed_run(tmp_path: Path) -> None:
    start(tmp_path / "whole").communicate("\n" * 9)
    for chunks in (0, 3, 2):  # finished before the kill, which comes in the midst of the next
        process = start(tmp_path / "killed")
        assert process.stdin is not None and process.stdout is not None
        for _ in range(chunks):
            assert process.stdout.readline() == "works\n"
            process.stdin.write("\n")
            process.stdin.flush()
        assert process.stdout.readline() == "works\n"
        process.send_signal(signal.SIGKILL)
        process.communicate()
    out, _ = start(tmp_path / "killed").communicate("\n" * 9)
    assert out == "works\n" * 4, "nine chunks, five of them done"
    name = Path("generate") / "rows.jsonl"
    assert (tmp_path / "killed" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    manifests = [read_manifest(tmp_path / each / "generate") for each in ("whole", "killed")]
    assert manifests[0] is not None and manifests[1] is not None
    assert manifests[0]["outputs"] == manifests[1]["outputs"]


def test_work_outside_a_run_is_kept_in_chunks_and_resumed_only_with_its_inputs(tmp_path: Path) -> None:
    asked: list[int] = []
    dying = True

    def work(numbers: Sequence[int]) -> list[Row]:
        if dying and 5 in numbers:
            raise KeyboardInterrupt
        asked.extend(numbers)
        return [{"n": number} for number in numbers]

    def go(inputs: str) -> list[Row]:
        return in_chunks(tmp_path / "o.jsonl", inputs, [1, 2, 3, 4, 5], 2, work, NullProgress(), "x")

    with pytest.raises(KeyboardInterrupt):
        go("a")
    with pytest.raises(UserError, match=r"o\.jsonl\.journal: was begun with another"):
        go("b")
    dying = False
    assert go("a") == go("a") == [{"n": number} for number in range(1, 6)]
    assert asked == [1, 2, 3, 4, 5], "what is done is not done again"
    delete_journal(tmp_path / "o.jsonl")
    assert not list(tmp_path.iterdir())


WRITER = """
import sys
from pathlib import Path
from deliberant.util.journal import in_chunks
from deliberant.util.progress import NullProgress
def work(numbers):
    print("works", flush=True)
    sys.stdin.readline()
    return [{"n": number} for number in numbers]
in_chunks(Path(sys.argv[1]), "a", [1, 2], 1, work, NullProgress(), "x")
"""


def test_two_processes_can_not_write_one_file(tmp_path: Path) -> None:
    to = tmp_path / "sets" / "o.jsonl"

    def go() -> list[Row]:
        return in_chunks(to, "a", [1, 2], 1, lambda some: [{"n": number} for number in some], NullProgress(), "x")

    arguments = [sys.executable, "-c", WRITER, str(to)]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None and other.stdin is not None
        assert other.stdout.readline() == "works\n"
        with pytest.raises(UserError, match=rf"o\.jsonl: process {other.pid} is working here; wait for it to end"):
            go()
        other.stdin.write("\n")
        other.stdin.flush()
        assert other.stdout.readline() == "works\n", "it has closed its journal once, which gives up no lock"
        with pytest.raises(UserError, match="is working here"):
            go()
        other.kill()
    assert go() == [{"n": 1}, {"n": 2}], "what was killed is resumed, its lock is gone with it"
    delete_journal(to)
    assert not list(to.parent.iterdir())
