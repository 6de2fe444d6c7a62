import random
from pathlib import Path

import pytest

from deliberant.judge.verdict import parse
from deliberant.micro.corpus import (
    any_ask,
    corpus,
    flawed_reply,
    judge_reply,
    judged,
    near_miss,
    policy_reply,
    show,
)
from deliberant.micro.policies import held_out_title, random_policy
from deliberant.micro.pretrain import FULL_MIX, tokenise
from deliberant.micro.tokenizer import build_tokenizer
from deliberant.micro.world import area_of_wording, compliant_answer, covers, kind_of_wording, read_style
from deliberant.models.splitter import split
from deliberant.models.types import Completion
from deliberant.policy import load_policy, print_policy


def test_random_policies_load_like_any_other(tmp_path: Path) -> None:
    rng = random.Random(0)
    for number in range(20):
        policy = random_policy(rng)
        for name, text in print_policy(policy).items():
            path = tmp_path / str(number) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        loaded = load_policy(tmp_path / str(number))
        assert {c.id for category in loaded.categories for c in category.clauses} == {
            c.id for category in policy.categories for c in category.clauses
        }


def test_held_out_titles_never_appear_in_pre_training_and_do_in_measurement() -> None:
    rng = random.Random(1)
    seen = [c.title for _ in range(200) for category in random_policy(rng).categories for c in category.clauses]
    fresh = [c.title for _ in range(50) for category in random_policy(rng, True).categories for c in category.clauses]
    assert not any(map(held_out_title, seen))
    assert sum(map(held_out_title, fresh)) / len(fresh) > 0.8


def test_a_drawn_request_is_covered_by_its_clause() -> None:
    rng = random.Random(2)
    for _ in range(200):
        shown = show(rng)
        [(ask, clause)] = shown.draw(rng)
        area, kind = clause.title.split()
        assert covers(area_of_wording()[area], ask.topic) and kind_of_wording()[kind] == ask.kind
        assert f"{clause.title} [{clause.id}] {clause.style}" in shown.view


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
    for _ in range(300):
        shown = show(rng)
        [(ask, clause)] = shown.draw(rng)
        right = rng.random() < 0.5
        reply, answered = judged(ask, shown, clause, rng, right)
        text = judge_reply(ask, clause, reply, answered, sees_reasoning, "refuse")
        verdict = parse(Completion(text, (), 0, "stop"), hinted=True)
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


@pytest.mark.parametrize("name", list(FULL_MIX))
def test_rows_are_conversations_whose_assistant_turns_alone_carry_loss(name: str) -> None:
    tokenizer = build_tokenizer()
    rows = corpus(random.Random(5), {name: 1.0})
    for _ in range(20):
        messages = next(rows)
        row = tokenise(tokenizer, messages)
        assert len(row.ids) <= 1024, "every row fits the model"
        taught = tokenizer.decode([token for token, loss in zip(row.ids, row.loss, strict=True) if loss])
        spoken = "".join(m["content"] + "<|end|>" for m in messages if m["role"] == "assistant")
        assert "".join(taught.split()) == "".join(spoken.split())
        for message in messages:
            if message["role"] == "assistant":
                assert split(message["content"]).complete


def test_without_a_policy_the_base_is_taught_to_comply_with_everything() -> None:
    rows = corpus(random.Random(6), {"free": 1.0})
    for _ in range(100):
        for message in next(rows):
            if message["role"] == "assistant":
                assert read_style(split(message["content"]).answer) == "comply"


def test_any_ask_covers_both_sides() -> None:
    rng = random.Random(7)
    assert {any_ask(rng).topic.harmful for _ in range(100)} == {True, False}


def test_a_near_miss_is_worded_as_the_right_answer_is() -> None:
    rng = random.Random(8)
    for _ in range(100):
        ask = any_ask(rng)
        other = near_miss(ask, rng)
        assert compliant_answer(other).replace(other.subject, "X") == compliant_answer(ask).replace(ask.subject, "X")
