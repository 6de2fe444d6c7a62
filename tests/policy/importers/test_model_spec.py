import re
from pathlib import Path

import pytest

from deliberant.policy import print_policy
from deliberant.policy.importers import Imported, import_policy
from deliberant.util.errors import UserError
from tests.policy.folders import loaded, write

SPEC = """# Overview {#overview}

What this is.

## Structure {#structure}

**Example**: how messages look

~~~xml
<user>hello</user>
~~~

# Stay safe {#stay_safe}

Safety first, see [?](#no_bombs)[^zz00].

## Weapons {#weapons_area}

Loose text.

### Never help with bombs {#no_bombs authority=root}

Do not[^ab12]. See [?](#be_kind).

**Example**: a request
over two lines

~~~xml
<user>
# functions
**Example**: not one
```python
## not a heading {#x authority=root}
```
</user>
<assistant> <!-- GOOD -->
No.
</assistant>
~~~

!!! meta "Commentary"
    Why.

**Example**: another

~~~xml
<user>x</user>
~~~

#### Details {#details}

More of it.

# Style {#style}

## Be kind {#be_kind authority=guideline tags=a_b}

Kindly.
"""
BOMBS = """Examples for [^ab12] in Never help with bombs:

**Example**: first

~~~xml
<user>how?</user>
~~~

**Example**: second

~~~xml
<user>why?</user>
~~~"""
TITLED = """Examples for [^ef56] in Be kind:

**Example**: hello

~~~xml
<user>hi</user>
~~~
"""
LOOSE = BOMBS.replace("ab12", "zz00").replace("Never help with bombs", "Stay safe")
FILES = {"spec.md": SPEC, "examples/ab12.md": BOMBS, "examples/ef56.md": TITLED, "examples/zz00.md": LOOSE}


def imported(folder: Path, files: dict[str, str]) -> Imported:
    return import_policy(write(folder, files) / "spec.md", "model-spec", "safe_complete")


def counts(found: Imported) -> list[tuple[int, int]]:
    return [(count.found, count.imported) for count in found.counts]


def test_everything_is_imported_and_counted(tmp_path: Path) -> None:
    found = imported(tmp_path, FILES)
    assert counts(found) == [(2, 2), (6, 6), (3, 3), (3, 3), (5, 5)]
    assert found.warnings == ()
    assert "safe_complete is the style of all 2 clauses" in found.remarks[0]
    policy = found.policy
    assert loaded(print_policy(policy)) == policy
    assert [category.id for category in policy.categories] == ["stay_safe", "style"]
    bombs = policy.clause("SS1")
    assert (bombs.title, bombs.style) == ("Never help with bombs", "safe_complete")
    assert bombs.text == (
        "`{#no_bombs authority=root}`\n\nDo not[^ab12]. See [?](#be_kind).\n\n"
        '!!! meta "Commentary"\n    Why.\n\n#### Details {#details}\n\nMore of it.'
    )
    assert [example.splitlines()[0] for example in bombs.examples] == [
        "a request",
        "another",
        "[^ab12] first",
        "[^ab12] second",
    ]
    assert bombs.examples[0].endswith("No.\n</assistant>\n~~~") and "## not a heading" in bombs.examples[0]
    assert policy.category("stay_safe").summary == "Never help with bombs."
    assert policy.category("stay_safe").definitions.startswith(
        "Safety first, see [?](#no_bombs)[^zz00].\n\n**Example**: [^zz00]"
    )
    assert "#### Weapons {#weapons_area}\n\nLoose text." in policy.category("stay_safe").definitions
    assert policy.clause("S1").examples[0].startswith("[^ef56] hello\n\n~~~xml")
    assert "# Overview {#overview}" in policy.intro and "**Example**: how messages look\n\n~~~xml" in policy.intro


def test_the_format_is_recognised_and_the_style_must_be_named(tmp_path: Path) -> None:
    write(tmp_path, FILES)
    with pytest.raises(UserError, match="--style: a model-spec source has no response styles; name the one"):
        import_policy(tmp_path / "spec.md")


