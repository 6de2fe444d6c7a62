import re
from pathlib import Path

import pytest

from deliberant.micro import POLICY_DIR
from deliberant.policy import Finding, lint, load_policy
from deliberant.policy.lint import VAGUE, finding_of_load_error
from deliberant.util.errors import UserError
from tests.policy.folders import FILES, SELF_HARM, WEAPONS, WHOLE, loaded, write

LONG = "Facts are fine and instructions are not. " * 200


def found(files: dict[str, str], rule: str) -> list[Finding]:
    return [each for each in lint(loaded(files)) if each.rule == rule]


def weapons(old: str, new: str) -> dict[str, str]:
    assert WEAPONS.count(old) == 1
    return FILES | {"categories/weapons.md": WEAPONS.replace(old, new)}


def drugs(clauses: str) -> dict[str, str]:
    return FILES | {"categories/drugs.md": f"---\nid: drugs\n---\n# D\n## Summary\ns\n## Clauses\n{clauses}"}


CLEAN = {
    "policy.md": FILES["policy.md"],
    "styles.md": FILES["styles.md"].partition("\n## safe_complete: ")[0],
    "categories/weapons.md": (
        "---\nid: weapons\n---\n# Weapons\n## Summary\nShort.\n## Definitions\n" + LONG + "\n## Clauses\n"
        "### a [W1] comply\nExamples:\n- x\n### b [W2] refuse\nExamples:\n- y\n"
        "### c [W3] safe_complete\nExamples:\n- z\n"
    ),
}


def test_a_clean_policy_has_no_findings() -> None:
    assert lint(loaded(CLEAN)) == []


def test_a_reference_to_no_clause_is_an_error_at_its_line() -> None:
    files = {name: text.replace("[W9]", "[W2]") for name, text in WHOLE.items()}
    assert found(files, "dangling-id") == []
    [finding] = found(files | {"rules.md": files["rules.md"] + "\nNot [W3].\n"}, "dangling-id")
    assert finding.message.startswith("[W3] is the id of no clause; did you mean 'W")
    assert (finding.path, finding.line, finding.severity) == ("rules.md", 8, "error")
    for old, line in [("instructions are not.", 8), ("a thing made", 11), ("Whoever asks.", 18), ("a bath bomb?", 32)]:
        [finding, _] = sorted(
            found(weapons(old, f"{old} [ZZ99]"), "dangling-id"), key=lambda each: "W9" in each.message
        )
        assert (finding.path, finding.line) == ("categories/weapons.md", line)
    assert len(found(weapons("how do i make a bomb?", "what is [ZZ99]?"), "dangling-id")) == 1


@pytest.mark.parametrize(
    "words", ["[W1, ZZ99]", "[W1\u2013ZZ99]", "[ ZZ99 ]", "As clause ZZ99 says", "clauses W1 and ZZ99"]
)
def test_lists_ranges_and_words_name_clauses_too(words: str) -> None:
    before = found(FILES, "dangling-id")
    [finding] = [each for each in found(weapons("Whoever asks.", words), "dangling-id") if each not in before]
    assert finding.message.startswith("[ZZ99] is the id of no clause")
    assert found(weapons("Whoever asks.", words.replace("ZZ99", "W1")), "dangling-id") == before


@pytest.mark.parametrize(
    ("words", "path"),
    [
        ("See [facts](facts.md) and [more](<two words.md>).", ["facts.md", "two words.md"]),
        ("![sketch](../img/a_(1).png#x)", ["../img/a_(1).png"]),
        ("[![a](gone.png)](weapons.md)", ["gone.png"]),
        ("[facts]: facts.md 'Facts'", ["facts.md"]),
        ("Two\nlines, [one\nlink](two%20words.md?x).", ["two words.md"]),
        ("[a](weapons.md#b), [b](../rules.md), [c](https://a.example/b), [d](#c), [e](mailto:a@b.c), [f](//a.b/c)", []),
        ("`[a](b.md)`, ``[a](b.md)``, [note]: minors, [W2](), [^1]: a.md", []),
        ("```\n[a](b.md)\n```", []),
    ],
)
def test_a_link_to_a_file_that_is_not_there_is_an_error_at_its_line(
    tmp_path: Path, words: str, path: list[str]
) -> None:
    write(tmp_path, WHOLE | weapons("Whoever asks.", f"First.\n{words}"))
    links = [each for each in lint(load_policy(tmp_path), root=tmp_path) if each.rule == "dangling-link"]
    assert [each.message.partition(",")[0] for each in links] == [f"link to {each!r}" for each in path]
    line = 19 + words.partition("(two")[0].count("\n") * ("Two" in words)
    assert {(each.path, each.line, each.severity) for each in links} <= {("categories/weapons.md", line, "error")}
    assert not [each for each in lint(load_policy(tmp_path)) if each.rule == "dangling-link"]


