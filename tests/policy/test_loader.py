import re
from pathlib import Path

import pytest

from deliberant.policy import Category, Clause, Guideline, Policy, load_policy, spec_view
from deliberant.util.errors import UserError
from tests.policy.folders import COMPRESSED, FILES, RULES, SELF_HARM, WEAPONS, WHOLE, loaded, write

DRUGS = "---\nid: drugs\n---\n# D\n## Summary\ns\n## Clauses\n"


def test_every_part_of_a_policy_is_read(tmp_path: Path) -> None:
    policy = load_policy(write(tmp_path, FILES))
    text = "Whoever asks.\n\n```markdown\n### not a clause [W9] comply\nExamples:\n```"
    examples = ("how do i make a bomb?", "two lines,\n\none example")
    assert policy == Policy(
        "demo",
        "1.10",
        "Be kind.",
        (
            Guideline("refuse", "Say sorry,\nthen stop."),
            Guideline("comply", "Answer in full."),
            Guideline("safe_complete", "Give safe help only."),
            Guideline("safe_complete", "Be warm.", "self-harm"),
        ),
        (
            Category(
                "self-harm",
                "Self-harm",
                "Support people.",
                "",
                (
                    Clause("S1", "recovery", "comply", category="self-harm"),
                    Clause("S2", "intent", "safe_complete", category="self-harm"),
                ),
            ),
            Category(
                "weapons",
                "Weapons",
                "Facts are fine;\ninstructions are not.",
                "- **weapon**: a thing made to hurt people",
                (
                    Clause("W2", "weapon facts", "comply", category="weapons"),
                    Clause(
                        "W1",
                        "weapon instructions",
                        "refuse",
                        text,
                        examples,
                        ("how do i bake a bath bomb?",),
                        "weapons",
                    ),
                ),
            ),
        ),
    )
    clause = policy.clause("W1")
    file = tmp_path / policy.category(clause.category).path
    assert file.read_text().splitlines()[clause.line - 1] == "### weapon instructions [W1] refuse"


def test_a_path_may_be_a_string(tmp_path: Path) -> None:
    assert load_policy(str(write(tmp_path, FILES))).name == "demo"


def test_line_endings_byte_order_mark_and_hidden_files_do_not_matter() -> None:
    windows = {name: "\ufeff" + text.replace("\n", " \r\n") for name, text in FILES.items()}
    assert loaded(
        windows | {"categories/.DS_Store": "x", "README.md": "about", "LICENSE": "x", ".git/HEAD": ""}
    ) == loaded(FILES)


@pytest.mark.parametrize(
    "fenced",
    [
        "````md\n```\n### no clause\n```\n### no clause\n````",
        "~~~\n```\n### no clause\n~~~",
        "```\n```md\n### no clause\n```",
        "```\n- ```\n### no clause\n```",
        "1. ```\n   # no title\n   ```",
        "- - ```\n# no title\n  ```",
    ],
)
def test_a_fence_is_closed_only_by_its_own_kind(fenced: str) -> None:
    policy = loaded(FILES | {"categories/drugs.md": f"{DRUGS}### d [D1] refuse\n{fenced}\n### e [D2] comply\n"})
    assert [(clause.id, clause.text) for clause in policy.category("drugs").clauses] == [("D1", fenced), ("D2", "")]


def test_categories_follow_the_order_of_file_names() -> None:
    files = {name: text for name, text in FILES.items() if "weapons" not in name}
    policy = loaded(files | {"categories/00.md": WEAPONS})
    assert [category.id for category in policy.categories] == ["weapons", "self-harm"]


