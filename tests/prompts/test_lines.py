from codecs import BOM_UTF8
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deliberant.prompts.lines import Line, lines, text_of
from deliberant.util.errors import UserError


@given(st.lists(st.binary(max_size=8).map(lambda data: data.replace(b"\n", b"")), max_size=6), st.booleans())
def test_lines_are_the_file(tmp_path_factory: pytest.TempPathFactory, parts: list[bytes], ended: bool) -> None:
    path = tmp_path_factory.getbasetemp() / "lines"
    data = b"\n".join(parts) + b"\n" * ended
    path.write_bytes(data)
    found = list(lines(path, limit=9))
    assert b"".join(line.data for line in found) == data.removeprefix(BOM_UTF8)
    assert [line.number for line in found] == list(range(1, len(found) + 1))
    assert all(data[line.offset :].startswith(line.data) for line in found)


def test_a_line_over_the_limit_is_named_and_not_read(tmp_path: Path) -> None:
    path = tmp_path / "long.jsonl"
    with path.open("wb") as file:
        file.write(b"{}\n")
        file.truncate(100 * 2**20)  # one line of zeros that takes no disk
    found = lines(path)
    assert next(found).data == b"{}\n"
    with pytest.raises(UserError, match=r"long\.jsonl:2: is longer than 16 MiB"):
        next(found)


def test_a_file_that_is_not_there_or_breaks_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match="none: can not read it \\(No such file"):
        list(lines(tmp_path / "none"))
    with pytest.raises(UserError, match="can not read it \\(Is a directory\\)"):
        list(lines(tmp_path))


def test_what_is_not_utf_8_is_named_with_its_line_and_byte(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"x:3: is not UTF-8 \(byte 0xff at 2\)"):
        text_of(Line(3, 0, b"a\xff"), Path("x"))


def test_a_byte_order_mark_is_the_files_and_not_the_first_lines(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(BOM_UTF8 + b"a\n" + BOM_UTF8 + b"b\n")
    assert list(lines(tmp_path / "x")) == [(1, 3, b"a\n"), (2, 5, BOM_UTF8 + b"b\n")]
