"""Which prompts reinforcement trains on, step by step, and which it keeps apart to see whether it helped.

Settled by recipe and prompts alone, so that too few of them are a mistake to know of before a run is made.
"""

import math
import random
from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING

from deliberant.prompts.types import Prompt
from deliberant.run.recipe import Rl
from deliberant.util.errors import UserError
from deliberant.util.files import seed_of

if TYPE_CHECKING:
    from deliberant.run.run import Run


def plan_prompts(run: "Run") -> list[Prompt]:
    """The prompts of all steps of an arm, in order; both arms draw alike. UserError where a kind is missing."""
    recipe = run.recipe.rl
    _, prompts = split_held_out(run)
    steps, touched, replay = recipe.steps, frozenset[str](), 0.0
    if run.lineage:
        steps = math.ceil(run.recipe.incremental.rl_share * steps)
        touched, replay = run.lineage.touched["rl"], run.recipe.incremental.replay
    return schedule(
        prompts, steps, recipe.prompts_per_step, recipe.helpful_share, run.recipe.seed, touched=touched, replay=replay
    )


def replan_prompts(run: "Run", plan: Sequence[Prompt], step: int, resting: Collection[str]) -> list[Prompt]:
    """The same plan up to `step`, and from there on anew, without the `resting` prompts (ids) while others are left.

    A curriculum by what still varies: a group of one reward teaches nothing.
    """
    recipe = run.recipe.rl
    _, prompts = split_held_out(run)
    left = {bool(prompt.categories) for prompt in prompts if prompt.id not in resting}
    awake = [prompt for prompt in prompts if prompt.id not in resting or bool(prompt.categories) not in left]
    done = step * recipe.prompts_per_step
    steps = (len(plan) - done) // recipe.prompts_per_step
    seed = seed_of([run.recipe.seed, "curriculum", step])
    return [*plan[:done], *schedule(awake, steps, recipe.prompts_per_step, recipe.helpful_share, seed)]


def split_held_out(run: "Run") -> tuple[list[Prompt], list[Prompt]]:
    """(held out, left to train on) of the run's prompts. UserError where a kind would be used up."""
    touched = run.lineage.touched["rl"] if run.lineage else ()
    return set_aside([*run.rl_prompts(), *run.helpful_prompts()], run.recipe.rl, run.recipe.seed, touched)


def set_aside(
    prompts: Sequence[Prompt], recipe: Rl, seed: int, touched: Collection[str] = ()
) -> tuple[list[Prompt], list[Prompt]]:
    """(held out, left to train on): `rl.held_out` prompts, of which `rl.helpful_share` (rounded) without a category.

    No family is on both sides: of a family that was taken in part, the others are on neither. What an edit `touched`
    (ids) is there to train on, and often few, so its families are taken last. UserError where a kind would be used up.
    """
    late = {prompt.family for prompt in prompts if prompt.id in touched}
    harmless = round(recipe.helpful_share * recipe.held_out)
    held: list[Prompt] = []
    for kind, number in (("harmless", harmless), ("policy", recipe.held_out - harmless)):
        families: dict[str, list[Prompt]] = {}
        for prompt in prompts:
            if bool(prompt.categories) == (kind == "policy"):
                families.setdefault(prompt.family, []).append(prompt)
        rng = random.Random(f"{seed} held out {kind}")
        order = [
            family
            for part in (families.keys() - late, families.keys() & late)
            for family in rng.sample(sorted(part), len(part))
        ]
        taken = [prompt for family in order for prompt in families[family]][:number]
        if number and len({prompt.family for prompt in taken}) == len(families):
            raise UserError(
                f"rl.held_out: {recipe.held_out} would take all {kind} prompts ({len(families)} families); lower it, "
                "or add prompts"
            )
        held += taken
    families_held = {prompt.family for prompt in held}
    return held, [prompt for prompt in prompts if prompt.family not in families_held]


def schedule(
    prompts: Sequence[Prompt],
    steps: int,
    per_step: int,
    helpful_share: float,
    seed: int,
    *,
    touched: Collection[str] = (),
    replay: float = 0,
) -> list[Prompt]:
    """The prompts of all steps, in order: `per_step` each, `helpful_share` of them (rounded) without a category.

    Where an edit `touched` some (ids), `replay` others of the policy come with each of those. All kinds are dealt in
    shuffled rounds: none comes twice before all came once. UserError where a kind is missing.
    """
    harmless = round(helpful_share * per_step)
    kinds = {
        "harmless": [prompt for prompt in prompts if not prompt.categories],
        "touched": [prompt for prompt in prompts if prompt.categories and prompt.id in touched],
        "policy": [prompt for prompt in prompts if prompt.categories and prompt.id not in touched],
    }
    covered = per_step - harmless
    anew = math.ceil(covered / (1 + replay)) if kinds["policy"] else covered
    anew = anew if kinds["touched"] else 0
    wanted = {"harmless": harmless, "touched": anew, "policy": covered - anew}
    for kind, number in wanted.items():
        if number and not kinds[kind]:
            raise UserError(
                f"rl.helpful_share: {helpful_share} asks for {number} {kind} prompts per step and there are none; "
                "change it, or add such prompts"
            )
    dealers = {kind: _deal(kinds[kind], random.Random(f"{seed} {kind}")) for kind in kinds}
    return [next(dealers[kind]) for _ in range(steps) for kind, number in wanted.items() for _ in range(number)]


def _deal(prompts: Sequence[Prompt], rng: random.Random) -> Iterator[Prompt]:
    while True:
        yield from rng.sample(prompts, len(prompts))
