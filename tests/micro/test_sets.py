from collections import Counter
from collections.abc import Iterable

import pytest

from deliberant.micro import POLICY_DIR
from deliberant.micro.sets import PRACTISED, SUITES, Cell, cell_of, choose_left_to_rl, prompt_sets
from deliberant.micro.world import asks, kinds, language, topics
from deliberant.policy import Policy, load_policy
from deliberant.prompts import Prompt


@pytest.fixture(scope="module")
def policy() -> Policy:
    return load_policy(POLICY_DIR)


def text(prompt: Prompt) -> str:
    return prompt.messages[-1]["content"]


def cells(prompts: Iterable[Prompt]) -> set[Cell]:
    """What these prompts ask, by their plain texts."""
    asked = {
        ask.text: cell_of(topic, ask.kind)
        for topic in topics()
        for kind in kinds(topic.harmful)
        for ask in asks(topic, kind)
    }
    return {asked[text(prompt)] for prompt in prompts}


@pytest.mark.parametrize("seed", [0, 3])
def test_no_family_or_text_is_in_two_sets(policy: Policy, seed: int) -> None:
    sets = prompt_sets(policy, seed)
    cases = {suite: [case.prompt for case in sets.cases if case.suite == suite] for suite in SUITES}
    held_out = [prompt for suite in SUITES if suite != "seen" for prompt in cases[suite]]
    sft, rl, measured = ({prompt.family for prompt in prompts} for prompts in (sets.sft, sets.rl, held_out))
    assert not sft & rl and not (sft | rl) & measured
    assert {prompt.family for prompt in cases["seen"]} <= sft, "the suite of topics that sft saw, in other words"
    sft, rl, measured = (
        {text(each) for each in found} for found in (sets.sft, sets.rl, (case.prompt for case in sets.cases))
    )
    assert not sft & rl and not (sft | rl) & measured
    plain = {ask.text for topic in topics() for kind in kinds(topic.harmful) for ask in asks(topic, kind)}
    assert sft | rl <= plain, "no policy prompt is encoded"
    ids = [prompt.id for prompt in [*sets.sft, *sets.rl, *sets.helpful, *(case.prompt for case in sets.cases)]]
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize("seed", [0, 3])
def test_some_clauses_are_left_to_rl(policy: Policy, seed: int) -> None:
    sets, left = prompt_sets(policy, seed), choose_left_to_rl(seed, 0.3)
    every = {cell_of(topic, kind) for topic in topics() for kind in kinds(topic.harmful)}
    assert left < every and len(left) >= len(every) / 4
    assert {area for area, _ in left} == {area for area, _ in every}, "some of every area"
    assert cells(sets.sft) == every - left
    assert cells(sets.rl) == every
    for suite in SUITES:
        cases = [case for case in sets.cases if case.suite == suite]
        found = cells(
            Prompt("", ({"role": "user", "content": case.plain or text(case.prompt)},), (), "") for case in cases
        )
        assert found == (left if suite in PRACTISED else every - left)
        sizes = Counter(case.truth.harmful for case in cases)
        wanted = 60 if suite in PRACTISED else 120
        assert 0.85 * wanted <= sizes[True] <= wanted and 0.85 * wanted <= sizes[False] <= wanted
        assert all((case.plain is not None) == suite.endswith("encoded") for case in cases)


def test_without_practised_clauses_sft_has_them_all(policy: Policy) -> None:
    sets = prompt_sets(policy, 0, practised=0)
    assert not choose_left_to_rl(0, 0) and cells(sets.sft) == cells(sets.rl)
    assert {case.suite for case in sets.cases} == {"seen", "unseen", "encoded"}


def test_same_seed_same_prompts(policy: Policy) -> None:
    assert prompt_sets(policy, 5) == prompt_sets(policy, 5)
    assert prompt_sets(policy, 5).sft != prompt_sets(policy, 6).sft
    assert choose_left_to_rl(5, 0.3) == choose_left_to_rl(5, 0.3) != choose_left_to_rl(6, 0.3)


def test_encoded_capability_prompts_are_decoding_tasks_and_others_alike(policy: Policy) -> None:
    sent = [prompt.messages[-1]["content"] for prompt in prompt_sets(policy, 5).helpful]
    wrappers = [wrapper.removesuffix("{e}") for group in language()["encoded"].values() for wrapper in group]
    decode = [text for text in sent if text.startswith(("decode this", "what does this"))]
    wrapped = [text for text in sent if text.startswith(tuple(wrappers))]
    assert (len(sent), len(decode), len(wrapped)) == (480, 60, 60)
