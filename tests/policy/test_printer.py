import re

from hypothesis import given, settings
from hypothesis import strategies as st

from deliberant.policy import Category, Clause, Guideline, Policy, print_policy
from deliberant.prompts.types import STYLES
from deliberant.util.errors import UserError
from tests.policy.folders import FILES, POLICY, WEAPONS, WHOLE, loaded
from tests.policy.folders import RULES as RULES_FILE

UNICODE = st.text(st.characters(codec="utf-8", exclude_characters="\r\n#`~"), min_size=1, max_size=12)
LOOKALIKES = ["# Weapons", "## Summary", "### a clause [W1] refuse", "###", "Examples:", "- item", "[W1]", "---"]
WORDS = UNICODE.map(lambda words: words.strip() or "x")
ONE_LINE = WORDS.map(lambda words: " ".join(words.split()))
STARTS = ["so", "*a*", "> q", "####", "[W1]", "#tag", "1."]
LINE = st.builds("{} {}".format, st.sampled_from(STARTS), UNICODE).map(str.rstrip)
FENCE = st.builds(
    lambda lines, fence: "\n".join([f"{fence}md", *lines, fence]),
    st.lists(st.one_of(st.sampled_from(LOOKALIKES), UNICODE.map(str.rstrip)), max_size=3),
    st.sampled_from(["```", "````", "~~~"]),
)
TEXT = st.lists(st.one_of(LINE, FENCE, st.just("")), max_size=4).map(lambda parts: "\n".join(parts).strip("\n"))
SOME_TEXT = TEXT.map(lambda text: text or "x")
ITEM = TEXT.map(lambda text: text.strip() or "x")
WHY = TEXT.map(str.strip)
SOURCE = st.just("") | ONE_LINE
ITEMS = st.lists(ITEM, max_size=3).map(tuple)

RULES = st.lists(st.one_of(TEXT, st.just("## Precedence"), st.just("### [W1] wins")), max_size=3).map(
    lambda parts: "\n".join(parts).strip("\n")
)


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    slugs = st.from_regex(r"[a-z0-9][a-z0-9-]{0,8}", fullmatch=True)
    names = draw(st.lists(slugs, min_size=1, max_size=3, unique=True))
    clause_ids = st.from_regex("[A-Z]{1,4}[0-9]{1,3}", fullmatch=True)
    free = iter(draw(st.lists(clause_ids, min_size=9, max_size=9, unique=True)))
    style = st.sampled_from(STYLES)
    categories = []
    for name in sorted(names, key=lambda name: f"{name}.md"):
        clauses = [
            Clause(
                next(free),
                draw(WORDS),
                draw(style),
                draw(TEXT),
                draw(ITEMS),
                draw(ITEMS),
                name,
                draw(WHY),
                draw(SOURCE),
            )
            for _ in range(draw(st.integers(1, 3)))
        ]
        categories.append(
            Category(name, draw(WORDS), draw(SOME_TEXT), draw(TEXT), tuple(clauses), compressed=draw(TEXT))
        )
    styles = [Guideline(style, draw(SOME_TEXT)) for style in draw(st.permutations(STYLES))]
    if draw(st.booleans()):
        styles.append(Guideline("safe_complete", draw(SOME_TEXT), names[0]))
    return Policy(draw(ONE_LINE), draw(ONE_LINE), draw(TEXT), tuple(styles), tuple(categories), draw(RULES))


@settings(max_examples=100, deadline=None)
@given(policies())
def test_printing_then_loading_gives_the_same_policy(policy: Policy) -> None:
    again = loaded(print_policy(policy))
    assert again == policy
    assert again.hash == policy.hash
    assert print_policy(again) == print_policy(policy)


SCRAPS = """
### a [A1] comply|### b [x] [B2] refuse|  ### c [C3] comply|Examples:|Exclusions:|- item|-|- - ```|-\t```|1. ~~~
  1. ```|   - item|  more|    ## deep|\tx|```|  ```|~~~~|# x|## Definitions|#### fine|``` `|\f|<!-- note -->|--- |
"""


@settings(max_examples=400, deadline=None)
@given(st.lists(st.one_of(st.sampled_from(re.split(r"[|\n]", SCRAPS)), UNICODE), max_size=14))
def test_any_file_is_refused_with_a_place_or_survives_printing(scraps: list[str]) -> None:
    body = "\n".join(["---", "id: drugs", "---", "# D", "## Summary", "s", "## Clauses", "### d [D1] refuse", *scraps])
    try:
        policy = loaded(FILES | {"categories/drugs.md": body})
    except UserError as error:
        assert re.match(r"\S+/drugs\.md:\d+: [^\n]+; [^\n]+\Z", str(error)), str(error)
    else:
        again = loaded(print_policy(policy))
        assert again == policy
        assert again.hash == policy.hash


@settings(max_examples=200, deadline=None)
@given(st.lists(st.one_of(st.sampled_from(re.split(r"[|\n]", SCRAPS)), UNICODE), max_size=14))
def test_any_rules_are_refused_with_a_place_or_survive_printing(scraps: list[str]) -> None:
    try:
        policy = loaded(FILES | {"rules.md": "\n".join(["# Rules", *scraps])})
    except UserError as error:
        assert re.match(r"\S+/rules\.md:\d+: [^\n]+; [^\n]+\Z", str(error)), str(error)
    else:
        assert loaded(print_policy(policy)) == policy


def test_printed_form() -> None:
    printed = print_policy(loaded(FILES))
    assert list(printed) == list(FILES)
    assert printed["policy.md"] == "---\nname: demo\nversion: '1.10'\n---\n\nBe kind.\n"
    assert printed["categories/weapons.md"] == WEAPONS
    whole = print_policy(loaded(WHOLE))
    assert list(whole) == ["policy.md", "rules.md", "styles.md", "categories/self-harm.md", "categories/weapons.md"]
    assert whole["rules.md"] == RULES_FILE
    assert whole["categories/weapons.md"] == WHOLE["categories/weapons.md"]


def test_only_what_survives_printing_changes_the_hash() -> None:
    policy = loaded(FILES)
    assert re.fullmatch("[0-9a-f]{16}", policy.hash)
    invisible = {
        "policy.md": POLICY.replace("# comments do not count", "").replace("\nBe kind.", "\n\n\nBe kind.  \n\n"),
        "categories/weapons.md": WEAPONS.replace("## Clauses\n\n", "## Clauses\n").replace("\n- two", "\n\n-   two"),
    }
    assert all(invisible[name] != FILES[name] for name in invisible)
    assert loaded(FILES | invisible).hash == policy.hash
    assert len({loaded(files).hash for files in (FILES, WHOLE, WHOLE | {"rules.md": "# Rules\nx\n"})}) == 3
    for name, old, new in [
        ("policy.md", "1.10", "1.1"),
        ("policy.md", "kind", "kinder"),
        ("styles.md", "warm", "cold"),
        ("categories/weapons.md", "[W2] comply", "[W2] refuse"),
        ("categories/weapons.md", "bath", "birthday"),
        ("categories/weapons.md", "Examples:\n```", "Exclusions:\n```"),
    ]:
        edited = FILES[name].replace(old, new)
        assert edited != FILES[name]
        assert loaded(FILES | {name: edited}).hash != policy.hash, (name, old, new)
