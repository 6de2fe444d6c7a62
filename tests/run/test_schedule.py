from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deliberant.prompts.types import Message, Prompt
from deliberant.run.recipe import Rl
from deliberant.run.schedule import schedule, set_aside
from deliberant.util.errors import UserError


def prompt(number: int, category: str | None) -> Prompt:
    return Prompt(
        f"{category}{number}", (Message(role="user", content="?"),), (category,) if category else (), f"{number}"
    )


@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 6), st.integers(1, 8), st.floats(0, 1))
def test_every_step_has_its_share_and_no_prompt_comes_twice_before_all_came_once(
    harmful: int, harmless: int, steps: int, per_step: int, share: float
) -> None:
    prompts = [prompt(i, "fire") for i in range(harmful)] + [prompt(i, None) for i in range(harmless)]
    plan = schedule(prompts, steps, per_step, share, seed=0)
    assert len(plan) == steps * per_step
    for start in range(0, len(plan), per_step):
        assert sum(not one.categories for one in plan[start : start + per_step]) == round(share * per_step)
    for kind in ("fire", None):
        counts = Counter(one.id for one in plan if one.categories == ((kind,) if kind else ()))
        total = harmful if kind else harmless
        assert not counts or max(counts.values()) - (min(counts.values()) if len(counts) == total else 0) <= 1


def test_a_share_without_prompts_for_it_is_a_users_mistake() -> None:
    with pytest.raises(UserError, match=r"rl\.helpful_share"):
        schedule([prompt(0, "fire")], 1, 4, 0.5, 0)
    assert schedule([prompt(0, "fire")], 1, 2, 0.0, 0) == [prompt(0, "fire")] * 2


def test_prompts_that_an_edit_touched_have_their_share_of_every_step() -> None:
    prompts = [*(prompt(i, "fire") for i in range(3)), *(prompt(i, "tools") for i in range(9)), prompt(0, None)]
    touched = {"fire0", "fire1", "fire2"}

    def counts(replay: float, some: list[Prompt] = prompts) -> list[Counter[str]]:
        plan = schedule(some, 2, 8, 0.25, 0, touched=touched, replay=replay)
        kinds = [one.categories[0] if one.categories else "none" for one in plan]
        return [Counter(kinds[:8]), Counter(kinds[8:])]

    assert counts(1) == [{"none": 2, "fire": 3, "tools": 3}] * 2
    assert counts(0) == [{"none": 2, "fire": 6}] * 2
    assert counts(99) == [{"none": 2, "fire": 1, "tools": 5}] * 2, "the edit is never left out"
    assert counts(1, [one for one in prompts if one.categories != ("tools",)]) == [{"none": 2, "fire": 6}] * 2


@given(st.integers(1, 8), st.integers(1, 8), st.integers(1, 12), st.sampled_from([0.0, 0.25, 0.5, 1.0]))
def test_no_family_is_trained_on_and_held_out(harmful: int, harmless: int, number: int, share: float) -> None:
    """Two prompts a family."""
    prompts = [
        replace(prompt(i, category), family=f"{category}{i // 2}")
        for category, n in (("fire", harmful), (None, harmless))
        for i in range(2 * n)
    ]
    recipe = Rl(held_out=number, helpful_share=share)
    wanted = round(share * number)
    if (wanted and wanted > 2 * harmless - 2) or (number > wanted and number - wanted > 2 * harmful - 2):
        with pytest.raises(UserError, match=r"rl\.held_out"):
            set_aside(prompts, recipe, 0)
        return
    out, left = set_aside(prompts, recipe, 0)
    assert len(out) == number and sum(not one.categories for one in out) == wanted
    assert not {one.family for one in out} & {one.family for one in left}
    assert {one.family for one in out} | {one.family for one in left} == {one.family for one in prompts}


@pytest.mark.parametrize(
    ("touched", "number", "held", "kept"),
    [(3, 4, 0, 3), (3, 10, 1, 2), (12, 4, 4, 8), (11, 1, 0, 11)],
    ids=["few", "more than the others", "all", "all but one"],
)
def test_what_an_edit_touched_is_held_out_last(touched: int, number: int, held: int, kept: int) -> None:
    """Of twelve prompts; `held` and `kept` count the touched ones on either side."""
    prompts = [prompt(i, "fire") for i in range(12)]
    ids = {each.id for each in prompts[:touched]}
    out, left = set_aside(prompts, Rl(held_out=number, helpful_share=0), 0, ids)
    assert len(out) == number
    assert [sum(one.id in ids for one in side) for side in (out, left)] == [held, kept]
