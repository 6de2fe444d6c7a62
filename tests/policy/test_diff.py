from dataclasses import replace

import pytest
from hypothesis import given, settings

from deliberant.policy import Diff, Policy, diff, print_policy, spec_view
from deliberant.util.errors import UserError
from tests.policy.folders import WEAPONS, WHOLE, loaded
from tests.policy.test_printer import policies


def edited(name: str, old: str, new: str) -> Diff:
    text = WHOLE.get(name, "")
    assert text.count(old) == 1
    return diff(loaded(WHOLE), loaded(WHOLE | {name: text.replace(old, new)}))


def changes(found: Diff) -> list[tuple[str, list[str]]]:
    return list(found.changed.items())


def test_equal_policies_do_not_differ() -> None:
    found = diff(loaded(WHOLE), loaded(print_policy(loaded(WHOLE))))
    assert found.empty and not found.touches("weapons") and not found.touches("self-harm")


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ("weapon instructions [W1]", "weapon recipes [W1]", ["title"]),
        ("[W1] refuse", "[W1] safe_complete", ["restyled"]),
        ("Whoever asks.", "Anyone.", ["text"]),
        ("make a bomb?", "make two bombs?", ["examples"]),
        ("bath bomb?", "bomb cake?", ["exclusions"]),
    ],
)
def test_what_changed_in_a_clause_is_named_and_touches_its_category_alone(old: str, new: str, what: list[str]) -> None:
    found = edited("categories/weapons.md", old, new)
    assert changes(found) == [("W1", what)]
    assert (found.touches("weapons"), found.touches("self-harm")) == (True, False)
    assert not found.empty


def test_added_removed_and_renamed_clauses() -> None:
    found = edited("categories/weapons.md", "### weapon facts [W2] comply\n", "### weapon repair [W3] comply\n")
    assert [each.id for each in found.added] == ["W3"]
    assert [each.id for each in found.removed] == ["W2"]
    assert not found.changed and found.touches("weapons") and not found.touches("self-harm")


def test_a_moved_clause_touches_both_categories() -> None:
    files = WHOLE | {
        "categories/weapons.md": WHOLE["categories/weapons.md"].replace("### weapon facts [W2] comply\n", ""),
        "categories/self-harm.md": WHOLE["categories/self-harm.md"] + "### weapon facts [W2] comply\n",
    }
    found = diff(loaded(WHOLE), loaded(files))
    assert changes(found) == [("W2", ["moved"])] and (found.added, found.removed) == ((), ())
    assert found.touches("weapons") and found.touches("self-harm") and not found.everywhere


def test_a_new_order_is_a_change() -> None:
    lines = ["### recovery [S1] comply\n", "### intent [S2] safe_complete\n"]
    found = edited("categories/self-harm.md", "".join(lines), "".join(lines[::-1]))
    assert changes(found) == [("S2", ["reordered"]), ("S1", ["reordered"])]
    assert found.touches("self-harm") and not found.touches("weapons")


@pytest.mark.parametrize(
    ("name", "old", "new", "what"),
    [
        ("categories/weapons.md", "Facts yes [W2]", "Facts no [W2]", "compressed"),
        ("categories/weapons.md", "hurt people\n", "hurt\n", "definitions"),
    ],
)
def test_definitions_and_compressed_text_touch_their_category(name: str, old: str, new: str, what: str) -> None:
    found = edited(name, old, new)
    assert found.categories_changed == {"weapons": [what]}
    assert found.touches("weapons") and not found.touches("self-harm")


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("categories/weapons.md", "instructions are not.", "instructions are, too."),
        ("styles.md", "Be warm.", "Be cold."),
        ("styles.md", "\n## safe_complete: self-harm\nBe warm.\n", ""),
        ("rules.md", "is fine in every", "is wrong in every"),
    ],
)
def test_what_stands_in_every_view_touches_every_prompt(name: str, old: str, new: str) -> None:
    found = edited(name, old, new)
    assert found.everywhere and found.touches("weapons") and found.touches("self-harm")
    assert not found.changed and not found.empty
    assert (found.rules, bool(found.styles)) == (name == "rules.md", name == "styles.md")


def test_what_no_view_holds_touches_nothing() -> None:
    for name, old, new in [("policy.md", "Be kind.", "Be good."), ("categories/weapons.md", "# Weapons\n", "# Arms\n")]:
        found = edited(name, old, new)
        assert not found.empty and not found.touches("weapons") and not found.touches("self-harm")


def test_an_added_or_removed_category_touches_all_since_its_summary_stands_in_every_view() -> None:
    more = WHOLE | {"categories/drugs.md": WEAPONS.replace("weapons", "drugs").replace("[W", "[D")}
    grown, shrunk = diff(loaded(WHOLE), loaded(more)), diff(loaded(more), loaded(WHOLE))
    assert grown.categories_added == shrunk.categories_removed == ("drugs",)
    assert [each.id for each in grown.added] == [each.id for each in shrunk.removed] == ["D2", "D1"]
    for found in (grown, shrunk):
        assert all(found.touches(id) for id in ("drugs", "weapons", "self-harm"))
    with pytest.raises(UserError, match="neither policy has a category 'drug'; did you mean 'drugs'"):
        grown.touches("drug")


@settings(max_examples=30, deadline=None)
@given(policies(), policies())
def test_touched_is_what_has_another_view(old: Policy, other: Policy) -> None:
    mixed = replace(old, styles=other.styles[:3], rules=other.rules)
    first = replace(old.categories[0], clauses=other.categories[0].clauses, compressed=other.categories[0].compressed)
    for new in (old, other, mixed, replace(old, categories=(first, *old.categories[1:]))):
        found = diff(old, new)
        assert found.empty == (old == new)
        for id in {each.id for policy in (old, new) for each in policy.categories}:
            assert found.touches(id) != (shown(old, id) == shown(new, id))


def shown(policy: Policy, id: str) -> tuple[str, str] | str:
    """All that the views of a category's prompts can hold."""
    if id not in {each.id for each in policy.categories}:
        return spec_view(policy, [])
    return spec_view(policy, [id]), policy.category(id).compressed
