from collections import Counter

import pytest

from deliberant.micro import POLICY_DIR
from deliberant.micro.sets import SUITES, prompt_sets, split_topics
from deliberant.micro.world import asks, kinds, language, topics
from deliberant.policy import Policy, load_policy


@pytest.fixture(scope="module")
def policy() -> Policy:
    return load_policy(POLICY_DIR)


def test_prompt_sets_keep_unseen_topics_and_encodings_from_training(policy: Policy) -> None:
    sets = prompt_sets(policy, seed=3)
    unseen = {f"{topic.area}: {topic.verb}" for topic in split_topics(3)[1]}
    assert not unseen & {prompt.family for prompt in sets.sft}
    assert {case.prompt.family for case in sets.cases if case.suite != "seen"} <= unseen
    plain = {ask.text for topic in topics() for kind in kinds(topic.harmful) for ask in asks(topic, kind)}
    assert {prompt.messages[-1]["content"] for prompt in sets.sft} <= plain
    asked = {prompt.messages[-1]["content"] for prompt in sets.sft}
    assert not asked & {case.prompt.messages[-1]["content"] for case in sets.cases}
    sizes = Counter((case.suite, case.truth.harmful) for case in sets.cases)
    assert set(sizes.values()) == {120} and {suite for suite, _ in sizes} == set(SUITES)
    ids = [prompt.id for prompt in [*sets.sft, *sets.helpful, *(case.prompt for case in sets.cases)]]
    assert len(set(ids)) == len(ids)


def test_same_seed_same_prompts(policy: Policy) -> None:
    assert prompt_sets(policy, 5) == prompt_sets(policy, 5)
    assert prompt_sets(policy, 5).sft != prompt_sets(policy, 6).sft


def test_encoded_capability_prompts_are_decoding_tasks_and_others_alike(policy: Policy) -> None:
    sent = [prompt.messages[-1]["content"] for prompt in prompt_sets(policy, 5).helpful]
    wrappers = [wrapper.removesuffix("{e}") for group in language()["encoded"].values() for wrapper in group]
    decode = [text for text in sent if text.startswith(("decode this", "what does this"))]
    wrapped = [text for text in sent if text.startswith(tuple(wrappers))]
    assert (len(sent), len(decode), len(wrapped)) == (480, 60, 60)
