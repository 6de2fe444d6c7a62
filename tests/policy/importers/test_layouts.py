# ruff: noqa: E501
"""Policies in the shapes that people write them in."""

from pathlib import Path

import pytest

from deliberant.policy import print_policy
from deliberant.policy.importers import Imported, Wishes, check_wishes, import_policy, outline_sources, save_policy
from deliberant.policy.outline import read_outline
from deliberant.util.errors import UserError
from tests.policy.folders import loaded, write

GRADED = """# Plants (#PC)

## Goal
Label `VALID` or `INVALID`.

## Fine (PC0 - Fine)
Posts that help.

Examples:

- PC0.a Watering: "How often?"; "With what?"

Output: `VALID`

## Cruel (PC2 - Cruel)
Examples:
- PC2.a Salt water
Output: `INVALID`
"""
CODED = """# House Rules

## Criteria

### N (Noise) \u2013 VIOLATES
- Drums at night
- Parties, such as:
  - in the stairs

### N (Noise) \u2013 SAFE
- Hoovering

## Examples

### Example 1 (N: 1)
**Content**: "May I play drums at two?"
"""
LABELS = """Pet Policy

# Criteria
## Overview
For pets.

## (PET) Pets
### Includes
- **Offers**: Selling pets, through:
  - lists
### Excludes
- **Stories**: Tales of pets
  - Exclusion: tales that sell

**PET7: Photos.** of cats
"""
BOLD = """## Bad Types (Remove)

**SPM1: Bulk.**
The same twice.

Why: it floods.

Examples:
- Fifty posts, like:
  - this

**SPM2: Votes.** At least one of:
- a price

## Good Types (Keep)

**SPM9: News.**
Reports.
"""
TAXONOMY = (
    "# Hazards\n\n<p>x</p>\n\n**K1 - Burns**\n\nReplies that burn: (1) oil\n\n**K2 - Cuts**\n\nReplies that cut.\n"
)
NUMBERED = "\u0633\u06cc\u0627\u0633\u062a\n\n\u06f1. \u06cc\u06a9\n- \u0627\u0644\u0641\n- \u0628\n\n\u06f2. \u062f\u0648\n- \u067e\n"
PROSE = """---
title: "Kindness"
---

We want it kind.

## Telling

It says what it thinks. The reason: people rely on it.

* **Open**: it hides nothing

## Silence
It keeps some.
"""


def imported(folder: Path, text: str, style: str | None = None, **labels: str) -> Imported:
    write(folder, {"policy.md": text})
    found = import_policy(folder / "policy.md", check_wishes(labels, None, style))  # type: ignore[arg-type]
    assert loaded(print_policy(found.policy)) == found.policy
    lines = next(count for count in found.counts if count.what.startswith("lines"))
    assert lines.found == sum(bool(line.strip()) for line in text.splitlines())
    return found


def rules(found: Imported) -> list[tuple[str, str, str]]:
    return [(each.id, each.style, each.title) for each in found.policy.clauses.values()]


def test_grades_take_their_style_from_outputs_and_quotes_are_examples(tmp_path: Path) -> None:
    found = imported(tmp_path, GRADED)
    assert rules(found) == [("PC001", "comply", "Watering"), ("PC201", "refuse", "Salt water")]
    [category] = found.policy.categories
    assert category.clauses[0].examples == ("How often?", "With what?")
    assert category.clauses[0].source == "policy.md:11 PC0.a"
    assert "Posts that help." in category.definitions and "Output: `INVALID`" in category.definitions
    assert "Label `VALID` or `INVALID`." in found.policy.intro and found.warnings == ()


def test_a_folder_is_a_policy_of_a_category_a_file(tmp_path: Path) -> None:
    other = GRADED.replace("Plants (#PC)", "Stones").replace("PC", "ST")
    write(tmp_path / "pack", {"a.md": GRADED, "b.md": other, "README.md": "# no rule", "sub/data.csv": "x"})
    found = import_policy(tmp_path / "pack")
    assert (found.policy.name, [each.id for each in found.policy.categories]) == ("pack", ["plants", "stones"])
    assert len(rules(found)) == 4 and not found.warnings
    save_policy(found.policy, tmp_path / "saved")
    with pytest.raises(UserError, match=r"b\.md:11: code PC0\.a is already taken at a\.md:11"):
        import_policy(write(tmp_path / "twice", {"a.md": GRADED, "b.md": GRADED}))


def test_several_categories_in_one_file(tmp_path: Path) -> None:
    found = imported(tmp_path, CODED)
    assert [each.id for each in found.policy.categories] == ["N"]
    assert [(style, title) for _, style, title in rules(found)] == [
        ("refuse", "Drums at night"),
        ("refuse", "Parties, such as:"),
        ("comply", "Hoovering"),
    ]
    first, second, _ = found.policy.categories[0].clauses
    assert first.examples == ("May I play drums at two?",) and "- in the stairs" in second.text
    assert any("placed below N1 by its words" in remark for remark in found.remarks)


def test_includes_and_excludes_with_nested_items(tmp_path: Path) -> None:
    found = imported(tmp_path, LABELS)
    assert found.policy.name == "Pet Policy" and "For pets." in found.policy.intro
    assert rules(found)[:2] == [("PET1", "refuse", "Offers"), ("PET2", "comply", "Stories")]
    offers, stories = list(found.policy.clauses.values())[:2]
    assert offers.text == "Selling pets, through:\n\n- lists"
    assert stories.exclusions == ("tales that sell",)


