import pytest

from deliberant.console import print_stream


def test_a_stream_is_split_as_it_comes(capsys: pytest.CaptureFixture[str]) -> None:
    pieces = ["<thi", "nk>rule", " [W1] says <b", "> no</th", "ink>i can", "not ", "help [x]."]
    parts = print_stream(pieces, prefilled=False)
    shown = capsys.readouterr()
    assert (parts.reasoning, parts.answer) == ("rule [W1] says <b> no", "i cannot help [x].")
    assert shown.out == "i cannot help [x].\n"
    assert shown.err.strip() == "rule [W1] says <b> no"


def test_an_unclosed_stream_shows_no_answer(capsys: pytest.CaptureFixture[str]) -> None:
    parts = print_stream(["<think>", "so i", " will tell"], prefilled=False)
    shown = capsys.readouterr()
    assert parts.answer == "" and shown.out == "\n"
    assert shown.err == "so i will tell"
