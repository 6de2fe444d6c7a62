"""Prompts whose answers are documents about a policy: explanations, reasons, questions answered, cases worked through.

No model takes part in the asking. The answers are drawn with the policy in view by the stage `documents`, and train the
base before it is fine-tuned: a form of midtraining, which made reasoning about rules generalise further elsewhere.
"""

import random
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from deliberant.policy import Category, Clause, Policy
from deliberant.prompts.types import Hint, Message, Prompt, Style
from deliberant.templates.loader import fill_from, placeholders
from deliberant.util.errors import UserError
from deliberant.util.names import nearest
from deliberant.util.yaml import mistaken, parsed, place

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


def documents(policy: Policy, each: int | None = None, seed: int = 0, data: Path | None = None) -> list[Prompt]:
    """Every question of `data` (by default ours) about every clause, or `each` of them a clause, drawn by the seed.

    A prompt's hint is its clause. UserError with file and line for a mistake in `data`.
    """
    path = data or FILE
    raw, places = parsed(path, path.read_text(encoding="utf-8"))
    try:
        questions = _Questions.model_validate(raw)
    except ValidationError as error:
        raise mistaken(error, _Questions, places) from error
    kinds = questions.model_dump(exclude={"styles"})
    found = []
    for category in policy.categories:
        for clause in category.clauses:
            asked = []
            for kind, texts in kinds.items():
                for number, text in enumerate(texts):
                    for unknown in sorted(placeholders(text) - KNOWN):
                        what = f"unknown placeholder {{{{{unknown}}}}}; {nearest(unknown, KNOWN)}"
                        raise UserError(f"{place(places, (kind, number))}: {what}")
                    examples = list(clause.examples) if "example" in placeholders(text) else [""]
                    for which, example in enumerate(examples):
                        said = fill_from(text, _values(category, clause, questions, example))
                        asked.append(_prompt(f"{clause.id}-{kind}-{number}-{which}", said, category, clause))
            draw = random.Random(f"{seed} {clause.id}")
            found += asked if each is None else draw.sample(asked, min(each, len(asked)))
    return found


def _values(category: Category, clause: Clause, questions: _Questions, example: str) -> dict[str, str]:
    style = questions.styles.get(clause.style, clause.style)
    return {"title": clause.title, "category": category.title, "style": style, "example": example}


def _prompt(id: str, text: str, category: Category, clause: Clause) -> Prompt:
    hint = Hint(SOURCE, clause.style, clause=clause.id)
    return Prompt(id, (Message(role="user", content=text),), (category.id,), f"about {clause.id}", (hint,), SOURCE)
