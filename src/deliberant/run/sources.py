"""What the words of a recipe, or of a command line, point to: policies, models, prompt files, prompt sets."""

from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import deliberant.policy
from deliberant.policy import Policy, load_policy
from deliberant.prompts import (
    Case,
    Prompt,
    Style,
    assert_families_disjoint,
    read_cases,
    read_prompts,
)
from deliberant.prompts.importing import Import, import_prompts
from deliberant.prompts.plan import Plan
from deliberant.prompts.tables import open_table
from deliberant.run.recipe import PromptFile, Recipe
from deliberant.run.settings import BUILT_IN, DEFAULT
from deliberant.templates.loader import Templates
from deliberant.util.errors import UserError

LATER = ("attack", "language")
"""Fields that the cases of older runs did not have."""
SEEN = "seen"
"""The suite of new wordings of families that are trained on; every other suite is held out by family."""


class PromptSets(NamedTuple):
    sft: tuple[Prompt, ...]
    """What samples are drawn for, to fine-tune on."""
    rl: tuple[Prompt, ...]
    helpful: tuple[Prompt, ...]
    cases: tuple[Case, ...]

    @property
    def covered(self) -> tuple[Sequence[Any], ...]:
        """What of them names a run; `LATER` fields that a case does not set are left out, for older runs."""
        cases = [
            {name: each for name, each in vars(case).items() if each is not None or name not in LATER}
            for case in self.cases
        ]
        return (*((self.sft,) if self.rl == self.sft else (self.sft, self.rl)), self.helpful, cases)


def policy_folder(name: str) -> Path:
    """The folder of a policy: that of the built-in world, the default one, or a local one."""
    if name == BUILT_IN:
        from deliberant.micro import POLICY_DIR

        return POLICY_DIR
    if name == DEFAULT:
        return Path(deliberant.policy.__file__).parent / DEFAULT
    return Path(name)


def load_named_policy(name: str) -> Policy:
    """The policy of that name or folder. UserError where it cannot be loaded."""
    return load_policy(policy_folder(name))


def style_reader(world: str | None) -> Callable[[str], Style | None] | None:
    """Reads an answer's response style without a judge, where the prompts come from a world that defines it."""
    if world != BUILT_IN:
        return None
    from deliberant.micro.world import read_style

    return read_style


def right_style(world: str | None, policy: Policy, prompt: Prompt) -> Style | None:
    """The style that the policy asks for, where the prompt comes from a world that knows."""
    if world != BUILT_IN:
        return None
    from deliberant.micro.world import right_style as right_style_of

    return right_style_of(policy, prompt.messages[-1]["content"])


def document_prompts(world: str | None, policy: Policy, seed: int) -> tuple[Prompt, ...]:
    """Questions about every clause of a policy, in the words of the world where the prompts come from one."""
    if world != BUILT_IN:
        from deliberant.generators import ask_about_clauses

        return tuple(ask_about_clauses(policy))
    from deliberant.micro.sets import document_prompts as built_in_prompts

    return tuple(built_in_prompts(policy, seed))


def prompt_sets(recipe: Recipe, policy: Policy) -> PromptSets:
    """A recipe's prompts. UserError where a file has a mistake, or a held-out suite a family that is trained on."""
    if isinstance(recipe.prompts, str):
        from deliberant.micro.sets import prompt_sets as built_in_sets

        built = built_in_sets(policy, recipe.seed, **recipe.built_in.model_dump())
        sets = PromptSets(tuple(built.sft), tuple(built.rl), tuple(built.helpful), tuple(built.cases))
    else:
        files = recipe.prompts
        sets = PromptSets(
            tuple(prompts_of(files.sft, policy)),
            tuple(prompts_of(files.rl, policy)),
            tuple(prompts_of(files.helpful, policy)),
            tuple(read_cases(Path(files.cases), *list_names(policy))),
        )
        for name in ("sft", "rl", "cases"):
            if not getattr(sets, name):
                source = getattr(files, name)
                raise UserError(
                    f"{source if isinstance(source, str) else source.file}: holds no row; prompts.{name} needs some"
                )
    if recipe.more:
        sets = with_more(sets, read_prompts(Path(recipe.more), *list_names(policy)))
    held_out = [case.prompt for case in sets.cases if case.suite != SEEN]
    assert_families_disjoint([*sets.sft, *sets.rl, *sets.helpful], held_out, cases_file(recipe))
    return sets


def with_more(sets: PromptSets, more: Sequence[Prompt]) -> PromptSets:
    """The sets with these prompts, each where its family is: in sft, unless rl alone has it."""
    practised = {prompt.family for prompt in sets.rl} - {prompt.family for prompt in sets.sft}
    sft, rl = (tuple(each for each in more if (each.family in practised) == rl) for rl in (False, True))
    shared = sets.rl == sets.sft
    return sets._replace(sft=(*sets.sft, *sft), rl=(*sets.rl, *(sft if shared else rl)))


def cases_file(recipe: Recipe) -> Path | None:
    """The file of a recipe's cases; None for the built-in world, which draws them."""
    return None if isinstance(recipe.prompts, str) else Path(recipe.prompts.cases)


class Names(NamedTuple):
    """What prompts may name of a policy; None: anything."""

    categories: Collection[str] | None
    clauses: Collection[str] | None


def list_names(*policies: Policy | None) -> Names:
    """The categories and clauses of all these policies, in order; without one, any name will do."""
    known = [policy for policy in policies if policy is not None]
    if not known:
        return Names(None, None)
    categories = dict.fromkeys(category.id for policy in known for category in policy.categories)
    return Names(list(categories), list(dict.fromkeys(id for policy in known for id in policy.clauses)))


def prompts_of(source: str | PromptFile, policy: Policy) -> list[Prompt]:
    """The prompts a recipe names. UserError for a mistake in them, and for a row that would have to be skipped."""
    if isinstance(source, str):
        return read_prompts(Path(source), *list_names(policy))
    account = Import()
    plan = Plan(map=source.map, set=source.set, values=source.values, separator=source.separator)
    table = open_table(source.file, source.split, source.config)
    prompts = list(import_prompts(table, plan, account, *list_names(policy)))
    if account.skipped:
        at, why = account.skipped[0]
        more = f" (and {len(account.skipped) - 1} more rows)" if account.skipped[1:] else ""
        raise UserError(f"{at}: {why}{more}; `deliberant prompts import` skips and lists such rows")
    return prompts


def templates_named(name: str | None, model: str) -> Templates:
    """Prompt files; without a name, those that a model of this name reads best."""
    return Templates.load(name or (BUILT_IN if model == BUILT_IN else DEFAULT))