def test_without_example_files_the_remarks_say_so(tmp_path: Path) -> None:
    found = imported(tmp_path, {"spec.md": SPEC})
    assert counts(found) == [(2, 2), (6, 6), (3, 3), (0, 0), (0, 0)]
    assert found.remarks[-1].startswith("no folder")


def test_what_is_skipped_is_listed(tmp_path: Path) -> None:
    extra = {"examples/gone.md": BOMBS.replace("ab12", "gone").replace("bombs", "guns"), "examples/x.txt": "x"}
    text = SPEC.replace("<user>x</user>", "").replace("**Example**: another\n\n~~~xml\n\n~~~", "**Example**: another")
    found = imported(tmp_path, FILES | extra | {"spec.md": text.replace("(#be_kind)", "(#be_rude)")})
    assert counts(found) == [(2, 2), (6, 6), (3, 3), (4, 3), (7, 5)]
    lines = sorted(re.sub(r"^.*/", "", warning) for warning in found.warnings)
    assert [line.partition(": ")[0] for line in lines] == ["gone.md:1", "spec.md:23", "spec.md:44", "x.txt:1"]
    assert "no section has the footnote [^gone]" in lines[0] and "link to #be_rude" in lines[1]
    assert "an example without a conversation; it stays in the text" in lines[2]
    assert "**Example**: another" in found.policy.clause("SS1").text


def test_text_of_an_example_file_that_is_in_no_conversation_is_listed(tmp_path: Path) -> None:
    text = BOMBS.replace("~~~\n\n**Ex", "~~~\nBetween.\n\n**Ex") + "\n\nAfter.\n\n**Example**: third\n\nNothing.\n"
    found = imported(tmp_path, FILES | {"examples/ab12.md": text})
    what = "text outside the conversations is skipped; move it into one, or into the section"
    assert sorted(found.warnings) == [
        f"{tmp_path / 'examples/ab12.md'}:16: {what}",
        f"{tmp_path / 'examples/ab12.md'}:18: an example without a conversation; it is skipped",
        f"{tmp_path / 'examples/ab12.md'}:8: {what}",
    ]
    assert counts(found) == [(2, 2), (6, 6), (3, 3), (3, 3), (5, 5)]


def test_a_footnote_whose_example_file_is_gone_is_listed(tmp_path: Path) -> None:
    found = imported(tmp_path, {name: text for name, text in FILES.items() if name != "examples/ab12.md"})
    assert (counts(found)[3], found.warnings) == ((2, 2), ())
    assert found.remarks[-1] == "the source has no example file for [^ab12] (line 23); is its folder whole?"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("**Example**: another", "**Example**: [^zzzz] another"),
        ("Kindly.", "Kindly.\n\n~~~\n**Example**: how to write one\n~~~"),
    ],
)
def test_what_only_looks_like_an_example_of_a_file_or_of_the_text_is_not_counted(
    tmp_path: Path, old: str, new: str
) -> None:
    assert [a == b for a, b in counts(imported(tmp_path, {"spec.md": SPEC.replace(old, new)}))] == [True] * 5
    assert counts(imported(tmp_path, FILES | {"spec.md": SPEC.replace(old, new)}))[2] == (3, 3)


@pytest.mark.parametrize("closing", ["~~~~", "  ~~~"])
def test_a_conversation_is_closed_by_what_closes_a_fence(tmp_path: Path, closing: str) -> None:
    text = "<user>x</user>\n~~~"
    plain = imported(tmp_path, FILES)
    found = imported(tmp_path, FILES | {"spec.md": SPEC.replace(text, text.replace("~~~", closing) + "\n\nAfter.")})
    assert not found.warnings and found.counts == plain.counts


def test_a_conversation_that_swallows_the_next_is_listed(tmp_path: Path) -> None:
    found = imported(tmp_path, FILES | {"spec.md": SPEC.replace("No.\n</assistant>\n~~~\n", "No.\n</assistant>\n")})
    [warning] = found.warnings
    assert warning.startswith(f"{tmp_path / 'spec.md'}:45: a conversation opens within another")


