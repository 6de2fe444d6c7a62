from hypothesis import given
from hypothesis import strategies as st

from deliberant.judge import count_overlaps

PLAN = "First I look for the clause that fits, then I decide to decline and say so kindly."
NUMBERS = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]
WORDS = st.lists(st.sampled_from(NUMBERS), max_size=40).map(" ".join)


def test_a_planted_passage_is_counted_once_however_long() -> None:
    assert count_overlaps(PLAN, [f"judge this: {PLAN} thank you"]) == 1
    assert count_overlaps(PLAN, ["FIRST i look for -- the clause\nthat fits"]) == 1
    assert count_overlaps(f"{PLAN} Or not. {PLAN.upper()}", [PLAN]) == 2


def test_seven_words_are_chance() -> None:
    assert count_overlaps(PLAN, ["First I look for the clause that"]) == 0


def test_what_may_be_shown_is_no_leak() -> None:
    assert count_overlaps(PLAN, ["asked: ...", f"answer: {PLAN}"], [PLAN]) == 0
    assert count_overlaps(f"{PLAN} But the user means harm, which nobody has to be told of.", [f"{PLAN}"], [PLAN]) == 0
    leaked = "But the user means harm, which nobody has to be told of."
    assert count_overlaps(f"{PLAN} {leaked}", [PLAN, leaked], [PLAN]) == 1


@given(reasoning=WORDS, shown=WORDS, known=WORDS)
def test_nothing_is_found_that_is_not_shared(reasoning: str, shown: str, known: str) -> None:
    found = count_overlaps(reasoning, [shown], [known])
    assert bool(found) <= bool(count_overlaps(reasoning, [shown]))  # what is known may cut one passage in two
    assert count_overlaps(reasoning, [shown], [shown]) == count_overlaps(reasoning, []) == 0
    assert count_overlaps(reasoning, [reasoning]) == (len(reasoning.split()) >= 8)
