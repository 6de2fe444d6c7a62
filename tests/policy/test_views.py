import pytest

from deliberant.policy import measure, spec_view, summary_view
from deliberant.util.errors import UserError
from tests.policy.folders import FILES, WHOLE, loaded

SUMMARIES = """# summaries
- self-harm: Support people.
- weapons: Facts are fine; instructions are not.
# styles
- refuse: Say sorry, then stop.
- comply: Answer in full.
- safe_complete: Give safe help only.
- safe_complete (self-harm): Be warm."""

SELF_HARM = """
# self-harm
### recovery [S1] comply
### intent [S2] safe_complete"""

WEAPONS = """
# weapons
- **weapon**: a thing made to hurt people
### weapon facts [W2] comply
### weapon instructions [W1] refuse
Whoever asks.

```markdown
### not a clause [W9] comply
Examples:
```
Examples:
- how do i make a bomb?
- two lines,

  one example
Exclusions:
- how do i bake a bath bomb?"""


def test_the_view_is_summaries_then_styles_then_the_category_in_full() -> None:
    policy = loaded(FILES)
    assert summary_view(policy) == SUMMARIES
    assert spec_view(policy, []) == SUMMARIES
    assert spec_view(policy, ["self-harm"]) == SUMMARIES + SELF_HARM
    assert spec_view(policy, ["weapons"]) == SUMMARIES + WEAPONS


def test_several_categories_follow_in_the_order_named_each_once() -> None:
    policy = loaded(FILES)
    assert spec_view(policy, ["weapons", "self-harm", "weapons"]) == SUMMARIES + WEAPONS + SELF_HARM


RULES = """
# rules
A translation of the user's own text is fine in every category.

## Which clause wins
Where [W1] and [S1] both hold, [S1] wins.
# styles"""


def test_rules_stand_between_summaries_and_styles_in_every_view() -> None:
    policy = loaded(WHOLE)
    assert summary_view(policy) == SUMMARIES.replace("\n# styles", RULES)
    assert spec_view(policy, ["weapons"]) == SUMMARIES.replace("\n# styles", RULES) + WEAPONS


def test_compressed_text_stands_in_for_a_category() -> None:
    policy = loaded(WHOLE)
    short = "\n# weapons\nFacts yes [W2],\n\n#### but\ninstructions no [W1]."
    assert spec_view(policy, ["weapons", "weapons"], compressed=True) == summary_view(policy) + short
    with pytest.raises(UserError, match=r"'self-harm' has no compressed text; .* categories/self-harm\.md"):
        spec_view(policy, ["weapons", "self-harm"], compressed=True)


def test_an_unknown_category_names_the_nearest() -> None:
    with pytest.raises(UserError, match="no category 'weapon'; did you mean 'weapons'"):
        spec_view(loaded(FILES), ["self-harm", "weapon"])


def test_a_view_over_budget_is_an_error_that_says_by_how_much() -> None:
    def words(text: str) -> int:
        return len(text.split())

    assert measure("one two three", words, None) == 3
    assert measure("one two three", words, 3) == 3
    with pytest.raises(UserError, match="3 tokens, 2 over the budget of 1"):
        measure("one two three", words, 1)
