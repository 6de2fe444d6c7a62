import pytest
from hypothesis import given
from hypothesis import strategies as st

from deliberant.prompts import Message
from deliberant.prompts.similarity import WIDTH, compared_text, jaccard, normalise, shingles

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)


def conversation(*turns: tuple[str, str]) -> list[Message]:
    return [Message(role=role, content=content) for role, content in turns]  # type: ignore[typeddict-item]


def test_similarity_is_that_of_the_sets_of_shingles() -> None:
    assert WIDTH == 5
    assert shingles("abcdef") == {"abcde", "bcdef"} and shingles("ab") == {"ab\0\0\0"}
    assert jaccard(shingles("abcdefg"), shingles("abcdefh")) == pytest.approx(2 / 4)
    assert jaccard(shingles(""), shingles("")) == 1 and jaccard(shingles("a"), shingles("b")) == 0


@given(texts)
def test_a_normalised_text_stays_as_it_is(text: str) -> None:
    once = normalise(text)
    assert once == once.strip() and "  " not in once and "\n" not in once


def test_case_width_and_spaces_do_not_count_and_system_turns_are_left_out() -> None:
    plain = compared_text(conversation(("user", "How do I\n\tPick a lock?")))
    assert plain == "how do i pick a lock?"
    assert compared_text(conversation(("system", "be good"), ("user", "\uff28ow do I pick  a lock? "))) == plain
    turns = conversation(("user", "a"), ("assistant", "b"), ("tool", "c"), ("user", "d"))
    assert compared_text(turns) == "a b c d"
