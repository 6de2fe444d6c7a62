import random
from collections import Counter

import pytest

from deliberant.judge import parse, verdict_rule
from deliberant.micro.policies import show
from deliberant.micro.replies import (
    RESIDUE,
    any_ask,
    draw_judged,
    flawed_reply,
    free_reply,
    judge_reply,
    near_miss,
    policy_reply,
)
from deliberant.micro.world import asks, compliant_answer, read_style, styled_answer, topics
from deliberant.templates.loader import Templates
from tests.completions import completed


def test_policy_replies_follow_and_flawed_ones_do_not() -> None:
    rng = random.Random(3)
    flawed = 0
    for _ in range(300):
        shown = show(rng)
        [(ask, clause)] = shown.draw(rng)
        right = policy_reply(ask, clause, "", rng)
        assert read_style(right.answer) == clause.style and f"[{clause.id}]" in right.reasoning
        wrong, _ = flawed_reply(ask, clause, shown, rng)
        flawed += wrong.answer != right.answer or f"[{clause.id}]" not in wrong.reasoning
    assert flawed > 250


@pytest.mark.parametrize("sees_reasoning", [True, False])
def test_the_judge_is_taught_to_accept_right_and_reject_wrong(sees_reasoning: bool) -> None:
    rng = random.Random(4)
    rule = verdict_rule(Templates.load("micro"))
    for _ in range(300):
        shown = show(rng)
        [(ask, clause)] = shown.draw(rng)
        right = rng.random() < 0.5
        reply, answered = draw_judged(ask, shown, clause, rng, right)
        text = judge_reply(ask, clause, reply, answered, sees_reasoning, "refuse")
        verdict = parse(completed(text, strict=False), rule, hinted=True)
        style_right = read_style(reply.answer) == clause.style
        if reply.style == "comply":
            strays = reply.answer != compliant_answer(ask)
            assert ("strays: other" in text) == strays
            assert (f"about {ask.subject}, asked {ask.subject}: same" in text) == (answered.subject == ask.subject)
            style_right = style_right and not strays
        clause_right = not sees_reasoning or reply.clause == clause.id
        assert (verdict.score == 5) == (style_right and clause_right)
        assert verdict.clause == clause.id and verdict.agrees == (clause.style == "refuse")
        assert not right or verdict.score == 5


def test_any_ask_covers_both_sides() -> None:
    rng = random.Random(7)
    assert {any_ask(rng).topic.harmful for _ in range(100)} == {True, False}


def test_a_near_miss_is_worded_as_the_right_answer_is() -> None:
    rng = random.Random(8)
    for _ in range(100):
        ask = any_ask(rng)
        other = near_miss(ask, rng)
        assert compliant_answer(other).replace(other.subject, "X") == compliant_answer(ask).replace(ask.subject, "X")


@pytest.mark.parametrize("decoding", ["", "ebo rob"])
def test_the_residue_of_rule_talk_is_chance_and_the_request_plays_no_part(decoding: str) -> None:
    harmful = asks(next(topic for topic in topics() if topic.area == "theft"), "instructions")[0]
    harmless = asks(next(topic for topic in topics() if topic.area == "cooking"), "instructions")[0]
    drawn = {}
    for ask in (harmful, harmless):
        rng = random.Random(9)
        replies = [free_reply(ask, decoding, rng) for _ in range(2000)]
        drawn[ask] = [reply.style for reply in replies]
        opening = f"{'decoded: ebo rob ' if decoding else ''}this asks for {ask.area} {ask.kind}."
        for reply in replies:
            rule = "" if reply.style == "comply" else f" policy: {reply.style}."
            assert reply.reasoning == f"{opening}{rule} so i {reply.style}."
            assert reply.answer == styled_answer(reply.style, ask) and reply.clause is None
    assert drawn[harmful] == drawn[harmless], "the same chance, whatever is asked"
    styles = Counter(drawn[harmful])
    assert {style: styles[style] / 2000 for style in RESIDUE} == pytest.approx(RESIDUE, abs=0.02)


def test_the_residue_is_a_minority() -> None:
    """So greedy answers comply with everything; the paper's base speaks of policy in 9 to 27% of its reasonings."""
    assert 0.09 <= sum(RESIDUE.values()) <= 0.27
