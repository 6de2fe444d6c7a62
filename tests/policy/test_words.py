import pytest

from deliberant.policy.words import read_section_lead, read_title


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
        ("Safety", None),
        ("Violates our trust", None),
        ("Edge cases", None),
        ("", None),
    ],
)
def test_a_label_is_its_words_and_little_else(title: str, style: str | None) -> None:
    assert read_title(title).style == style


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
        ("DISALLOWED (1) - instructions", True),
    ],
)
def test_a_label_says_more_than_its_words_and_a_code(title: str, more: bool) -> None:
    assert read_title(title).more == more


@pytest.mark.parametrize(
    ("title", "style"),
    [
        ("Verboten", "refuse"),
        ("Contenu interdit", "refuse"),
        ("Permitido", "comply"),
        ("\u0645\u0645\u0646\u0648\u0639", "refuse"),
        ("\u0645\u062c\u0627\u0632", "comply"),
        ("\u7981\u6b62\u5185\u5bb9", "refuse"),
        ("\u5141\u8bb8", "comply"),
        ("Invalid Content Types (Remove)", "refuse"),
        ("NO SPOILERS (Label: 0)", "comply"),
        ("G (Gambling) \u2013 VIOLATES", "refuse"),
        ("Includes", "refuse"),
        ("Valid (Remove)", None),
    ],
)
def test_labels_of_other_kinds_and_languages(title: str, style: str | None) -> None:
    assert read_title(title).style == style


@pytest.mark.parametrize(
    ("title", "code", "rest"),
    [
        ("SPM1: Bulk offers.", "SPM1", "Bulk offers."),
        ("K1 - Burns", "K1", "Burns"),
        ("(FAKE) Counterfeit", "FAKE", "Counterfeit"),
        ("RA0.a Damage", "RA0.a", "Damage"),
        ("Fair Requests (RA0 - Fair)", "RA0", "Fair Requests (RA0 - Fair)"),
        ("SAFE (0)", "", "SAFE (0)"),
        ("Spam", "", "Spam"),
    ],
)
def test_codes(title: str, code: str, rest: str) -> None:
    assert (read_title(title).code, read_title(title).rest) == (code, rest)


@pytest.mark.parametrize(
    ("line", "section"),
    [
        ("Examples:", "examples"),
        ("**Why:** because", "why"),
        ("\u4f8b\u5b50\uff1a", "examples"),
        ("\u274c Output: NO", "output"),
        ("Colours:", None),
    ],
)
def test_lines_that_begin_a_list(line: str, section: str | None) -> None:
    lead = read_section_lead(line)
    assert (lead and lead.section) == section