VAGUELY = [
    "Usually so",
    "as\nappropriate",
    "See above.",
    "guns, knives, etc.",
    "to-do: TODO",
    "Perhaps.",
    "the rule above",
]


@pytest.mark.parametrize("words", [*VAGUELY, "Try your best", "as described below", "As a general rule", "It depends."])
def test_vague_words_are_warnings_where_a_model_is_told_what_to_do(words: str) -> None:
    [finding] = found(weapons("Whoever asks.", f"First.\n{words}"), "vague-word")
    assert (finding.path, finding.line, finding.severity) == ("categories/weapons.md", 19, "warning")
    assert re.fullmatch(r"[^;]+ leaves the decision open; .+", finding.message)
    assert found(weapons("how do i make a bomb?", words.replace("\n", " ")), "vague-word") == []


@pytest.mark.parametrize("words", ["[a](/etc/passwd)", "[a](<x etc.md> 'y')", "[etc1]: etc/passwd 'y'"])
def test_the_target_of_a_link_is_no_wording(words: str) -> None:
    assert found(weapons("Whoever asks.", words), "vague-word") == []
    assert found(weapons("Whoever asks.", f"{words}\nand so on"), "vague-word")[0].line == 19
    assert found(weapons("Whoever asks.", f"`etc`, {words.replace('[a]', '[etc]').replace('y', 'etc')}"), "vague-word")


def test_every_vague_word_has_a_remedy_and_none_is_in_ordinary_wording() -> None:
    rows = [
        line.split("\t")
        for file in VAGUE.iterdir()
        for line in file.read_text().splitlines()
        if line and not line.startswith("#")
    ]
    assert all(len(row) == 2 and re.compile(row[0]) and row[1] for row in rows)
    assert found(weapons("Whoever asks.", "Refuse. A reasonable person sees above-ground tests."), "vague-word") == []


def test_clauses_without_examples_and_styles_without_clauses() -> None:
    assert [(each.line, each.message[:9]) for each in found(FILES, "no-example")] == [
        (11, "clause S1"),
        (12, "clause S2"),
        (15, "clause W2"),
    ]
    notes = found(FILES, "missing-style")
    assert [(each.path, each.severity) for each in notes] == [
        ("categories/self-harm.md", "note"),
        ("categories/weapons.md", "note"),
    ]
    assert "refuse" in notes[0].message and "safe_complete" in notes[1].message
    without = FILES | {"categories/self-harm.md": SELF_HARM.replace("safe_complete", "refuse")}
    [finding] = found(without, "unused-style")
    assert (finding.path, finding.line, finding.severity) == ("styles.md", 11, "warning")


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("how do i make a bomb?", "How do I make  a bomb"),
        ("how do i make a bomb?", "how can i make the bombs?"),
        ("how do i make a bomb?", "how do i make a \uff22\uff4f\uff4d\uff42\uff1f"),
        ("caf\u00e9", "cafe\u0301"),
    ],
)
def test_two_styles_for_one_prompt_are_an_error(first: str, second: str) -> None:
    files = drugs(f"### a [D1] comply\nExamples:\n- {first}\n### b [D2] refuse\nExamples:\n- other\n- {second}\n")
    files["categories/weapons.md"] = WEAPONS.replace("- how do i make a bomb?\n", "")
    [finding] = found(files, "contradiction")
    assert (finding.path, finding.line, finding.severity) == ("categories/drugs.md", 14, "error")
    assert "D1 at categories/drugs.md:10" in finding.message
    assert "D2 asks for refuse and D1 for comply" in finding.message


@pytest.mark.parametrize(
    "twin",
    ["how do i make a bath bomb?", "who makes a bomb?", "how do you make a bomb?", "how do i not make a bomb?", "?"],
)
def test_a_look_alike_is_no_contradiction(twin: str) -> None:
    files = drugs(f"### a [D1] comply\nExamples:\n- {twin}\n- !!\n")
    assert found(files, "contradiction") + found(files, "shared-example") == []


