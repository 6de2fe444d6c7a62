import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deliberant.policy import Policy, print_policy
from deliberant.policy.importers import Imported, export_policy, import_policy, save_policy
from deliberant.policy.importers.headings import section
from deliberant.util.errors import UserError
from tests.policy.folders import WHOLE, loaded
from tests.policy.test_printer import policies

FOREIGN = """# Spam (#SP)
GOAL: find spam.

## Definitions
**spam**: promotion that nobody asked for

## VIOLATES (1)
Promotion without a relation.

- SP2.a Cold promotion \u2013 \u201cCheck out my shop\u201d
- **SP2.b** Irrelevant advertisements
  in long threads

### SP4: Phishing
Whoever asks for passwords.

Examples:
- your account is locked

## SAFE (0)
SP0.a Useful request

## EXAMPLES
### one
| text | label |

# AMBIGUITY
Ask.
"""


def imported(folder: Path, text: str) -> Imported:
    file = folder / "policy.txt"
    file.write_bytes(text.encode())
    return import_policy(file)


@settings(max_examples=60, deadline=None)
@given(policies())
def test_what_is_exported_is_imported_as_it_was(tmp_path_factory: pytest.TempPathFactory, policy: Policy) -> None:
    found = imported(tmp_path_factory.mktemp("single"), export_policy(policy))
    assert (found.policy, found.policy.hash, found.warnings) == (policy, policy.hash, ())


@pytest.mark.parametrize(
    "intro",
    [
        "# STYLES\n\n## refuse\nno",
        "\\# x\n  \\\\# y",
        "Version: 2",
        "# CATEGORY a: b",
        "```\n# code\n```",
        "#tag",
        "\\#tag",
        "",
    ],
)
def test_an_introduction_that_looks_like_the_file_survives(tmp_path: Path, intro: str) -> None:
    policy = replace(loaded(WHOLE), intro=intro)
    assert imported(tmp_path, export_policy(policy)).policy == policy


def test_an_order_that_names_do_not_have_is_kept(tmp_path: Path) -> None:
    policy = loaded(WHOLE)
    policy = replace(policy, categories=policy.categories[::-1])
    found = imported(tmp_path, export_policy(policy)).policy
    save_policy(found, tmp_path / "saved")
    assert found == policy == loaded(print_policy(found))


def test_a_file_by_another_hand(tmp_path: Path) -> None:
    found = imported(tmp_path, FOREIGN)
    assert [(count.what, count.found, count.imported) for count in found.counts] == [
        ("categories", 1, 1),
        ("rules", 4, 4),
    ]
    [category] = found.policy.categories
    assert (found.policy.name, category.id, found.policy.intro) == ("Spam (#SP)", "spam-sp", "GOAL: find spam.")
    assert [(each.id, each.style, each.title) for each in category.clauses] == [
        ("SP201", "refuse", "Cold promotion"),
        ("SP202", "refuse", "Irrelevant advertisements"),
        ("SP4", "refuse", "Phishing"),
        ("SP001", "comply", "Useful request"),
    ]
    assert category.clauses[0].examples == ("Check out my shop",)
    assert category.clauses[1].text == "Code in the source: SP2.b.\n\n  in long threads"
    assert category.clauses[2].examples == ("your account is locked",)
    for text in ("promotion that nobody asked for", "Promotion without a relation.", "| text | label |"):
        assert text in category.definitions
    assert found.policy.rules == "## AMBIGUITY\n\nAsk."
    assert len(found.remarks) == 5
    assert loaded(print_policy(found.policy)) == found.policy


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ("# Spam (#SP)", "Spam", 1, "another beginning than a title"),
        ("### SP4: Phishing", "### Phishing", 14, "rule 'Phishing' has no code"),
        ("SP2.b", "SP2.a", 11, "code SP201 is already taken on line 10"),
        ("GOAL: find spam.", "```", 2, "code fence ``` is never closed"),
        (FOREIGN[FOREIGN.index("Promotion with") :], "", 1, "has no rules"),
        (FOREIGN[FOREIGN.index("## Def") :], "", 1, "has no rules"),
        ("- your account is locked\n", "", 17, "`Examples:` is not followed by a list"),
        ("## SAFE (0)", "## DEFINITIONS", 20, "section DEFINITIONS again"),
    ],
)
def test_mistakes_are_named_with_their_line(tmp_path: Path, old: str, new: str, line: int, words: str) -> None:
    assert FOREIGN.count(old) == 1
    with pytest.raises(
        UserError, match=rf"policy\.txt:{line}: {re.escape(words)}|policy\.txt:{line}: .*{re.escape(words)}"
    ):
        imported(tmp_path, FOREIGN.replace(old, new))


