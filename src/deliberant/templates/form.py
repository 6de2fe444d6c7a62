"""The form of reasoning, shown to models that have none of their own: an instruction, and examples as earlier turns.

The examples are made of the clauses in view, one for each response style and one outside the policy: models copy what
they see, so what they see cites clauses that exist, in wordings that change with the sample. form.yaml has the words.
"""

from collections.abc import Sequence
from typing import Any

import yaml

from deliberant.models.formats import formats
from deliberant.models.types import Reasoning
from deliberant.policy import Clause
from deliberant.prompts.types import STYLES, Message
from deliberant.templates.loader import Templates, fill, fill_from
from deliberant.util.errors import UserError

FILE = "form.yaml"
PROMPTED = formats()["think"]
"""The format that models are prompted for."""


def compose_request(
    messages: Sequence[Message],
    templates: Templates,
    reasoning: Reasoning,
    clauses: Sequence[Clause] = (),
    index: int = 0,
) -> tuple[Message, ...]:
    """What a model is asked: the conversation, with the form (see `show_form`) where its reasoning is prompted."""
    return show_form(messages, templates, clauses, index) if reasoning == "prompted" else tuple(messages)


def show_form(
    messages: Sequence[Message], templates: Templates, clauses: Sequence[Clause] = (), index: int = 0
) -> tuple[Message, ...]:
    """The conversation with the form in its system message and examples before its first turn.

    `clauses`: those in view, which examples cite and the model is asked to; without any it is asked to think, no more.
    `index`: the sample's number; it decides which clauses and wordings are shown. UserError: no such file.
    """
    if FILE not in templates.files:
        raise UserError(
            f"{templates.folder / FILE}: is missing, and reasoning: prompted needs it; copy the default one"
        )
    words = yaml.safe_load(templates.files[FILE])
    instruction = words["instruction"]
    if clauses:
        instruction += "\n" + fill(words["cite"], {"id": clauses[index % len(clauses)].id})
    system, turns = instruction, list(messages)
    if turns[0]["role"] == "system":
        system, turns = f"{turns[0]['content']}\n\n{instruction}", turns[1:]
    return (Message(role="system", content=system), *_examples(words, clauses, index), *turns)


def _examples(words: dict[str, Any], clauses: Sequence[Clause], index: int) -> list[Message]:
    """One outside the policy first, since the last ones are copied most; without clauses all that are outside."""
    shown: list[Message] = []
    for each in [_turn(words["outside"], index)] if clauses else words["outside"]:
        shown += _exchange(each["user"], each["reasoning"], each["answer"])
    styles = [style for style in STYLES if any(clause.style == style for clause in clauses)]
    for place in range(len(styles)):
        style = _turn(styles, index + place)
        clause = _turn([clause for clause in clauses if clause.style == style], index)
        values = {"id": clause.id, "style": style, "title": clause.title, "text": _sentence(clause.text)}
        asked = _turn(clause.examples or (fill_from(words["asks"], values),), index)
        reasoning = fill_from(_turn(words["reasoning"], index + place), values)
        shown += _exchange(asked, reasoning, fill_from(_turn(words["answers"][style], index), values))
    return shown


def _exchange(user: str, reasoning: str, answer: str) -> list[Message]:
    said = PROMPTED.join(" ".join(reasoning.split()), answer)
    return [Message(role="user", content=user), Message(role="assistant", content=said)]


def _turn(wordings: Sequence[Any], index: int) -> Any:
    return wordings[index % len(wordings)]


def _sentence(text: str) -> str:
    """The first sentence of a clause's text."""
    head, dot, _ = " ".join(text.split()).partition(". ")
    return head + dot.strip()
