import re
from pathlib import Path

import pytest

from deliberant.policy import print_policy
from deliberant.policy.importers import Imported, Wishes, import_policy
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
    return import_policy(write(folder, files) / "spec.md", Wishes(style="safe_complete"))


def counts(found: Imported) -> list[tuple[int, int]]:
    return [(each.found, each.imported) for each in found.counts if not each.what.startswith("lines")]


def test_everything_is_imported_and_counted(tmp_path: Path) -> None:
    found = imported(tmp_path, FILES)
    assert counts(found) == [(2, 2), (2, 2), (5, 5)]
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
    assert policy.category("stay_safe").definitions.startswith("Safety first, see [?](#no_bombs)[^zz00].\n\n")
    assert "#### Weapons {#weapons_area}\n\nLoose text." in policy.category("stay_safe").definitions
    assert policy.clause("S1").examples[0].startswith("[^ef56] hello\n\n~~~xml")
    assert "## Overview" in policy.intro and "**Example**: how messages look\n\n~~~xml" in policy.intro


def test_the_format_is_recognised_and_the_style_must_be_named(tmp_path: Path) -> None:
    write(tmp_path, FILES)
    with pytest.raises(UserError, match="model-spec sources have no response styles; name one"):
        import_policy(tmp_path / "spec.md")


def test_without_example_files_the_remarks_say_so(tmp_path: Path) -> None:
    found = imported(tmp_path, {"spec.md": SPEC})
    assert counts(found) == [(2, 2), (2, 2), (2, 2)]
    assert any(remark.startswith("no folder") for remark in found.remarks)


def test_what_is_skipped_is_listed(tmp_path: Path) -> None:
    extra = {"examples/gone.md": BOMBS.replace("ab12", "gone").replace("bombs", "guns")}
    after = BOMBS + "\n\nAfter.\n"
    spec = {"spec.md": SPEC.replace("(#be_kind)", "(#be_rude)"), "examples/ab12.md": after}
    found = imported(tmp_path, FILES | extra | spec)
    lines = sorted(re.sub(r"^.*/", "", warning) for warning in found.warnings)
    assert [line.partition(": ")[0] for line in lines] == ["ab12.md:15", "gone.md:1", "spec.md:23"]
    assert "text outside the conversations is skipped" in lines[0] and "link to #be_rude" in lines[2]
    assert "no section has the footnote [^gone]" in lines[1]


@pytest.mark.parametrize(
    ("name", "old", "new", "line", "words"),
    [
        ("spec.md", "<user>x</user>\n~~~", "<user>x</user>", 46, "code fence ~~~ is never closed"),
        ("examples/ab12.md", "Examples for", "For", 1, "no line `Examples for [^ab12] in <section>:`"),
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
    for end in range(SPEC.index("### Never") + 60, len(SPEC) - 1, 23):
        (tmp_path / "spec.md").write_text(SPEC[:end])
        try:
            found = import_policy(tmp_path / "spec.md", Wishes(style="comply"))
        except UserError as error:
            assert re.match(r"\S+spec\.md:\d+: [^\n]+; [^\n]+\Z", str(error)), str(error)
        else:
            assert found.warnings or "Be kind {#be_kind authority=guideline tags=a_b}" in SPEC[:end]
            assert loaded(print_policy(found.policy)) == found.policy
