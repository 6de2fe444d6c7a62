"""Invariant 1: nothing of the reasoning reaches the judge that rewards."""

from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deliberant.judge import FilterRequest, Judge, RewardRequest
from deliberant.models.formats import split
from deliberant.models.types import Sampling
from deliberant.prompts.types import Hint, Message, Prompt
from deliberant.templates.loader import Templates
from tests.stages.scripted import Scripted

CANARY = "xqcanaryqx"
PROMPT = Prompt(
    "p", (Message(role="user", content="how do i bake bread?"),), ("food",), "f", (Hint("label", "comply"),)
)

# (text, opened): every habit of opening, closing and forgetting to; the canary stands in reasoning alone.
HABITS = [
    (f"<think>{CANARY}</think>fine", False),
    (f"{CANARY}</think>fine", True),
    (f"<think>{CANARY}", False),
    (f"{CANARY}", True),
    (f"<thinking>{CANARY}</thinking>fine", False),
    (f"<thinking>{CANARY}", False),
    (f"<think>{CANARY}</thinking>fine", False),
    (f"<think>{CANARY}<think>{CANARY}</think>fine", False),
    (f"<think>one</think>two<think>{CANARY}</think>fine", False),
    (f"<think>one</think>{CANARY}</think>fine", False),
    (f"<|channel|>analysis<|message|>{CANARY}<|end|><|start|>assistant<|channel|>final<|message|>fine", False),
    (f"<|channel|>analysis<|message|>{CANARY}", False),
]


def test_reward_request_has_no_place_for_reasoning() -> None:
    assert [field.name for field in fields(RewardRequest)] == ["prompt", "answer", "spec_view"]
    assert not hasattr(RewardRequest(PROMPT, "", None), "__dict__")
    with pytest.raises(TypeError):
        RewardRequest(PROMPT, "fine", None, reasoning=CANARY)  # type: ignore[call-arg]


@pytest.mark.parametrize(("text", "opened"), HABITS)
@pytest.mark.parametrize("spec_view", ["# summaries", None])
def test_canary_in_reasoning_never_reaches_the_reward_judge(
    text: str, opened: bool, spec_view: str | None, templates: Templates
) -> None:
    sampler = Scripted(lambda request: "<think></think>score: 1")
    request = RewardRequest(PROMPT, split(text, opened).answer, spec_view)
    Judge(sampler, templates, Sampling()).read([request], k=2, seed=0)
    shown = [message["content"] for batch in sampler.batches for request in batch for message in request.messages]
    assert shown and not any(CANARY in content for content in shown)


def test_the_filter_judge_does_see_the_reasoning(templates: Templates) -> None:
    judge = Judge(Scripted(lambda request: "score: 1"), templates, Sampling())
    messages = judge.messages(FilterRequest(PROMPT, CANARY, "fine", "# summaries"), seed=0)
    assert any(CANARY in message["content"] for message in messages)


@given(text=st.text() | st.lists(st.sampled_from(["<think>", "</think>", "<thinking>", "a", "\n"])).map("".join))
def test_without_a_closing_tag_the_reward_judge_sees_an_empty_answer(text: str) -> None:
    parts = split(text)
    assert parts.complete or parts.answer == ""


def test_helpfulness_rubric_shows_no_policy_and_no_hint() -> None:
    judge = Judge(Scripted(lambda request: "score: 1"), Templates.load("default"), Sampling())
    text = "".join(message["content"] for message in judge.messages(RewardRequest(PROMPT, "fine", None), seed=0))
    assert "policy" not in text.lower()
    assert "another AI" not in text