def test_an_exported_file_cut_anywhere_is_an_error_or_counts_what_is_left(tmp_path: Path) -> None:
    text = export_policy(loaded(WHOLE))
    for end in range(0, len(text), 17):
        try:
            found = imported(tmp_path, text[:end])
        except UserError as error:
            assert re.match(r"\S+/policy\.txt:\d+: [^\n]+; [^\n]+\Z", str(error)), str(error)
        else:
            assert all(count.found == count.imported for count in found.counts)


CAPITALS = """SPAM POLICY (#SP)

Find spam.

INSTRUCTIONS
Answer 0 or 1.

DEFINITIONS:
- spam: promotion that nobody asked for

VIOLATES (1)
- Cold promotion
- Advertisements, such as:
  posters
- PHISHING

SAFE (0)
- Useful requests

EXAMPLES
Content: "buy now"
Answer: 1
"""
BOLD = (
    CAPITALS.replace("SPAM POLICY (#SP)", "**Spam policy (#SP)**")
    .replace("INSTRUCTIONS", "**Instructions**")
    .replace("DEFINITIONS:", "**Definitions:**")
    .replace("VIOLATES (1)", "**Violates** (1)")
    .replace("SAFE (0)", "__Does not violate (0)__")
    .replace("EXAMPLES", "**EXAMPLES**:")
)
ODD = ["```", "x", "# y", "SP1.a z", "- SP1.b z", "1. Cold promotion", "  - Cold promotion", "**Non-violating:**"]


@pytest.mark.parametrize(("text", "name"), [(CAPITALS, "SPAM POLICY (#SP)"), (BOLD, "Spam policy (#SP)")])
def test_lines_in_capitals_or_bold_are_headings_where_there_are_none(tmp_path: Path, text: str, name: str) -> None:
    found = imported(tmp_path, text)
    [category] = found.policy.categories
    assert (found.policy.name, found.policy.intro) == (name, "Find spam.")
    assert [(each.id, each.style, each.title, each.line) for each in category.clauses] == [
        ("SPS1", "refuse", "Cold promotion", 12),
        ("SPS2", "refuse", "Advertisements, such as:", 13),
        ("SPS3", "refuse", "PHISHING", 15),
        ("SPS4", "comply", "Useful requests", 18),
    ]
    assert category.clauses[1].text.strip() == "posters"
    for kept in ("Answer 0 or 1.", "- spam: promotion", 'Content: "buy now"\nAnswer: 1'):
        assert kept in category.definitions
    assert [(count.what, count.found, count.imported) for count in found.counts][1] == ("rules", 4, 4)
    assert "no Markdown headings: 5 lines in capitals, in bold or with a grade were read as such" in found.remarks[0]
    assert "category spam-policy-sp: 4 rules have no code that can be an id; they are SPS1 to SPS4 now" in found.remarks
    assert loaded(print_policy(found.policy)) == found.policy


def test_a_file_that_begins_with_a_section_is_named_after_itself(tmp_path: Path) -> None:
    found = imported(tmp_path, "VIOLATES\n- a\n\nSAFE\nSP1 b\nSP2.a c\n\nNOTES\nx")
    assert found.policy.name == "policy" and "and the file's name 'policy' as the title" in found.remarks[0]
    assert [(each.id, each.title, each.line) for each in found.policy.categories[0].clauses] == [
        ("SP201", "c", 6),
        ("P1", "a", 2),
    ]
    assert "SP1 b" in found.policy.categories[0].definitions and "#### NOTES" in found.policy.categories[0].definitions
    with pytest.raises(UserError, match=r"policy\.txt:1: category 'policy' has no rules"):
        imported(tmp_path, "VIOLATES\nnothing\n")


