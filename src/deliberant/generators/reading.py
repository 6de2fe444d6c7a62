"""What a model wrote, read: the prompt, the category it names, the turns that lead up to a request.

Only an answer is read, never a think block; of several lines of a kind the last counts, since earlier ones are drafts.
"""

import re
from collections.abc import Callable

from deliberant.judge.labels import Categories
from deliberant.prompts.similarity import normalise
from deliberant.prompts.types import Message

PROMPT = re.compile(r"(?im)^[ \t*\"'`]*prompt[ \t*\"'`]*:\**(?P<text>.*)$")
CATEGORY = re.compile(r"(?im)^[ \t*\"'`]*categor(?:y|ies)[ \t*\"'`]*:(?P<names>.*)$")
TURN = re.compile(r"(?im)^[ \t*\"'`#>-]*(?:\d+[.)][ \t*]*)?(user|assistant)(?:[ \t]+\d+)?[ \t*\"'`]*:\**")
QUOTES = {'"': '"', "'": "'", "`": "`", "“": "”", "**": "**"}


def last_prompt(answer: str) -> str:
    """The text of the last `prompt:` line, without quotation marks around it; "" where there is none."""
    prompts = [match["text"].strip() for match in PROMPT.finditer(answer)]
    return _unquoted(prompts[-1]) if prompts else ""


def repeats_what_was_shown(text: str, shown: str) -> bool:
    """Whether `text` stands behind a mark in what the model was shown: small models copy the form or the example."""
    marked = [match["text"] for match in PROMPT.finditer(shown)] + TURN.split(shown)[2::2]
    return _bare(text) in {_bare(_unquoted(each.strip())) for each in marked}


def last_category(answer: str, categories: Callable[[str], Categories | None]) -> Categories | None:
    """What the last on-menu `category:` line names; None where there is none."""
    named = [categories(match["names"]) for match in CATEGORY.finditer(answer)]
    return next((each for each in reversed(named) if each is not None), None)


def lead_up(answer: str, request: str) -> tuple[tuple[Message, ...], str | None]:
    """The turns before `request`, and why they cannot be used, None where they can.

    A turn goes from a line `user:` or `assistant:` to the next one. A model often goes on to the request itself, and
    answers it; nothing of that is read. A turn that holds the request inside it is no lead-up.
    """
    _, *pieces = TURN.split(answer)
    turns: list[Message] = []
    for role, piece in zip(pieces[::2], pieces[1::2], strict=True):
        text = _unquoted(piece.strip())
        if role.lower() == "user" and _bare(text) == _bare(request):
            break
        turns.append(Message(role="user" if role.lower() == "user" else "assistant", content=text))
    return tuple(turns), _mistake(turns, request)


def _mistake(turns: list[Message], request: str) -> str | None:
    if not turns:
        return "no turns before the request"
    if any(not turn["content"] for turn in turns):
        return "an empty turn"
    if [turn["role"] for turn in turns] != ["user", "assistant"] * (len(turns) // 2):
        return "user and assistant do not take turns up to the request"
    if any(_bare(request) in _bare(turn["content"]) for turn in turns):
        return "gives the request away"
    if len({(turn["role"], _bare(turn["content"])) for turn in turns}) < len(turns):
        return "says the same twice"
    return None


def _bare(text: str) -> str:
    """The text as duplicates are found, without punctuation at its end."""
    return normalise(text).rstrip(".?! ")


def _unquoted(text: str) -> str:
    for opening, closing in QUOTES.items():
        if len(text) > len(opening + closing) and text.startswith(opening) and text.endswith(closing):
            inner = text[len(opening) : -len(closing)]
            text = inner.strip() if opening not in inner and closing not in inner else text
    return text