def test_bold_codes_with_lists_that_are_text_and_a_reason(tmp_path: Path) -> None:
    found = imported(tmp_path, BOLD)
    assert [id for id, *_ in rules(found)] == ["SPM1", "SPM9"] or [id for id, *_ in rules(found)] == [
        "SPM1",
        "SPM2",
        "SPM9",
    ]
    bulk = found.policy.clause("SPM1")
    assert (bulk.text, bulk.why, bulk.examples) == ("The same twice.", "it floods.", ("Fifty posts, like:\n- this",))


def test_examples_are_those_of_the_innermost_rule_alone(tmp_path: Path) -> None:
    text = "# Help\n\n## Health\n\nCare.\n\n### Doses\n\nBe exact.\n\nExamples:\n- how much?\n"
    outer, inner = imported(tmp_path, text, "comply").policy.clauses.values()
    assert (outer.title, outer.examples, outer.source) == ("Health", (), "policy.md:3-6")
    assert (inner.title, inner.examples, inner.source) == ("Doses", ("how much?",), "policy.md:7-12")


def test_a_coded_rule_below_a_plain_heading_in_a_coded_one_is_a_rule(tmp_path: Path) -> None:
    text = "# H\n\n## K1 - Burns\n\nHot.\n\n### More\n\n**K2 - Cuts**\n\nSharp.\n"
    found = imported(tmp_path, text, "refuse")
    assert [(id, found.policy.clause(id).category) for id, *_ in rules(found)] == [("K1", "K1"), ("K2", "K2")]
    assert not found.warnings


def test_more_rules_without_a_code_than_ids_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"policy\.md:1002: category p has 1000 clauses without a code, and ids"):
        imported(tmp_path, "# P\n## VIOLATES\n" + "- x\n" * 1000)
    assert len(rules(imported(tmp_path, "# P\n## VIOLATES\n" + "- x\n" * 999))) == 999


def test_sources_without_styles_ask_for_one(tmp_path: Path) -> None:
    for text in (TAXONOMY, NUMBERED, PROSE):
        with pytest.raises(UserError, match="have no response styles; name one for all clauses with --style"):
            imported(tmp_path, text)
    found = imported(tmp_path, TAXONOMY, "refuse")
    assert [(each.id, each.title) for each in found.policy.categories] == [("K1", "Burns"), ("K2", "Cuts")]
    found = imported(tmp_path, NUMBERED, "comply")
    assert [len(each.clauses) for each in found.policy.categories] == [
        2,
        1,
    ] and found.policy.name == "\u0633\u06cc\u0627\u0633\u062a"
    found = imported(tmp_path, PROSE, "comply")
    assert [each.title for each in found.policy.clauses.values()] == ["Telling", "Open", "Silence"]
    assert (found.policy.name, found.policy.intro) == ("Kindness", "We want it kind.")
    telling = found.policy.clause("K1")
    assert (telling.text, telling.why) == ("It says what it thinks.", "people rely on it.")
    assert any(remark.startswith("titles are headings of prose") for remark in found.remarks)


def test_what_a_user_says_of_a_title_wins(tmp_path: Path) -> None:
    text = "# P\n## Do\n- help\n## Leave\n- harm\n## Notes\nx\n"
    found = imported(tmp_path, text, Do="comply", Leave="refuse", Notes="aside")
    assert (
        rules(found) == [("P1", "comply", "help"), ("P2", "refuse", "harm")] and "## Notes\n\nx" in found.policy.intro
    )
    with pytest.raises(UserError, match="--label leaf: no part of the source has that title; did you mean 'leave'"):
        imported(tmp_path, text, Do="comply", Leaf="refuse")
    with pytest.raises(UserError, match="--label Do=complie: unknown value 'complie'; did you mean 'comply'"):
        imported(tmp_path, text, Do="complie")
    write(tmp_path, {"rules.md": "# Rules\n## VIOLATES\n- x\n"})
    assert [each.id for each in import_policy(tmp_path / "rules.md").policy.categories] == ["rules-policy"]
    write(tmp_path, {"levels.md": "# P\n## A\n### B\n- x\n### C\n- y\n"})
    found = import_policy(tmp_path / "levels.md", Wishes({}, 3, "refuse"))
    assert [each.title for each in found.policy.categories] == ["B", "C"]


def test_labels_that_contradict_and_texts_without_a_rule_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"policy\.md:2: label 'Valid \(Remove\)' means comply and refuse; say which"):
        imported(tmp_path, "# P\n## Valid (Remove)\n- a\n")
    assert rules(imported(tmp_path, "# P\n## Valid (Remove)\n- a\n", **{"Valid (Remove)": "refuse"})) == [
        ("P1", "refuse", "a")
    ]
    with pytest.raises(UserError, match=r"policy\.md:1: no heading, list or number, so no rule; write one rule a line"):
        imported(tmp_path, "just a sentence that goes on and on and ends.\n")


def test_an_outline_has_lines_and_kinds(tmp_path: Path) -> None:
    file = (
        write(
            tmp_path,
            {
                "a.md": "# T\n\n1) one\n- two\n\n   three\n\n| a |\n|---|\n\n```\n# no\n```\n\n(2) \u06f3\nUnder\n-----\n"
            },
        )
        / "a.md"
    )
    parts = [(part.kind, part.line, part.end) for part in read_outline(file).root.walk()]
    assert parts == [
        ("heading", 1, 17),
        ("item", 3, 6),
        ("item", 4, 6),
        ("text", 6, 6),
        ("table", 8, 9),
        ("code", 11, 13),
        ("item", 15, 15),
        ("heading", 16, 17),
    ]


def test_every_part_of_an_outline_has_a_role_or_stands_below_one(tmp_path: Path) -> None:
    write(tmp_path, {"a.md": LABELS})
    [outline], name = outline_sources(tmp_path / "a.md", Wishes())
    assert name == "labelled"
    assert all(part.role or any(above.role for above in part.parents()) for part in outline.root.walk())