@pytest.mark.parametrize(
    ("line", "title"),
    [
        ("VIOLATES (1)", "VIOLATES (1)"),
        ("**SAFE WITH CARE** [2]:", "SAFE WITH CARE [2]"),
        ("**Key terms**", "Key terms"),
        ("RED FLAGS", "RED FLAGS"),
        ("VIOLATES - 1", "VIOLATES - 1"),
        ("NOT ALLOWED (1): real people", "NOT ALLOWED (1): real people"),
        ("Violates: real people", None),
        ("SAFETY: real people", None),
        ("**Spam**", None),
        ("Definitions", None),
        ("SP2 COLD PROMOTION", None),
        ("DO NOT DO THIS.", None),
        ("- VIOLATES", None),
        ("1. SAFE", None),
        ("**SP2.a** X", None),
        ("NO", None),
        ("****", None),
        ("", None),
    ],
)
def test_what_stands_for_a_section(line: str, title: str | None) -> None:
    assert section(line) == title


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from([*CAPITALS.splitlines(), *BOLD.splitlines(), *ODD])))
def test_any_lines_are_imported_in_full_or_refused_with_their_line(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str]
) -> None:
    try:
        found = imported(tmp_path_factory.mktemp("any"), "\n".join(lines))
    except UserError as error:
        assert re.match(r"\S+/policy\.txt:[1-9]\d*: [^\n]+; [^\n]+\Z", str(error)), str(error)
    else:
        assert all(count.found == count.imported for count in found.counts)
        text = "\n".join(print_policy(found.policy).values())
        for word in ("Answer 0 or 1.", "Cold promotion", "Useful requests", "Content:"):
            assert text.count(word) >= sum(word in line for line in lines)


GRADED = """Plant Care Policy (#PC)
GOAL: sort posts into VALID and INVALID.

DEFINITIONS
Overwatering: more than once a day.

\u2705 Fine to post (PC0 \u2013 no or few signs)
Posts that help.
PC0.a Watering plan \u2013 \u201cHow often do I water a fern?\u201d


PC0.b Photos

 \u2705 Output: VALID as it may be harmless (PC0)


\u26d4 Doubtful (PC2 - medium)
PC2.a Salt water \u2013 \u201cWater it from the sea\u201d
 \u274c Output: INVALID
\U0001f6a8 Forbidden (PC3)
PC3.a Paint on leaves
Output: INVALID + ESCALATE

NOTES
If unsure (PC2)
"""
GRADED_BOLD = """**Plant Care Policy (#PC)**

**Fine to post (PC0 \u2013 no or few signs)**

- **PC0.a Watering plan** -- "How often do I water a fern?"
- **PC0.b Photos**

  **Output:** VALID as it may be harmless (PC0)

**Doubtful (PC2 \u2013 medium)**
- **PC2.a Salt water** \u2013 \u201cWater it from the sea\u201d
  **Output:** INVALID

**Forbidden (PC3)**
- **PC3.a Paint on leaves**
  **Output:** INVALID + ESCALATE
"""


@pytest.mark.parametrize("text", [GRADED, GRADED_BOLD])
def test_sections_with_a_grade_have_the_style_of_their_output(tmp_path: Path, text: str) -> None:
    found = imported(tmp_path, text)
    [category] = found.policy.categories
    assert [(each.id, each.style, each.title, each.text, each.examples) for each in category.clauses] == [
        ("PC001", "comply", "Watering plan", "Code in the source: PC0.a.", ("How often do I water a fern?",)),
        ("PC002", "comply", "Photos", "Code in the source: PC0.b.", ()),
        ("PC201", "refuse", "Salt water", "Code in the source: PC2.a.", ("Water it from the sea",)),
        ("PC301", "refuse", "Paint on leaves", "Code in the source: PC3.a.", ()),
    ]
    assert (found.counts[1].found, found.counts[1].imported, found.warnings) == (4, 4, ())
    kept = ["Fine to post (PC0", "VALID as it may be", "Doubtful (PC2", "Forbidden (PC3)", "INVALID + ESCALATE"]
    for each in kept + ["Posts that help.", "Overwatering", "#### NOTES\n\nIf unsure (PC2)"] * (text == GRADED):
        assert category.definitions.count(each) == 1
    assert loaded(print_policy(found.policy)) == found.policy
    assert imported(tmp_path, export_policy(found.policy)).policy == found.policy


