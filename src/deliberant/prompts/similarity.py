"""How alike two prompts are: the Jaccard similarity of the sets of character shingles of their normalised texts.

The text of a prompt is all its turns but the system's: a system message that many prompts share would make them alike,
and a question stays the same question under another one. Characters, not words, so that it works in every language.
"""

import re
import unicodedata
from collections.abc import Iterable

from deliberant.prompts.types import Message

THRESHOLD = 0.8
"""Similarity from which on two prompts are near-duplicates."""
WIDTH = 5
"""Characters per shingle."""

_SPACE = re.compile(r"\s+")


def normalise(text: str) -> str:
    """Unicode NFKC, case folded, single spaces."""
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)
    return _SPACE.sub(" ", text.casefold()).strip()


def compared_text(messages: Iterable[Message]) -> str:
    """The normalised text of a prompt's turns, without the system's."""
    return normalise("\n".join(turn["content"] for turn in messages if turn["role"] != "system"))


def shingles(text: str) -> frozenset[str]:
    """The distinct shingles of a normalised text; one that is shorter than a shingle is padded to one."""
    text = text.ljust(WIDTH, "\0")
    return frozenset([text[start : start + WIDTH] for start in range(len(text) - WIDTH + 1)])


def jaccard(one: frozenset[str], other: frozenset[str]) -> float:
    """Size of the intersection over size of the union of two sets that are not both empty."""
    common = len(one & other)
    return common / (len(one) + len(other) - common)
