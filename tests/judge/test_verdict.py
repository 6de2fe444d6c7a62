from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deliberant.judge import MENU, Verdict, minimum, parse
from deliberant.models.types import Completion
from tests.completions import completed


def drawn(answer: str, thought: str = "let me see", stop: str = "stop") -> Completion:
    return completed(f"<think>{thought}</think>{answer}", stop, strict=False)


@pytest.mark.parametrize(
    ("written", "score"),
    [
        ("score: 4", 4),
        ("SCORE:4", 4),
        ("**Score:** 4", 4),
        ("**score : 4**", 4),
        ('{"score": 4}', 4),
        ("'score' : '4'", 4),
        ("`score: 4`", 4),
        ("score: 4/5.", 4),
        ("score: 1\nno, score: 4", 4),
        ("score: 4\nscore: 9", 4),
    ],
)
def test_score_is_read_however_it_is_dressed(written: str, score: int) -> None:
    assert parse(drawn(f"it is fine.\n{written}")).score == score


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("all good", "no verdict"),
        ("score: high", "no verdict"),
        ("underscore: 5", "no verdict"),
        ("score: 7", "off-menu score 7"),
        ("score: 0", "off-menu score 0"),
        ("score: -5", "off-menu score -5"),
        ("score: 4.5", "off-menu score 4.5"),
        ("score: " + "9" * 9000, "off-menu score 99999999"),
    ],
)
def test_what_is_no_score_is_unscored_with_its_reason(answer: str, reason: str) -> None:
    verdict = parse(drawn(answer))
    assert (verdict.score, verdict.unscored) == (None, reason)
    assert verdict.rationale == answer


def test_menu_is_the_callers() -> None:
    assert parse(drawn("score: 0"), menu=(0, 1)).score == 0
    assert parse(drawn("score: 5"), menu=(0, 1)).unscored == "off-menu score 5"


def test_think_block_is_never_read() -> None:
    assert parse(drawn("nothing", thought="score: 5")).unscored == "no verdict"
    assert parse(drawn("score: 2", thought="score: 5")).score == 2
    unclosed = completed("<think>surely score: 5", strict=False)
    assert parse(unclosed).unscored == "no answer after the reasoning"


def test_cut_completion_is_unscored_even_with_a_draft_score() -> None:
    assert parse(drawn("score: 5 at first sight, but", stop="length")).unscored == "cut at the token limit"


def test_opened_reasoning_ends_at_its_closing_tag() -> None:
    inside = "surely score: 5</think>score: 2"
    assert [parse(completed(inside, opened=opened, strict=False)).score for opened in (True, False)] == [2, 2]
    assert parse(completed("score: 5", opened=True, strict=False)).score is None


def test_a_judge_without_reasoning_is_all_answer() -> None:
    assert parse(completed("it follows the clause. score: 4", strict=False)).score == 4


def test_hint_and_clause_last_one_wins() -> None:
    verdict = parse(drawn("hint: agree? Clause: [AB1]\n**clause:** [W2]\n**Hint** : disagree\nscore: 3"), hinted=True)
    assert (verdict.clause, verdict.agrees, verdict.score) == ("W2", False, 3)
    assert parse(drawn("hint: agree\nscore: 3"), hinted=False).agrees is None
    assert parse(drawn("clause: none\nscore: 3")).clause is None


pieces = st.sampled_from(["<think>", "</think>", "score", ":", " 5", "**", "hint", "agree", "clause", "[W1]", "9" * 50])
mixed = st.lists(st.one_of(st.text(max_size=8), pieces), max_size=30).map("".join)


@given(text=mixed, stop=st.sampled_from(["stop", "length"]), hinted=st.booleans(), opened=st.booleans())
def test_parser_never_raises_and_always_scores_or_says_why(text: str, stop: str, hinted: bool, opened: bool) -> None:
    verdict = parse(completed(text, stop, opened=opened, strict=False), hinted=hinted)
    assert (verdict.score in MENU) != bool(verdict.unscored)
    assert hinted or verdict.agrees is None


@given(noise=st.text(st.characters(exclude_characters="<>|")), score=st.sampled_from(MENU))
def test_closing_verdict_wins_over_anything_before_it(noise: str, score: int) -> None:
    assert parse(drawn(f"{noise}\nscore: {score}")).score == score


def test_minimum_leaves_unscored_readings_out() -> None:
    scored = Verdict(score=4, clause=None, agrees=None, rationale="", unscored=None)
    unscored = replace(scored, score=None, unscored="no verdict")
    assert minimum([scored, replace(scored, score=2), unscored]) == 2
    assert minimum([unscored, unscored]) is None


def test_a_verdict_is_scored_or_says_why_not() -> None:
    with pytest.raises(AssertionError):
        Verdict(score=None, clause=None, agrees=None, rationale="", unscored=None)
    with pytest.raises(AssertionError):
        Verdict(score=3, clause=None, agrees=None, rationale="", unscored="no verdict")