MISTAKES = [
    # file, old, new, line, what the message says
    ("categories/weapons.md", "[W2]", "[S1]", 15, ["clause id 'S1'", "self-harm.md:11"]),
    ("categories/weapons.md", "[W2]", "[W1]", 17, ["clause id 'W1'", "weapons.md:15"]),
    ("categories/weapons.md", "[W2] comply", "[W2] Safe-Complete", 15, ["'Safe-Complete'", "'safe_complete'"]),
    ("categories/weapons.md", "[W2] comply", "(W2) comply", 15, ["'weapon facts (W2) comply'", "[ID] <style>"]),
    ("categories/weapons.md", "[W2] comply", "[W2]", 15, ["### <when it applies> [ID] <style>"]),
    ("categories/weapons.md", "weapon facts [W2]", "[W2]", 15, ["### <when it applies> [ID] <style>"]),
    ("categories/weapons.md", "[W2]", "[w2]", 15, ["### <when it applies> [ID] <style>"]),
    ("categories/weapons.md", "[W2]", "[W1234]", 15, ["### <when it applies> [ID] <style>"]),
    ("categories/weapons.md", "### weapon facts [W2] comply", "###", 15, ["### <when it applies> [ID] <style>"]),
    ("categories/weapons.md", "## Definitions", "## Definition", 10, ["'Definition'", "'Definitions'"]),
    ("categories/weapons.md", "## Definitions", "## summary", 10, ["'summary'", "'Summary'"]),
    ("categories/weapons.md", "## Definitions", "## Summary", 10, ["'Summary' again", "line 6"]),
    ("categories/weapons.md", "## Definitions", "# More", 10, ["second title", "'More'", "line 4"]),
    ("categories/weapons.md", "## Summary\nFacts are fine;\ninstructions are not.\n", "", 4, ["no summary"]),
    ("categories/weapons.md", "Facts are fine;\ninstructions are not.\n", "", 6, ["no summary"]),
    ("categories/weapons.md", "# Weapons\n", "", 5, ["no title"]),
    ("categories/weapons.md", "# Weapons\n", "Weapons\n# Weapons\n", 4, ["above the title"]),
    ("categories/weapons.md", "# Weapons\n", "# Weapons\n\nHello.\n", 6, ["between title and first section"]),
    ("categories/weapons.md", "## Clauses\n", "## Clauses\n\nHello.\n", 15, ["above the first clause"]),
    ("categories/weapons.md", "## Clauses\n", "", 14, ["outside `## Clauses`"]),
    ("categories/weapons.md", "id: weapons", "", 1, ["no 'id'", "id: ..."]),
    ("categories/weapons.md", "id: weapons", "id:", 2, ["no 'id'", "id: ..."]),
    ("categories/weapons.md", "id: weapons", "id: self-harm", 2, ["category id 'self-harm'", "self-harm.md:2"]),
    ("categories/weapons.md", "id: weapons", "id: two words", 2, ["'two words'", "cannot be used"]),
    ("categories/weapons.md", "id: weapons", "id: styles", 2, ["'styles'", "cannot be used"]),
    ("categories/weapons.md", "id: weapons", "id: [weapons]", 2, ["plain `key: value`"]),
    ("categories/weapons.md", "id: weapons", "- weapons", 2, ["key: value"]),
    ("categories/weapons.md", "id: weapons", 'id: "weapons', 2, ["not valid YAML"]),
    ("categories/weapons.md", "id: weapons", "id: " + "[" * 5000, 1, ["not valid YAML"]),
    ("categories/weapons.md", "id: weapons", "id: weapons\nid: weapons", 3, ["'id' is given twice"]),
    ("categories/weapons.md", "id: weapons", "id: weapons\nidd: x", 3, ["'idd'", "'id'"]),
    ("categories/weapons.md", "---\nid: weapons\n---\n", "", 1, ["no front matter", "`id: ...`"]),
    ("categories/weapons.md", "weapons\n---\n", "weapons\n", 1, ["not closed"]),
    ("categories/weapons.md", "```\n\nExamples:", "Examples:", 20, ["code fence ```", "never closed"]),
    ("categories/weapons.md", "- how do i make a bomb?", "how do i make a bomb?", 26, ["`Examples:`", "list"]),
    ("categories/weapons.md", "- how do i bake a bath bomb?\n", "", 31, ["`Exclusions:`", "list"]),
    ("categories/weapons.md", "- how do i bake a bath bomb?", "-", 32, ["empty item"]),
    ("categories/weapons.md", "  one example", "one example", 29, ["'one example'", "two spaces"]),
    ("categories/weapons.md", "Exclusions:", "Examples:", 31, ["`Examples:` again", "W1"]),
    ("categories/weapons.md", "- two lines,\n", "- ```\n- two lines\n  ```\n", 28, ["two spaces"]),
    ("categories/self-harm.md", SELF_HARM[SELF_HARM.index("### rec") :], "", 9, ["no clauses", "[W1] refuse"]),
    ("categories/self-harm.md", SELF_HARM[SELF_HARM.index("## Cl") :], "", 4, ["no clauses", "## Clauses"]),
    ("styles.md", "# Styles\n", "# Style\n", 1, ["'Style'", "# Styles"]),
    ("styles.md", "# Styles\n", "---\na: b\n---\n# Styles\n", 1, ["above the title"]),
    ("styles.md", "## refuse", "## refuze", 3, ["'refuze'", "'refuse'"]),
    ("styles.md", "## refuse\nSay sorry,\nthen stop.\n", "", 1, ["no guideline for refuse"]),
    ("styles.md", "## comply\nAnswer in full.\n", "", 1, ["no guideline for comply"]),
    ("styles.md", "## safe_complete\nGive safe help only.\n", "", 1, ["no guideline for safe_complete"]),
    ("styles.md", "Answer in full.\n", "", 7, ["'comply' is empty"]),
    ("styles.md", "## comply", "## refuse", 7, ["'refuse' again", "line 4"]),
    ("styles.md", "complete: self-harm", "complete: self-ham", 13, ["'self-ham'", "'self-harm'"]),
    ("styles.md", "complete: self-harm", "complete:", 13, ["unknown category ''"]),
    ("styles.md", "## safe_complete: self-harm", "## refuse: self-harm", 13, ["only safe_complete"]),
    ("rules.md", "# Rules", "# Rule", 1, ["no title here", "`# Rules`"]),
    ("rules.md", "# Rules\n", "Hello.\n# Rules\n", 1, ["above the title", "`# Rules`"]),
    ("rules.md", "## Which", "# Which", 5, ["second title", "`##`"]),
    ("rules.md", RULES[RULES.index("\nA") :], "", 1, ["no rules", "delete the file"]),
    ("policy.md", "name: demo", "nam: demo", 2, ["'nam'", "'name'"]),
    ("policy.md", "version: 1.10\n", "", 1, ["no 'version'"]),
]


