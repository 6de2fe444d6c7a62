import os
from pathlib import Path

import pytest

from deliberant.util.errors import UserError
from deliberant.util.files import append_durably, check_outputs, write_atomically


@pytest.fixture
def pipe(tmp_path: Path) -> Path:
    os.mkfifo(tmp_path / "pipe")
    return tmp_path / "pipe"


def test_a_pipe_is_never_replaced(pipe: Path, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)  # without one, a writer would wait
    try:
        for path in (pipe, link):
            for write in (write_atomically, append_durably):
                with pytest.raises(UserError, match=f"{path.name}: is a pipe or a device; name a file to write"):
                    write(path, b"new")
            with pytest.raises(UserError, match="is a pipe or a device"):
                check_outputs([None, path], [None])
    finally:
        os.close(reader)
    assert pipe.is_fifo() and link.is_symlink()


def test_a_device_is_never_replaced(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="null: is a pipe or a device"):
        check_outputs([Path("/dev/null")], [])  # which only looks


def test_what_a_link_leads_to_is_written(tmp_path: Path) -> None:
    far = tmp_path / "far"
    far.mkdir()
    target, link = far / "file", tmp_path / "link"
    (tmp_path / "next").symlink_to(target)
    link.symlink_to("next")
    for data in (b"first", b"second"):
        write_atomically(link, data)
        assert link.is_symlink() and target.read_bytes() == data
    append_durably(link, b" and more")
    assert target.read_bytes() == b"second and more"
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["far", "file", "link", "next"]


def test_a_link_to_what_is_read_would_lose_it(tmp_path: Path) -> None:
    file, link = tmp_path / "file", tmp_path / "link"
    file.write_bytes(b"old")
    link.symlink_to(file)
    with pytest.raises(UserError, match="link: is read here and would be lost"):
        check_outputs([link], [file])
    with pytest.raises(UserError, match="link: would be written twice"):
        check_outputs([file, link], [])
    check_outputs([link, tmp_path / "new"], [tmp_path / "none"])
