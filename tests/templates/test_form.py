from collections import Counter

import pytest

from deliberant.models import split
from deliberant.policy import find_citations
from deliberant.prompts.types import Message
from deliberant.templates import Templates
from deliberant.templates.form import show_form
from deliberant.util.errors import UserError
from tests.stages.scripted import POLICY

ASKED = (Message(role="system", content="rules"), Message(role="user", content="may i?"))
CLAUSES = [clause for category in POLICY.categories for clause in category.clauses]


def test_examples_are_whole_cite_clauses_in_view_and_the_question_comes_last() -> None:
    templates = Templates.load("default")
    for index in range(6):
        system, *turns, last = show_form(ASKED, templates, CLAUSES, index)
        assert system["content"].startswith("rules\n\n") and "{{" not in system["content"] and last == ASKED[1]
        assert [turn["role"] for turn in turns] == ["user", "assistant"] * (len(turns) // 2)
        said = [split(turn["content"]) for turn in turns[1::2]]
        assert all(parts.complete and parts.answer and "{{" not in parts.reasoning for parts in said)
        ids = [find_citations(parts.reasoning) for parts in said]
        assert ids[0] == [] and all(len(each) == 1 and each[0] in POLICY.clauses for each in ids[1:])
        styles = [POLICY.clause(each[0]).style for each in ids[1:]]
        assert sorted(styles) == sorted({clause.style for clause in CLAUSES})


def test_wordings_change_with_the_sample() -> None:
    templates = Templates.load("default")
    shown = Counter(
        turn["content"] for index in range(4) for turn in show_form(ASKED, templates, CLAUSES, index)[2:-1:2]
    )
    assert shown.most_common(1)[0][1] <= 2


def test_without_a_policy_in_view_no_clause_is_spoken_of() -> None:
    shown = show_form(ASKED[1:], Templates.load("default"))
    assert shown[0]["role"] == "system" and not any(find_citations(turn["content"]) for turn in shown)
    assert "clause" not in shown[0]["content"]


def test_prompt_files_without_the_form_are_named() -> None:
    with pytest.raises(UserError, match=r"micro/form\.yaml: is missing, and reasoning: prompted needs it"):
        show_form(ASKED, Templates.load("micro"))