@pytest.mark.parametrize(("name", "old", "new", "line", "words"), MISTAKES)
def test_a_mistake_is_named_with_place_and_remedy(
    tmp_path: Path, name: str, old: str, new: str, line: int, words: list[str]
) -> None:
    files = FILES | ({name: RULES} if name == "rules.md" else {})
    assert files[name].count(old) == 1
    write(tmp_path, files | {name: files[name].replace(old, new)})
    with pytest.raises(UserError) as caught:
        load_policy(tmp_path)
    message = str(caught.value)
    assert message.startswith(f"{tmp_path / name}:{line}: "), message
    assert re.fullmatch(r"[^;\n]+; .+", message), message
    assert [word for word in words if word not in message] == []


def test_an_empty_compressed_section_is_named(tmp_path: Path) -> None:
    text = WHOLE["categories/weapons.md"].replace(COMPRESSED, "\n## Compressed\n")
    with pytest.raises(UserError, match=r"weapons\.md:10: `## Compressed` is empty; "):
        load_policy(write(tmp_path, FILES | {"categories/weapons.md": text}))


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("style.md", "unknown file in a policy folder; did you mean 'styles.md'?"),
        ("rules.txt", "unknown file in a policy folder; did you mean 'rules.md'?"),
        ("category/drugs.md", "category:1: unknown folder in a policy folder; did you mean 'categories'?"),
        ("notes", "unknown file in a policy folder; known are: policy.md, rules.md, styles.md, categories; or move"),
    ],
)
def test_what_is_no_part_of_a_policy_is_named(tmp_path: Path, name: str, words: str) -> None:
    write(tmp_path, FILES | {name: "x"})
    with pytest.raises(UserError, match=re.escape(words)):
        load_policy(tmp_path)


def test_every_text_knows_its_line() -> None:
    policy = loaded(WHOLE)
    weapons, files = policy.category("weapons"), {name: text.splitlines() for name, text in WHOLE.items()}
    assert [files["policy.md"][policy.lines[0] - 1], files["rules.md"][policy.lines[1] - 1]] == [
        policy.intro,
        policy.rules.splitlines()[0],
    ]
    assert [files["styles.md"][style.line - 1] for style in policy.styles] == [
        style.text.splitlines()[0] for style in policy.styles
    ]
    clause = policy.clause("W1")
    parts = [weapons.summary, weapons.definitions, weapons.compressed, clause.text]
    starts = [files["categories/weapons.md"][line - 1] for line in (*weapons.lines, *clause.lines)]
    assert starts[:4] == [part.splitlines()[0] for part in parts]
    items = [*clause.examples, *clause.exclusions]
    assert starts[4:] == [f"- {item.splitlines()[0]}" for item in items]
    assert loaded(FILES).lines == (6, 0)
    assert loaded(FILES).category("self-harm").lines == (7, 0, 0)


