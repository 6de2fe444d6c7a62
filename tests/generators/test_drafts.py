"""Clauses drafted by a model: each quotes its source, every line is kept, and a person has to review them."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from deliberant.generators.drafts import draft_policy
from deliberant.policy import lint, print_policy
from deliberant.policy.importers import Imported, Wishes, check_wishes
from deliberant.util.errors import UserError
from tests.policy.folders import loaded, write
from tests.says import Says

SOURCE = """# House Rules

We like it quiet.

## Noise

Nobody plays drums after ten, such as "May I
drum now?".
Hoovering is fine at noon.

## Pets

- Dogs are welcome.
- Snakes are not.

## Overview

Ask the porter.
"""
NOISE = """Sure!

**Rule:** asks to play drums at night
style: Refuse
quote: "nobody plays drums   after ten"
example: May I drum now?
example: May I sing?

rule: asks about hoovering
style: comply
quote: Hoovering is fine at noon
"""


def answer(noise: str = NOISE, pets: str = "none") -> Callable[[str, int], str]:
    return lambda shown, _: noise if "drums" in shown else pets if "Snakes" in shown else "none"


def drafted(folder: Path, says: Says, wishes: Wishes | None = None, text: str = SOURCE) -> Imported:
    write(folder, {"rules.md": text})
    found = draft_policy(folder / "rules.md", wishes or Wishes(), says, "tiny")
    assert loaded(print_policy(found.policy)) == found.policy
    lines = next(count for count in found.counts if count.what.startswith("lines"))
    assert lines.found == lines.imported == sum(bool(line.strip()) for line in text.splitlines())
    return found


def test_a_draft_has_the_lines_that_it_quotes_and_says_who_wrote_it(tmp_path: Path) -> None:
    says = Says(answer(pets="rule: asks about dogs\nstyle: comply\nquote: Dogs are welcome.\n"))
    found = drafted(tmp_path, says)
    drums, hoovering, dogs = found.policy.clauses.values()
    assert (drums.category, drums.style, drums.title) == ("noise", "refuse", "asks to play drums at night")
    assert drums.text.startswith("Nobody plays drums after ten") and drums.examples == ("May I drum now?",)
    assert drums.source == "rules.md:7-9 drafted by tiny" and hoovering.style == "comply"
    assert (dogs.text, dogs.source) == ("- Dogs are welcome.", "rules.md:13 drafted by tiny")
    assert found.policy.category("pets").definitions == "- Snakes are not."
    assert found.policy.intro == "We like it quiet.\n\n## Overview\n\nAsk the porter."
    shown = [request.messages[0]["content"] for request in says.requests]
    assert len(shown) == 3 and '"House Rules / Noise"' in shown[1] and not any("porter" in each for each in shown)


def test_what_is_not_drafted_is_listed_with_the_reason(tmp_path: Path) -> None:
    cats = "rule: asks about cats\nstyle: comply\nquote: Cats are fine"
    pets = f"{cats}\n\nrule: asks for snakes\nstyle: never\nquote: Snakes"
    found = drafted(tmp_path, Says(answer(pets=pets)))
    reasons = [re.sub(r"^.*rules\.md:|; write.*", "", each) for each in found.warnings]
    assert reasons == [
        "3: not drafted: the model finds no rule",
        "13: not drafted: 'asks about cats' quotes 'Cats are fine', which does not stand there",
        "13: not drafted: 'asks for snakes' has no style",
    ]
    assert "Snakes are not." in found.policy.rules  # a category without a clause is kept, too


def test_what_the_user_says_of_a_title_wins(tmp_path: Path) -> None:
    says = Says(answer(pets="rule: asks for pets\nstyle: comply\nquote: Snakes are not\n"))
    found = drafted(tmp_path, says, check_wishes({"Pets": "refuse", "Noise": "aside"}, None, None))
    [clause] = found.policy.clauses.values()
    assert clause.style == "refuse" and "drums" in found.policy.intro


def test_a_text_that_no_layout_knows_is_drafted_and_one_without_a_rule_is_one_line(tmp_path: Path) -> None:
    text = "Our house is quiet, so nobody may drum at night, and that goes for guests, too.\n"
    found = drafted(tmp_path, Says(lambda *_: "rule: drums\nstyle: refuse\nquote: nobody may drum"), text=text)
    assert [clause.text for clause in found.policy.clauses.values()] == [text.strip()]
    with pytest.raises(UserError, match=r"rules\.md:1: no rule in it"):
        drafted(tmp_path, Says(lambda *_: "none"), text=text)


def test_lint_asks_for_a_review_until_the_source_no_longer_says_drafted(tmp_path: Path) -> None:
    policy = drafted(tmp_path, Says(answer())).policy
    found = [each for each in lint(policy) if each.rule == "draft"]
    assert [each.severity for each in found] == ["warning", "warning"]
    assert "was drafted by tiny from rules.md:7-9 and nobody has reviewed it" in found[0].message
    files = {name: text.replace(" drafted by tiny", "") for name, text in print_policy(policy).items()}
    assert not [each for each in lint(loaded(files)) if each.rule == "draft"]
