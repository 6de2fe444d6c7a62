import pytest

from deliberant.names import nearest


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
    assert nearest(name, known) == remedy