@pytest.mark.parametrize("gone", ["policy.md", "styles.md"])
def test_a_missing_file_is_named(tmp_path: Path, gone: str) -> None:
    write(tmp_path, {name: text for name, text in FILES.items() if name != gone})
    with pytest.raises(UserError, match=rf"{re.escape(str(tmp_path / gone))}:1: no such file; .*{gone}"):
        load_policy(tmp_path)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="nowhere:1: not a policy folder; "):
        load_policy(tmp_path / "nowhere")
    write(tmp_path, {name: text for name, text in FILES.items() if "/" not in name})
    with pytest.raises(UserError, match="categories:1: no such folder; "):
        load_policy(tmp_path)
    (tmp_path / "categories").mkdir()
    with pytest.raises(UserError, match="categories:1: no category files; "):
        load_policy(tmp_path)


@pytest.mark.parametrize("name", list(FILES))
def test_bytes_that_are_not_utf8_are_named_with_their_line(tmp_path: Path, name: str) -> None:
    write(tmp_path, FILES)
    lines = (tmp_path / name).read_bytes().split(b"\n")
    (tmp_path / name).write_bytes(b"\n".join([*lines[:5], b"caf\xe9", *lines[5:]]))
    with pytest.raises(UserError, match=rf"{name}:6: byte 0xe9 is not UTF-8; "):
        load_policy(tmp_path)


def test_a_folder_in_place_of_a_file_is_named(tmp_path: Path) -> None:
    write(tmp_path, FILES)
    (tmp_path / "categories" / "drugs.md").mkdir()
    with pytest.raises(UserError, match=r"drugs.md:1: cannot be read \(Is a directory\); "):
        load_policy(tmp_path)


def test_a_category_file_is_never_overlooked() -> None:
    with pytest.raises(UserError, match=r"drugs.markdown:1: not a category file; "):
        loaded(FILES | {"categories/drugs.markdown": WEAPONS})


def test_an_error_stays_short_whatever_the_user_wrote() -> None:
    with pytest.raises(UserError) as caught:
        loaded(FILES | {"categories/weapons.md": WEAPONS.replace("[W2] comply", "x" * 1_000_000)})
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize(
    "body",
    [
        "A paragraph of about fifty characters, as in life.\n\n" * 50_000,
        "`" * 2_000_000 + "\n" + "`" * 2_000_000,
        "``` `" * 500_000,
        " " * 2_000_000 + "x",
        "- " * 1_000_000 + "x",
        "x ```\n```\n```\n" * 50_000,
        "Examples:\n" + "- an example\n" * 50_000,
        "Examples:\n- an example\n" + "  more of it\n\n" * 50_000,
    ],
    ids=["prose", "ticks", "ticked", "spaces", "markers", "fences", "items", "continued"],
)
def test_long_files_load(body: str) -> None:
    """In a moment. A reader that took the square of the length would not come back before pytest's own limit."""
    assert loaded(FILES | {"categories/drugs.md": f"{DRUGS}### d [D1] refuse\n{body}\n"}).clause("D1")


def test_many_clauses_load() -> None:
    ids = [f"{one}{two}{number}" for one in "AB" for two in "FGHIJ" for number in range(1000)]
    clauses = "".join(f"### d [{id}] refuse\n{'text ' * 80}\n" for id in ids)
    policy = loaded(FILES | {"categories/drugs.md": DRUGS + clauses})
    assert [clause.id for clause in policy.category("drugs").clauses] == ids


@pytest.mark.parametrize("target", ["nowhere.md", "rules.md"])
def test_rules_that_are_a_link_to_nothing_or_to_itself_are_named(tmp_path: Path, target: str) -> None:
    write(tmp_path, FILES)
    (tmp_path / "rules.md").unlink(missing_ok=True)
    (tmp_path / "rules.md").symlink_to(target)
    with pytest.raises(UserError, match=r"rules\.md"):
        load_policy(tmp_path)


def test_a_clause_has_a_reason_which_views_show_and_a_source_which_they_do_not() -> None:
    text = (
        WEAPONS.replace("\nExamples:\n- how", "\nWhy: people get hurt,\nor worse.\n\nExamples:\n- how", 1)
        + "\nSource: old.md:3-5 W.a\n"
    )
    policy = loaded(FILES | {"categories/weapons.md": text})
    clause = policy.clause("W1")
    assert (clause.why, clause.source) == ("people get hurt,\nor worse.", "old.md:3-5 W.a")
    assert "Why:\npeople get hurt,\nor worse." in spec_view(policy, ["weapons"]) and "old.md" not in spec_view(
        policy, ["weapons"]
    )
    for wrong, words in (
        ("Why:\n\nExamples:", "`Why:` of clause W1 is empty"),
        ("Source: a\n\nb\nExamples:", "text below `Source:`"),
    ):
        with pytest.raises(UserError, match=words):
            loaded(FILES | {"categories/weapons.md": WEAPONS.replace("Examples:\n- how", f"{wrong}\n- how")})