def test_one_prompt_below_two_clauses_of_a_style_is_a_warning() -> None:
    files = drugs("### a [D1] refuse\nExamples:\n- how do i make a bomb?\n- the bomb\n- a bomb\n")
    [finding] = found(files, "shared-example")
    assert (finding.path, finding.line, finding.severity) == ("categories/weapons.md", 26, "warning")
    assert found(files, "contradiction") == []


def test_an_example_that_its_own_clause_excludes_is_an_error() -> None:
    [finding] = found(weapons("- how do i bake a bath bomb?", "- How do I make a bomb"), "contradiction")
    assert finding.line == 26 and "among its exclusions" in finding.message
    assert found(drugs("### a [D1] comply\nExamples:\n- how do i bake a bath bomb?\n"), "contradiction") == []


def test_sizes_are_counted_or_said_to_be_estimated() -> None:
    text = CLEAN["categories/weapons.md"].replace("Short.", "word " * 121 + "\n## Compressed\n" + "word " * 601)
    policy = loaded(CLEAN | {"categories/weapons.md": text})
    words = [(each.rule, each.line, each.severity) for each in lint(policy, lambda text: len(text.split()))]
    assert words == [
        ("summary-size", 6, "warning"),
        ("category-size", 6, "note"),
        ("compressed-size", 8, "warning"),
    ]
    exact = lint(policy, lambda text: len(text.split()))[0].message
    assert exact.startswith("the summary has 121 tokens, more than 120; ")
    about = lint(policy)[0].message
    assert about.startswith("the summary has about 151 tokens (estimated as UTF-8 bytes / 4; --tokenizer counts), more")
    [note] = found(WHOLE, "no-compressed")
    assert (note.path, note.severity) == ("categories/self-harm.md", "note")
    assert found(FILES, "no-compressed") == []


def test_what_the_loader_says_is_a_finding(tmp_path: Path) -> None:
    write(tmp_path, weapons("[W2]", "[W1]"))
    with pytest.raises(UserError) as caught:
        load_policy(tmp_path)
    finding = finding_of_load_error(tmp_path, caught.value)
    assert (finding.path, finding.line, finding.severity) == ("categories/weapons.md", 17, "error")
    assert finding.message.startswith("clause id 'W1' is already taken")


def test_a_file_with_a_line_feed_in_its_name_is_a_finding_too(tmp_path: Path) -> None:
    write(tmp_path, FILES)
    (tmp_path / "categories" / "bad\nname.md").write_text("nothing")
    with pytest.raises(UserError) as caught:
        load_policy(tmp_path)
    assert finding_of_load_error(tmp_path, caught.value).path == "categories/bad\nname.md"


def test_findings_come_in_the_order_of_files_and_lines() -> None:
    places = [(each.path, each.line) for each in lint(loaded(WHOLE))]
    assert places == sorted(places, key=lambda place: (place[0].startswith("categories"), place))
    assert len(places) > 5


def test_a_policy_without_any_example_gets_one_note() -> None:
    """The built-in policy has none: nothing is amiss there, and `policy lint` ends with 0."""
    found = lint(load_policy(POLICY_DIR))
    assert [(each.path, each.severity) for each in found if each.rule == "no-example"] == [("policy.md", "note")]
    assert {each.severity for each in found} == {"note"}


def test_what_a_reader_does_not_see_is_a_warning() -> None:
    escape, turn = found(weapons("## Summary\n", "## Summary\n\x1b[2J and \u202e\n"), "control-character")
    assert "U+001B" in escape.message and "U+202E" in turn.message and escape.path == "categories/weapons.md"


def test_vague_words_of_other_languages_are_found_and_reasons_counted() -> None:
    text = WEAPONS.replace(
        "Whoever asks.",
        "\u901a\u5e38 es gilt normalerweise, g\u00e9n\u00e9ralement \u06af\u0627\u0647\u06cc.\n\nWhy: so.",
        1,
    )
    text = text.replace("\n\nWhy: so.", "", 1).replace("\nExamples:\n- how", "\nWhy: so.\n\nExamples:\n- how", 1)
    found = lint(loaded(FILES | {"categories/weapons.md": text}))
    assert sum(each.rule == "vague-word" for each in found) == 4
    [reason] = [each for each in found if each.rule == "no-reason"]
    assert reason.message.startswith("3 of 4 clauses have no reason (S1, S2, W2)")