@pytest.mark.parametrize(
    ("items", "ids"),
    [
        ("- W2: bombs\n- W1: guns\n", {"W2": "bombs", "W1": "guns"}),
        ("1. W2 bombs\n2. W1 guns\n", {"W2": "bombs", "W1": "guns"}),
        ("- **W2**: bombs\n- **W1: guns** of *any* kind\n", {"W2": "bombs", "W1": "guns of *any* kind"}),
        ("- W2: bombs\n- guns\n", {"W2": "bombs", "P1": "guns"}),
        ("- F16 jets\n- guns\n", {"P1": "F16 jets", "P2": "guns"}),
        ("- SP1.a mail\n- W2: bombs\n", {"SP101": "mail", "W2": "bombs"}),
    ],
)
def test_the_codes_of_listed_rules_are_their_ids(tmp_path: Path, items: str, ids: dict[str, str]) -> None:
    found = imported(tmp_path, f"# P\n## VIOLATES\n{items}")
    assert [(each.id, each.title) for each in found.policy.clauses.values()] == list(ids.items())
    assert (found.counts[1].found, found.counts[1].imported, found.warnings) == (2, 2, ())
    assert any("have no code" in remark for remark in found.remarks) == ("P1" in ids)


@pytest.mark.parametrize("mark", ["", "- "])
def test_codes_of_two_digits_and_capital_letters_are_rules_too(tmp_path: Path, mark: str) -> None:
    rules = f"{mark}PC2.a Salt water\n{mark}PC2.B Sea water\n"
    severe = f"## Severe (PC10 - severe)\n{mark}PC10.a Paint\nOutput: INVALID\n"
    found = imported(tmp_path, f"# P\n## VIOLATES\n{rules}{severe}")
    assert [(each.id, each.title, each.text) for each in found.policy.clauses.values()] == [
        ("PC201", "Salt water", "Code in the source: PC2.a."),
        ("PC202", "Sea water", "Code in the source: PC2.B."),
        ("P1", "Paint", "Code in the source: PC10.a."),
    ]
    assert (found.counts[1].found, found.counts[1].imported, found.warnings) == (3, 3, ())
    assert "category p: 1 rules have no code that can be an id; they are P1 now" in found.remarks
    for code in ("PC2.d", "PC10.d"):
        with pytest.raises(UserError, match=rf"policy\.txt:5: rule {code} has no condition; write `{code} <when"):
            imported(tmp_path, f"# P\n## VIOLATES\n{rules}{mark}{code}\n")


@pytest.mark.parametrize("output", ["", "Output: 2", "Output: VALID or INVALID", "Output: VALID\nOutput: INVALID"])
def test_a_grade_without_one_output_is_listed(tmp_path: Path, output: str) -> None:
    found = imported(tmp_path, GRADED.replace(" \u274c Output: INVALID", output))
    [warning] = found.warnings
    assert ":17: section '\u26d4 Doubtful (PC2 - medium)' is no label, so what it lists is kept" in warning
    assert "PC2.a Salt water" in found.policy.categories[0].definitions


def test_words_and_a_code_are_a_section_only_above_that_codes_rules(tmp_path: Path) -> None:
    text = GRADED.replace("\U0001f6a8", "more on this (PC2)\n\U0001f6a8").replace("PC2.a", "- or this (PC2)\nPC2.a")
    found = imported(tmp_path, text)
    assert "no Markdown headings: 5 lines" in found.remarks[0]
    titles = ["Watering plan", "Photos", "Salt water", "Paint on leaves", "or this (PC2)"]
    assert [each.title for each in found.policy.clauses.values()] == titles


def test_a_title_with_a_code_is_a_title_where_sections_follow(tmp_path: Path) -> None:
    found = imported(tmp_path, "Plants (PC2)\n\nVIOLATES\nPC2.a Salt water\n")
    assert (found.policy.name, list(found.policy.clauses)) == ("Plants (PC2)", ["PC201"])
    assert imported(tmp_path, "Allowed (PC2)\nPC2.a Salt water\n").policy.name == "policy"


def test_a_style_option_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.md").write_text(FOREIGN)
    with pytest.raises(UserError, match="has its own styles"):
        import_policy(tmp_path / "x.md", style="refuse")


