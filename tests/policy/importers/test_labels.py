import pytest

from deliberant.policy.importers.labels import label_style, like_label, says_more


@pytest.mark.parametrize(
    ("title", "style"),
    [
        ("VIOLATES", "refuse"),
        ("Violates: what nobody may ask", "refuse"),
        ("VIOLATING CONTENT (label 1)", "refuse"),
        ("Violations", "refuse"),
        ("**VIOLATES** (1):", "refuse"),
        ("VIOLATES - 1", "refuse"),
        ("1 = violates", "refuse"),
        ("Disallowed uses", "refuse"),
        ("NOT ALLOWED", "refuse"),
        ("not safe", "refuse"),
        ("Forbidden", "refuse"),
        ("NON-VIOLATING", "comply"),
        ("Nonviolating:", "comply"),
        ("NOT VIOLATING (0)", "comply"),
        ("Does not violate the policy", "comply"),
        ("Don\u2019t violate", "comply"),
        ("Not a violation", "comply"),
        ("SAFE", "comply"),
        ("Allowed content", "comply"),
        ("__Safe__:", "comply"),
        ("SAFE WITH CARE [2]", "safe_complete"),
        ("Safe with care:", "safe_complete"),
        ("Safe harbour and legal notes", None),
        ("Allowed labels", None),
        ("SAFE-harbour rules", None),
        ("Safe (harbour) and notes", None),
        ("Safety", None),
        ("Violates our trust", None),
        ("Edge cases", None),
        ("", None),
    ],
)
def test_a_label_is_its_words_and_little_else(title: str, style: str | None) -> None:
    assert label_style(title) == style
    assert not style or like_label(title)


@pytest.mark.parametrize(
    ("title", "more"),
    [
        ("VIOLATES", False),
        ("**VIOLATES** (1):", False),
        ("VIOLATES - 1", False),
        ("1 = violates", False),
        ("VIOLATING CONTENT (label 1)", False),
        ("VIOLATES (refuse)", False),
        ("SAFE WITH CARE (safe_complete)", False),
        ("VIOLATES: only where a real, living person is the target", True),
        ("SAFE (unless a minor is involved)", True),
        ("SAFE (18+)", True),
        ("SAFE (<5)", True),
        ("DISALLOWED (1) - instructions", True),
        ("Edge cases: many", False),
    ],
)
def test_a_label_says_more_than_its_words_and_a_code(title: str, more: bool) -> None:
    assert says_more(title) == more


def test_what_is_like_a_label() -> None:
    assert like_label("Allowed labels") and like_label("Content that violates our rules")
    assert not like_label("Examples of violations") and not like_label("Safety") and not like_label("Spam")
