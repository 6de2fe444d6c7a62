import io
import re
import sys
import threading
from collections.abc import Iterator

import pytest

from deliberant.cli.console import RichProgress, StepProgress, figure_lines, pretraining_line, print_stream
from deliberant.micro.measure import Figure
from deliberant.models import split


def test_a_stream_is_split_as_it_comes(capsys: pytest.CaptureFixture[str]) -> None:
    pieces = ["<think>rule", " [W1] says <b", "> no</th", "ink>i can", "not ", "help [x]."]
    parts = print_stream(split("".join(pieces[: end + 1])) for end in range(len(pieces)))
    shown = capsys.readouterr()
    assert (parts.reasoning, parts.answer) == ("rule [W1] says <b> no", "i cannot help [x].")
    assert shown.out == "i cannot help [x].\n"
    assert shown.err.strip() == "rule [W1] says <b> no"


def test_an_unclosed_stream_shows_no_answer(capsys: pytest.CaptureFixture[str]) -> None:
    parts = print_stream(split("<think>so i will tell"[:end]) for end in (7, 12, 21))
    shown = capsys.readouterr()
    assert parts.answer == "" and shown.out == "\n"
    assert shown.err == "so i will tell\n"


def test_a_report_of_pretraining_is_one_line() -> None:
    row = {"step": 50, "tokens": 1_250_000, "loss": 0.75, "tokens_per_s": 5000}
    assert pretraining_line(row, 20_000_000) == "1.25M of 20.00M tokens  loss 0.7500  5000 tokens/s  1:02:30 left"
    line = pretraining_line({**row, "tokens": 20_000_100, "exact": {"free": 0.5, "copy": 1.0}}, 20_000_000)
    assert line.endswith("0:00:00 left  exact turns: free 50%  copy 100%")


def test_figures_are_a_table_that_grows_as_they_come() -> None:
    asked = []

    def measured() -> Iterator[Figure]:
        for figure in (
            Figure("rejects", 0.98, 0.97, 1.0, 1000, 0.97),
            Figure("decodes", 0.5, 0.4, 0.6, 90, 0.97),
            Figure("style", float("nan"), 0.0, 1.0, 0, None),
        ):
            asked.append(figure)
            yield figure

    lines = figure_lines(measured())
    head = next(lines)
    assert not asked
    first = next(lines)
    assert len(asked) == 1
    table = [head, first, *lines]
    assert [line.split() for line in table] == [
        ["figure", "value", "%", "95%", "interval", "n", "target", "%"],
        ["rejects", "98.0", "97.0", "to", "100.0", "1000", "97.0", "pass"],
        ["decodes", "50.0", "40.0", "to", "60.0", "90", "97.0", "miss"],
        ["style", "nan", "0.0", "to", "100.0", "0", "-"],
    ]
    ends = [head.index("interval") + len("interval"), *(re.search(r"to +\S+", line).end() for line in table[1:])]  # type: ignore[union-attr]
    assert len(set(ends)) == 1, "columns are aligned"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_ctrl_c_leaves_the_terminal_as_it_was_without_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    terminal, threads = Terminal(), set(threading.enumerate())
    monkeypatch.setattr(sys, "stderr", terminal)
    with pytest.raises(KeyboardInterrupt), RichProgress()("sft", 3) as bar:
        bar.advance()
        assert "\x1b[?25l" in terminal.getvalue(), "the cursor is hidden meanwhile"
        raise KeyboardInterrupt
    assert sys.stderr is terminal
    assert terminal.getvalue().rfind("\x1b[?25h") > terminal.getvalue().rfind("\x1b[?25l"), "a hidden cursor"
    for thread in set(threading.enumerate()) - threads:
        thread.join(30)
        assert not thread.is_alive(), "it draws on"


def test_a_brief_bar_stands_below_the_other_and_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr("deliberant.cli.console.LATE", -1)
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    progress = RichProgress()
    with progress("generate", 3) as outer:
        with progress("tokens", 96, brief=True) as bar:
            assert "tokens" not in terminal.getvalue(), "it has to last"
            bar.advance()
            with progress("loading micro", 1, brief=True):
                pass
        shown = terminal.getvalue()
        assert "1/96" in shown and "loading micro" in shown
        outer.advance(3)
    assert "96" not in terminal.getvalue()[len(shown) :] and "3/3" in terminal.getvalue()


def test_without_a_terminal_a_brief_bar_says_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    with RichProgress()("loading micro", 1, brief=True) as bar:
        bar.advance()
    assert capfd.readouterr() == ("", "")


def test_brief_bars_are_not_told_of(capfd: pytest.CaptureFixture[str]) -> None:
    told: list[tuple[str, int, int]] = []
    progress = StepProgress(lambda *step: told.append(step))
    with progress("generate", 3) as outer, progress("tokens", 96, brief=True) as bar:
        bar.advance(96)
        outer.advance(3)
    assert told == [("generate", 3, 0), ("generate", 3, 3)] and capfd.readouterr() == ("", "")