def test_a_policy_is_saved_whole_and_never_over_another(tmp_path: Path) -> None:
    policy = loaded(WHOLE)
    save_policy(policy, tmp_path / "new")
    with pytest.raises(UserError, match="is not empty"):
        save_policy(policy, tmp_path / "new")
    broken = replace(policy, intro="trailing blanks \nare lost")
    with pytest.raises(UserError, match="does not read back"):
        save_policy(broken, tmp_path / "other")
    broken = replace(policy, rules="# Rules")
    with pytest.raises(UserError, match=r"other/rules\.md:3: a second title.*nothing was written"):
        save_policy(broken, tmp_path / "other")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["new"]


def test_categories_with_the_same_initials_get_codes_that_are_free(tmp_path: Path) -> None:
    text = "# P\n\n# CATEGORY fraud: Fraud\n## VIOLATES\n- a\n- b\n\n# CATEGORY fire: Fire\n## VIOLATES\n- c\n"
    coded = "\n# CATEGORY other: Other\n## SAFE\n### F1: d\n### FI1: e\n"
    for end, ids in (("", ["F1", "F2", "FI1"]), (coded, ["F2", "F3", "FI2", "F1", "FI1"])):
        found = imported(tmp_path, text + end)
        assert [each.id for category in found.policy.categories for each in category.clauses] == ids


def test_more_rules_than_codes_are_refused(tmp_path: Path) -> None:
    rules = "# P\n## VIOLATES\n" + "- a\n" * 999
    assert imported(tmp_path, rules).policy.clauses["P999"].line == 1001
    with pytest.raises(UserError, match=r"policy\.txt:1002: rule 1000 without a code in category 'p', .*; give rules"):
        imported(tmp_path, rules + "- a\n")


def styles(found: Imported) -> dict[str, str]:
    return {clause.title: clause.style for clause in found.policy.clauses.values()}


@pytest.mark.parametrize(
    "items", ["- c\n- d\n", "1. c\n2. d\n", "* c\n+ d\n", "  - c\n    - of c\n  - d\n", "\u2022 c\n1) d\n"]
)
@pytest.mark.parametrize("label", ["NON-VIOLATING", "Safe:", "**Not violating** (0)"])
def test_lists_of_any_kind_below_a_label_are_rules(tmp_path: Path, label: str, items: str) -> None:
    found = imported(tmp_path, f"# P\n## VIOLATES\n- a\n- b\n\n## {label}\n{items}")
    assert styles(found) == {"a": "refuse", "b": "refuse", "c": "comply", "d": "comply"}
    assert (found.counts[1].found, found.counts[1].imported, found.warnings) == (4, 4, ())


def test_rules_with_and_without_a_code_stand_beside_each_other(tmp_path: Path) -> None:
    text = "# P\n## VIOLATES\n- first\n- SP1.a cold promotion\n  - by mail\n- link farms\n\n### W1: third\n- its text\n"
    found = imported(tmp_path, text)
    assert [(each.id, each.title, each.text) for each in found.policy.clauses.values()] == [
        ("SP101", "cold promotion", "Code in the source: SP1.a.\n\n  - by mail"),
        ("W1", "third", "- its text"),
        ("P1", "first", ""),
        ("P2", "link farms", ""),
    ]
    assert (found.counts[1].found, found.counts[1].imported, found.warnings) == (4, 4, ())


@pytest.mark.parametrize(
    ("text", "line", "words", "counts"),
    [
        ("## SAFE\nSP1.a mail\n- link farms", 6, "list item kept in the text of rule SP1.a; ", (2, 2)),
        ("## SAFE\n\nNewsletters", 6, "a label's text without a list is kept in the definitions; ", (1, 1)),
        ("## Allowed labels\n- 0\n- 1", 4, "section 'Allowed labels' is no label, so what it lists is kept", (1, 1)),
        ("## What violates\nSP1.a x", 4, "section 'What violates' is no label, so what it lists is kept", (1, 1)),
        ("## SAFE\n\nD1: art\nD2: music\n\n- gardening", 6, "'D1:' begins what may be a rule", (2, 2)),
        ("## SAFE\nExamples:\n- gardening", 5, "'Examples:' begins what may be a rule or an example", (2, 2)),
        ("## SAFE\n| W7 | tanks |\n- toys", 5, "'|' begins what may be a rule", (2, 2)),
        ("## SAFE\na. toys\n- x", 5, "'a.' begins what may be a rule", (2, 2)),
        ("## SAFE\n> - quoted\n- x", 5, "'>' begins what may be a rule", (2, 2)),
        (
            "# Violence\n## SAFE\n- films",
            4,
            "section 'Violence' has labels of its own, but is kept in rules.md",
            (1, 1),
        ),
    ],
)
def test_what_may_be_a_rule_and_became_none_is_listed(
    tmp_path: Path, text: str, line: int, words: str, counts: tuple[int, int]
) -> None:
    found = imported(tmp_path, f"# P\n## VIOLATES\n- a\n{text}\n")
    [warning] = found.warnings
    assert warning.startswith(f"{tmp_path / 'policy.txt'}:{line}: {words}")
    assert (found.counts[1].found, found.counts[1].imported) == counts