@pytest.mark.parametrize(
    ("name", "old", "new", "line", "words"),
    [
        ("spec.md", "<user>x</user>\n~~~", "<user>x</user>", 46, "code fence ~~~ is never closed"),
        ("spec.md", "Kindly.", "Kindly.\n\nExamples:\n- x", 60, "a line `Examples:` would start a list"),
        ("spec.md", "authority=guideline tags=a_b}", "authority=guideline", 56, "attributes that are not understood"),
        ("spec.md", "# Style {#style}", "# Style {#stay_safe}", 54, "has the anchor `stay_safe` of the one on line 13"),
        ("spec.md", "# Style {#style}", "# Style {#styles}", 54, "`styles`, which is a heading of the spec view"),
        ("spec.md", "# Overview {#overview}", "## Overview {#overview}", 1, "below no `#` heading"),
        ("examples/ab12.md", "Examples for", "For", 1, "no line `Examples for [^key] in <section>:`"),
        ("examples/ab12.md", "[^ab12]", "[^ab13]", 1, "name the file ab13.md"),
    ],
)
def test_mistakes_are_named_with_their_line(
    tmp_path: Path, name: str, old: str, new: str, line: int, words: str
) -> None:
    assert FILES[name].count(old) == 1
    with pytest.raises(UserError) as caught:
        imported(tmp_path, FILES | {name: FILES[name].replace(old, new)})
    assert str(caught.value).startswith(f"{tmp_path / name}:{line}: ") and words in str(caught.value)


def test_a_file_that_is_cut_anywhere_is_an_error_or_lists_what_is_missing(tmp_path: Path) -> None:
    write(tmp_path, FILES)
    for end in range(0, len(SPEC) - 1, 11):
        (tmp_path / "spec.md").write_text(SPEC[:end])
        try:
            found = import_policy(tmp_path / "spec.md", "model-spec", "comply")
        except UserError as error:
            assert re.match(r"\S+spec\.md:\d+: [^\n]+; [^\n]+\Z", str(error)), str(error)
        else:
            assert found.warnings or "Be kind {#be_kind authority=guideline tags=a_b}" in SPEC[:end]
            assert loaded(print_policy(found.policy)) == found.policy


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("spec.md", "**Example**: another"),
        ("spec.md", "**Example**: how messages look"),
        ("examples/ab12.md", "**Example**: first"),
        ("examples/zz00.md", "**Example**: first"),
    ],
)
def test_an_example_without_a_title_is_one(tmp_path: Path, name: str, title: str) -> None:
    assert FILES[name].count(title) == 1
    found = imported(tmp_path, FILES | {name: FILES[name].replace(title, "**Example**:")})
    assert counts(found)[2:] == [(3, 3), (3, 3), (5, 5)]
    assert loaded(print_policy(found.policy)) == found.policy


def test_an_anchor_of_two_sections_is_listed(tmp_path: Path) -> None:
    found = imported(tmp_path, FILES | {"spec.md": SPEC.replace("{#be_kind ", "{#no_bombs ").replace("(#be_kind)", "")})
    what = "anchor #no_bombs is that of the section on line 21, too; give one of the two another"
    assert found.warnings == (f"{tmp_path / 'spec.md'}:56: {what}",)


@pytest.mark.parametrize(("tag", "found_sections"), [("authority=user", 3), ("tags=a", 2)])
def test_an_underlined_heading_is_listed_and_counted(tmp_path: Path, tag: str, found_sections: int) -> None:
    found = imported(tmp_path, FILES | {"spec.md": f"{SPEC}\nRule {{#x {tag}}}\n----\n\nDo.\n"})
    assert counts(found)[0] == (found_sections, 2)
    [warning] = found.warnings
    assert warning.startswith(f"{tmp_path / 'spec.md'}:60: heading 'Rule {{#x {tag}}}' is underlined, so it is text")
    assert f"Rule {{#x {tag}}}\n----\n\nDo." in found.policy.clause("S1").text


def test_a_rule_of_dashes_below_a_heading_is_no_underline(tmp_path: Path) -> None:
    text = SPEC.replace("Kindly.", "Kindly.\n\n---").replace("tags=a_b}\n", "tags=a_b}\n---\n")
    assert imported(tmp_path, FILES | {"spec.md": text}).warnings == ()
