"""Counts what a prompt file holds while every row is checked.

deliberant prompts check train.jsonl --policy my-policy
"""

import re
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deliberant.prompts.reader import holds_cases, iterate_prompts, read_cases
from deliberant.prompts.types import Prompt

UNSTATED = "not stated"
OUTSIDE = "outside every category"
CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
"""Control characters that no text needs; they are counted, and kept."""


@dataclass
class Census:
    """Counts of prompts; one with several categories counts in each. `control`: prompts with control characters."""

    prompts: int = 0
    several_turns: int = 0
    with_system: int = 0
    hinted: int = 0
    hinted_clause: int = 0
    several_categories: int = 0
    control: int = 0
    families: int = 0
    category: Counter[str] = field(default_factory=Counter)
    source: Counter[str] = field(default_factory=Counter)
    licence: Counter[str] = field(default_factory=Counter)
    framing: Counter[str] = field(default_factory=Counter)
    missing: list[str] = field(default_factory=list)

    def add(self, prompt: Prompt) -> None:
        turns = [turn for turn in prompt.messages if turn["role"] != "system"]
        self.prompts += 1
        self.several_turns += len(turns) > 1
        self.with_system += len(turns) < len(prompt.messages)
        self.hinted += bool(prompt.hints)
        self.hinted_clause += any(hint.clause is not None for hint in prompt.hints)
        self.several_categories += len(prompt.categories) > 1
        self.control += any(CONTROL.search(turn["content"]) for turn in prompt.messages)
        self.category.update(prompt.categories or (OUTSIDE,))
        for name in ("source", "licence", "framing"):
            getattr(self, name)[getattr(prompt, name) or UNSTATED] += 1

    def row(self) -> dict[str, Any]:
        """As a JSON object."""
        return {name: dict(value) if isinstance(value, Counter) else value for name, value in vars(self).items()}


def census(path: Path, categories: Collection[str] | None = None, clauses: Collection[str] | None = None) -> Census:
    """The counts of a file of prompts or of cases, every row of which is checked.

    `categories` and `clauses`, where given, are the policy's; `missing` are the categories without a prompt.
    UserError with file:line for the first mistake.
    """
    found = Census()
    families = set[str]()
    if holds_cases(path):
        prompts: Iterable[Prompt] = (case.prompt for case in read_cases(path, categories, clauses))
    else:
        prompts = iterate_prompts(path, categories, clauses)
    for prompt in prompts:
        found.add(prompt)
        families.add(prompt.family)
    found.families = len(families)
    found.missing = [category for category in categories or () if not found.category[category]]
    return found