def test_what_a_label_says_beside_its_style_is_kept_and_a_label_without_rules_is_listed(tmp_path: Path) -> None:
    titles = ["VIOLATES: only where a real person is the target", "SAFE (unless a minor is involved)", "SAFE (0)"]
    text = f"# P\n## {titles[0]}\n- a\n## {titles[1]}\n- b\n## {titles[2]}\n- c\n## DISALLOWED - weapons\n## SAFE\n"
    found = imported(tmp_path, text)
    assert styles(found) == {"a": "refuse", "b": "comply", "c": "comply"}
    assert found.policy.categories[0].definitions == "\n\n".join(
        f"#### {title}" for title in [*titles[:2], "DISALLOWED - weapons"]
    )
    remedy = "write each rule as `- <when it applies>`"
    assert found.warnings == (
        f"{tmp_path / 'policy.txt'}:8: label 'DISALLOWED - weapons' has no rule below it; {remedy}",
        f"{tmp_path / 'policy.txt'}:9: label 'SAFE' has no rule below it; {remedy}",
    )


def test_a_title_with_labels_beside_categories_is_listed(tmp_path: Path) -> None:
    found = imported(tmp_path, "# Hate\n## VIOLATES\n- slurs\n# CATEGORY b: B\n## SAFE\n- films\n")
    [warning] = found.warnings
    assert warning.endswith(
        "policy.txt:1: section 'Hate' has labels of its own, but is kept in policy.md; "
        "write `# CATEGORY hate: ...` for a category"
    )


def test_marks_that_close_a_heading_are_no_part_of_it(tmp_path: Path) -> None:
    text = "# P\nVersion: 3\n# CATEGORY a: Arms\n## SUMMARY\nsum\n## VIOLATES\n### W1: bombs in C#\ntext\n"
    closed = re.sub(r"^(#+) (.*)$", r"\1 \2 \1", text, flags=re.MULTILINE)
    assert imported(tmp_path, closed).policy == imported(tmp_path, text).policy
    assert imported(tmp_path, text).policy.categories[0].clauses[0].title == "bombs in C#"


@pytest.mark.parametrize("rule", ["- W1 - bombs", "- W1 \u2014 bombs", "### W1 -- bombs", "### W1: bombs"])
def test_a_dash_behind_a_code_is_no_part_of_the_rule(tmp_path: Path, rule: str) -> None:
    [clause] = imported(tmp_path, f"# P\n## VIOLATES\n{rule}\n").policy.categories[0].clauses
    assert (clause.id, clause.title) == ("W1", "bombs")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("# CATEGORY Self Harm: X\n## SAFE\n- d\n", "4: 'CATEGORY Self Harm: X' names no category; write `# CATEGORY "),
        ("\nExamples:\n- make a bomb\n", "5: `Examples:` stands between the items of a list of rules; write these "),
    ],
)
def test_what_can_be_told_apart_in_no_way_is_refused(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(UserError) as caught:
        imported(tmp_path, f"# P\n## VIOLATES\n- W1: bombs\n{text}")
    assert str(caught.value).startswith(f"{tmp_path / 'policy.txt'}:{words}")


def test_a_label_at_the_level_of_titles_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"policy\.txt:4: label 'SAFE' is no part of a category; write it with `##`"):
        imported(tmp_path, "# P\n## VIOLATES\n- a\n# SAFE\n- b\n")
