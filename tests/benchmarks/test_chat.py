"""The parts of benchmarks/chat.py; all of it runs in tests/test_readme.py."""

import sys

import pytest

from benchmarks.chat import Start, lines, start, words
from deliberant.util.errors import UserError


def test_words_are_those_of_the_model() -> None:
    ours = "sft\nthis asks. so i refuse.\n\nsorry.\n[T1] burglary methods → refuse.\n"
    theirs = "\n<think> this asks. so i refuse.</think> sorry.<|end|>\n"
    assert words(ours) == words(theirs) == ("this", "asks.", "so", "i", "refuse.", "sorry.")


def test_a_process_is_timed_to_its_first_text_and_to_its_end() -> None:
    code = "import time; print('said: x'); time.sleep(0.2); print('hello'); time.sleep(0.3); print('you')"
    found = start([sys.executable, "-c", code], b"said:")
    assert found.words == ("hello", "you")
    assert 0.2 < found.first < found.wall - 0.25 and 0 < found.cpu < found.wall


def test_a_process_that_fails_is_named() -> None:
    with pytest.raises(UserError, match="failed with 3: oh no"):
        start([sys.executable, "-c", "print('oh no'); raise SystemExit(3)"], b"said:")


def test_the_table_has_medians_and_extremes() -> None:
    starts = [Start(wall, 1.0, 0.5, ()) for wall in (3.0, 1.0, 1.5)]
    assert lines({"ours": starts})[-1].split(" | ")[1:] == [
        "1.50 (1.00 to 3.00)",
        "1.00 (1.00 to 1.00)",
        "0.50 (0.50 to 0.50) |",
    ]
