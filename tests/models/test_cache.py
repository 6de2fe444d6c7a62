"""Kept calls: read back whole, counted on, and whole again after a kill at any byte."""

from pathlib import Path

import pytest

from deliberant.models.cache import Calls, Reply
from deliberant.models.types import Usage
from deliberant.util.errors import RunError

REPLIES = [
    Reply("one\nline", None, "stop", Usage(10, 2, 4)),
    Reply("", "hidden \ud83d\ude00".encode("utf-16", "surrogatepass").decode("utf-16"), "blocked", Usage(0, 0)),
    Reply("cut", "", "length", Usage(7, 3), opened=True),
]


def kept(folder: Path | None) -> Calls:
    calls = Calls(folder)
    for number, reply in enumerate(REPLIES):
        calls.add(str(number), "openai/x", reply)
    return calls


@pytest.mark.parametrize("on_disk", [True, False])
def test_what_was_added_is_found(tmp_path: Path, on_disk: bool) -> None:
    calls = kept(tmp_path / "calls" if on_disk else None)
    assert [calls.find(str(number)) for number in range(3)] == REPLIES
    assert calls.find("3") is None
    assert calls.account.usage == {"openai/x": Usage(17, 5, 4)}


def test_reopened_it_has_all_and_counts_on(tmp_path: Path) -> None:
    kept(tmp_path)
    calls = Calls(tmp_path)
    assert [calls.find(str(number)) for number in range(3)] == REPLIES
    calls.add("3", "openai/x", REPLIES[0])
    assert Calls(tmp_path).account.requests == {"openai/x": 4}
    assert Calls(tmp_path).account.tokens == 34


def test_a_kill_at_any_byte_loses_at_most_the_last_line(tmp_path: Path) -> None:
    whole = kept(tmp_path).file
    assert whole
    data = whole.read_bytes()
    for length in range(0, len(data), 7):
        whole.write_bytes(data[:length])
        calls = Calls(tmp_path)
        lines = data[:length].count(b"\n")
        assert len(calls) == lines
        calls.add("new", "openai/x", REPLIES[1])
        assert [Calls(tmp_path).find(str(number)) for number in range(lines)] == REPLIES[:lines]
        assert Calls(tmp_path).find("new") == REPLIES[1]


def test_damage_is_named(tmp_path: Path) -> None:
    file = kept(tmp_path).file
    assert file
    file.write_bytes(file.read_bytes().replace(b'"text"', b'"txet"', 1))
    with pytest.raises(RunError, match=r"calls\.jsonl:1: is damaged"):
        Calls(tmp_path)
