"""Counts what a prompt file holds while every row is checked.

deliberant prompts check train.jsonl --policy my-policy
"""

import re
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

from deliberant.prompts.reader import holds_cases, read_cases, read_prompts
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


def count_prompts(
    path: Path, categories: Collection[str] | None = None, clauses: Collection[str] | None = None
) -> Census:
    """The counts of a file of prompts or of cases, every row of which is checked.

    `categories` and `clauses`, where given, are the policy's; `missing` are the categories without a prompt.
    UserError with file:line for the first mistake.
    """
    if holds_cases(path):
        prompts = [case.prompt for case in read_cases(path, categories, clauses)]
    else:
        prompts = read_prompts(path, categories, clauses)
    counts = Census(families=len({prompt.family for prompt in prompts}))
    for prompt in prompts:
        counts.add(prompt)
    counts.missing = [category for category in categories or () if not counts.category[category]]
    return counts
