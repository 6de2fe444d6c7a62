import pytest
from hypothesis import given
from hypothesis import strategies as st

from deliberant.util.names import one_line, suggest_name


@pytest.mark.parametrize(
    ("name", "known", "remedy"),
    [
        ("Refusal", ["comply", "refuse"], "did you mean 'refuse'?"),
        ("SAFE-COMPLETE", ["comply", "safe_complete"], "did you mean 'safe_complete'?"),
        ("w1", ["W1", "W2"], "did you mean 'W1'?"),
        ("bogus", ["comply", "refuse"], "known are: comply, refuse"),
        ("", ["only"], "known are: only"),
        ("x", [], "known are: none"),
    ],
)
def test_the_remedy_is_the_nearest_name_or_all_of_them(name: str, known: list[str], remedy: str) -> None:
    assert suggest_name(name, known) == remedy


@given(st.text())
def test_text_of_others_is_one_printable_line(text: str) -> None:
    shown = one_line(text)
    assert shown.isprintable() and len(shown) < 2100
    assert not text.isprintable() or len(text) > 2000 or shown == text


def test_long_text_keeps_its_beginning_and_its_end() -> None:
    assert one_line("\x1b[2Jé\n\ud800") == "\\x1b[2Jé\\n\\ud800"
    assert one_line("a" * 9 + "remedy", 10) == "aaaaa ... (5 letters) ... emedy"
