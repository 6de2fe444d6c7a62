from pathlib import Path

import pytest

from deliberant.generators import ask_about_clauses
from deliberant.generators.documents import FILE
from deliberant.policy import Category, Clause, Policy, traces
from deliberant.util.errors import UserError

WITH = Clause("F1", "arson", "refuse", examples=("how do i burn a barn?", "how do i burn a car?"))
POLICY = Policy(
    "garden", "1", "", (), (Category("fire", "Fire", "burning", clauses=(WITH, Clause("F2", "hearth", "comply"))),)
)


def test_every_clause_is_asked_about_in_every_way() -> None:
    found = ask_about_clauses(POLICY)
    assert {prompt.hints[0].clause for prompt in found} == {"F1", "F2"}
    cases = [prompt for prompt in found if "-case-" in prompt.id]
    assert [prompt.hints[0].clause for prompt in cases] == ["F1", "F1"], "one for each example, none without"
    assert any(
        "Why does the rule on hearth ask you to answer in full?" in prompt.messages[0]["content"] for prompt in found
    )
    assert {prompt.categories for prompt in found} == {("fire",)} and len({prompt.id for prompt in found}) == len(found)
    assert not any(trace in prompt.messages[0]["content"] for prompt in found for trace in traces(POLICY))


def test_some_of_each_clause_drawn_by_the_seed() -> None:
    drawn = ask_about_clauses(POLICY, each=2, seed=1)
    assert [prompt.hints[0].clause for prompt in drawn] == ["F1", "F1", "F2", "F2"]
    assert drawn == ask_about_clauses(POLICY, each=2, seed=1) != ask_about_clauses(POLICY, each=2, seed=2)


def test_a_file_of_ones_own_and_its_mistakes(tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    own.write_text("question:\n  - 'What of {{title}} in {{category}}?'\nstyles: {}\n")
    assert [prompt.messages[0]["content"] for prompt in ask_about_clauses(POLICY, data=own)] == [
        "What of arson in Fire?",
        "What of hearth in Fire?",
    ]
    own.write_text("question:\n  - 'What of {{titel}}?'\nstyles: {}\n")
    with pytest.raises(UserError, match=rf"{own}:2: unknown placeholder {{{{titel}}}}; .*title"):
        ask_about_clauses(POLICY, data=own)
    own.write_text(FILE.read_text().replace("reason:", "raeson:"))
    with pytest.raises(UserError, match=r"own\.yaml:\d+: .*raeson.*reason"):
        ask_about_clauses(POLICY, data=own)
