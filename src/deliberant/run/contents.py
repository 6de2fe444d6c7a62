"""What a run is made of: its recipe and what that points to, read and hashed; and what its stages have finished."""

import datetime
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from deliberant.models.refs import identify, parse_reference
from deliberant.policy import Policy, load_policy
from deliberant.prompts import Case, Prompt, Style
from deliberant.run.folder import Manifest, command, read_finished
from deliberant.run.recipe import Recipe
from deliberant.run.roles import JudgeModel, Model
from deliberant.run.sources import document_prompts, policy_folder, prompt_sets, right_style, style_reader
from deliberant.templates.loader import Templates
from deliberant.util.errors import UserError
from deliberant.util.files import fingerprint


class Contents:
    """Recipe, policy, templates, prompts and the identities of the models; `covers` has a hash of each."""

    hash: str
    root: Path

    def __init__(self, recipe: Recipe, note: Mapping[str, Any] | None) -> None:
        """Load what the recipe names; `note` is an existing run's note, which spares hashing its models again."""
        self.recipe = recipe
        self.policy_folder = policy_folder(recipe.policy)
        self.policy: Policy = load_policy(self.policy_folder)
        self.templates = Templates.load(recipe.templates)
        self.sets = prompt_sets(recipe, self.policy)
        self.models = recipe.models
        self.date = note["date"] if note else datetime.date.today().isoformat()
        self.world = note["world"] if note else recipe.prompts if isinstance(recipe.prompts, str) else None
        known = note["identities"] if note else {}
        identity_of = cache(lambda model: identify(parse_reference(model), self.date))  # it may read gigabytes
        self.identities = {role: known.get(role) or identity_of(model.model) for role, model in self.models.items()}
        self.covers = {
            "policy": self.policy.hash,
            "templates": self.templates.hash,
            "prompts": fingerprint(self.sets.covered),
            **{role: self._cover(role, model) for role, model in self.models.items()},
        }
        self._manifests: dict[str, Manifest] = {}

    def sft_prompts(self) -> tuple[Prompt, ...]:
        """Prompts that samples are drawn for, to fine-tune on."""
        return self.sets.sft

    def rl_prompts(self) -> tuple[Prompt, ...]:
        """Prompts to practise on by reinforcement learning."""
        return self.sets.rl

    def helpful_prompts(self) -> tuple[Prompt, ...]:
        """Harmless prompts outside every category, to keep capability."""
        return self.sets.helpful

    def document_prompts(self) -> tuple[Prompt, ...]:
        """Questions about every clause, whose answers are documents about the policy."""
        return document_prompts(self.world, self.policy, self.recipe.seed)

    def cases(self) -> tuple[Case, ...]:
        """What the run is measured against; for evaluation alone."""
        return self.sets.cases

    @property
    def style_reader(self) -> Callable[[str], Style | None] | None:
        """Reads an answer's response style without a judge, where the prompts come from a world that defines it."""
        return style_reader(self.world)

    def right_style(self, prompt: Prompt) -> Style | None:
        """The style that the policy asks for, where the prompt comes from a world that knows."""
        return right_style(self.world, self.policy, prompt)

    def judge_templates(self, role: str) -> Templates:
        """The prompt files of a judge: its own, or those of the recipe."""
        own = getattr(self.recipe.judge, role).templates
        return self.templates if own is None else Templates.load(own)

    def manifest(self, stage: str) -> Manifest:
        """The manifest of a finished stage, its outputs checked once; UserError with the command where it has not."""
        if stage not in self._manifests:
            manifest = read_finished(self.root, stage)
            if manifest is None:
                raise UserError(f"{self.root}: {stage} has not finished; run `{command(stage, self.root)}` first")
            self._manifests[stage] = manifest
        return self._manifests[stage]

    def _cover(self, role: str, model: Model | JudgeModel) -> str:
        """All that shapes what a model says in a role, as one hash; the model's own identity is kept beside it."""
        reference = parse_reference(model.model)
        own = Templates.load(model.templates).hash if isinstance(model, JudgeModel) and model.templates else None
        identity = str(reference) if reference.dated else self.identities[role]  # tomorrow the same command resumes
        return fingerprint([identity, model.model_dump(exclude={"model", "templates"}), own])
