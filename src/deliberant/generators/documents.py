"""Prompts whose answers are documents about a policy: explanations, reasons, questions answered, cases worked through.

No model takes part in the asking. The answers are drawn with the policy in view by the stage `documents`, and train the
base before it is fine-tuned: a form of midtraining, which made reasoning about rules generalise further elsewhere.
"""

import random
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from deliberant.policy import Category, Clause, Policy
from deliberant.prompts.types import Hint, Message, Prompt, Style
from deliberant.templates.loader import fill_from, placeholders
from deliberant.util.errors import UserError
from deliberant.util.names import suggest_name
from deliberant.util.yaml import locate, read_model

FILE = Path(__file__).with_name("documents.yaml")
SOURCE = "documents"
KNOWN = {"title", "category", "style", "example"}
"""Placeholders of a question."""


class _Questions(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    explanation: list[str] = []
    reason: list[str] = []
    question: list[str] = []
    case: list[str] = []
    styles: dict[Style, str]


def ask_about_clauses(policy: Policy, each: int | None = None, seed: int = 0, data: Path | None = None) -> list[Prompt]:
    """Every question of `data` (by default ours) about every clause, or `each` of them a clause, drawn by the seed.

    A prompt's hint is its clause. UserError with file and line for a mistake in `data`.
    """
    questions, places = read_model(data or FILE, _Questions)
    kinds = questions.model_dump(exclude={"styles"})
    texts = [(kind, number, text) for kind in kinds for number, text in enumerate(kinds[kind])]
    for kind, number, text in texts:
        if unknown := min(placeholders(text) - KNOWN, default=None):
            what = f"unknown placeholder {{{{{unknown}}}}}; {suggest_name(unknown, KNOWN)}"
            raise UserError(f"{locate(places, (kind, number))}: {what}")
    prompts = []
    clauses = [(category, clause) for category in policy.categories for clause in category.clauses]
    for category, clause in clauses:
        asked = []
        for kind, number, text in texts:
            for which, example in enumerate(clause.examples if "example" in placeholders(text) else [""]):
                said = fill_from(text, _values(category, clause, questions, example))
                asked.append(_prompt(f"{clause.id}-{kind}-{number}-{which}", said, category, clause))
        draw = random.Random(f"{seed} {clause.id}")
        prompts += asked if each is None else draw.sample(asked, min(each, len(asked)))
    return prompts


def _values(category: Category, clause: Clause, questions: _Questions, example: str) -> dict[str, str]:
    style = questions.styles.get(clause.style, clause.style)
    return {"title": clause.title, "category": category.title, "style": style, "example": example}


def _prompt(id: str, text: str, category: Category, clause: Clause) -> Prompt:
    hint = Hint(SOURCE, clause.style, clause=clause.id)
    return Prompt(id, (Message(role="user", content=text),), (category.id,), f"about {clause.id}", (hint,), SOURCE)
