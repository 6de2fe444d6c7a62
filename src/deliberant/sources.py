"""What the words of a recipe point to: folders, models, prompt sets."""

from pathlib import Path
from typing import NamedTuple

from deliberant.models import checkpoint
from deliberant.policy import Policy
from deliberant.prompts import Case, Prompt, assert_families_disjoint, read_cases, read_prompts
from deliberant.recipe import BUILT_IN, Recipe

DEFAULT = "default"
"""The word for the policy that a team can start from."""

SEEN = "seen"
"""The suite of new wordings of families that are trained on; every other suite is held out by family."""


class PromptSets(NamedTuple):
    train: tuple[Prompt, ...]
    helpful: tuple[Prompt, ...]
    cases: tuple[Case, ...]


def policy_folder(name: str) -> Path:
    """The folder of a policy: that of the built-in world, the default one, or a local one."""
    if name == BUILT_IN:
        from deliberant.micro import POLICY_DIR

        return POLICY_DIR
    if name == DEFAULT:
        return Path(__file__).parent / "policy" / DEFAULT
    return Path(name)


def prompt_sets(recipe: Recipe, policy: Policy) -> PromptSets:
    """A recipe's prompts. UserError where a file has a mistake, or a held-out suite a family that is trained on."""
    if isinstance(recipe.prompts, str):
        from deliberant.micro.world import prompt_sets as built_in_sets

        built = built_in_sets(policy, recipe.seed)
        sets = PromptSets(tuple(built.train), tuple(built.helpful), tuple(built.cases))
    else:
        files = recipe.prompts
        categories = {category.id for category in policy.categories}
        clauses = {clause.id for category in policy.categories for clause in category.clauses}
        sets = PromptSets(
            tuple(read_prompts(Path(files.train), categories)),
            tuple(read_prompts(Path(files.helpful), categories)),
            tuple(read_cases(Path(files.cases), categories, clauses)),
        )
    held_out = [case.prompt for case in sets.cases if case.suite != SEEN]
    assert_families_disjoint([*sets.train, *sets.helpful], held_out)
    return sets


def model_folder(name: str) -> Path:
    """The folder of a model: the built-in one, a local one, or a Hub snapshot."""
    if name == BUILT_IN:
        from deliberant.micro import MODEL_DIR

        return checkpoint.model_folder(MODEL_DIR)
    return checkpoint.model_folder(name)
