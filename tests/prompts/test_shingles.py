import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deliberant.prompts.shingles import WIDTH, jaccard, normalised, shingle_set, shingles

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)


def real_shingles(text: str) -> set[str]:
    padded = text.ljust(WIDTH, "\0")
    return {padded[place : place + WIDTH] for place in range(len(padded) - WIDTH + 1)}


@given(st.lists(texts, min_size=1, max_size=5))
def test_hashes_of_many_texts_are_those_of_each(given: list[str]) -> None:
    hashes, offsets = shingles(given)
    assert offsets[0] == 0 and offsets[-1] == len(hashes)
    for place, text in enumerate(given):
        mine = np.unique(hashes[offsets[place] : offsets[place + 1]])
        assert mine.tolist() == shingle_set(text).tolist()
        assert len(mine) == len(real_shingles(text))


@given(texts, texts)
def test_similarity_is_that_of_the_sets(one: str, other: str) -> None:
    a, b = real_shingles(one), real_shingles(other)
    assert jaccard(shingle_set(one), shingle_set(other)) == pytest.approx(len(a & b) / len(a | b))


@given(texts)
def test_a_normalised_text_stays_as_it_is(text: str) -> None:
    once = normalised([("user", text)])
    assert once == once.strip() and "  " not in once and "\n" not in once


def test_case_width_and_spaces_do_not_count_and_system_turns_are_left_out() -> None:
    plain = normalised([("user", "How do I\n\tPick a lock?")])
    assert plain == "how do i pick a lock?"
    assert normalised([("system", "be good"), ("user", "\uff28ow do I pick  a lock? ")]) == plain
    assert normalised([("user", "a"), ("assistant", "b"), ("tool", "c"), ("user", "d")]) == "a b c d"
