"""What is compared when two prompts are compared: sets of character shingles of their normalised text.

The text of a prompt is all its turns but the system's: a system message that many prompts share would make them alike,
and a question stays the same question under another one. Characters, not words, so that it works in every language.
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

WIDTH = 5
"""Characters per shingle."""

Hashes = NDArray[np.uint64]

_SPACE = re.compile(r"\s+")
_FACTOR = np.uint64(0x9E3779B97F4A7C15)
_MIXERS = (
    (np.uint64(30), np.uint64(0xBF58476D1CE4E5B9)),
    (np.uint64(27), np.uint64(0x94D049BB133111EB)),
    (np.uint64(31), np.uint64(1)),
)


def normalised(turns: Iterable[tuple[str, str]]) -> str:
    """The text of a prompt's (role, content) turns, as it is compared: Unicode NFKC, case folded, single spaces."""
    text = "\n".join(content for role, content in turns if role != "system")
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)
    return _SPACE.sub(" ", text.casefold()).strip()


def shingles(texts: Sequence[str]) -> tuple[Hashes, NDArray[np.int64]]:
    """Hashes of all shingles of all texts in one array, and offsets: text i has those in [offsets[i], offsets[i + 1]).

    A text shorter than a shingle is padded to one, so every text has at least one.
    """
    padded = [text.ljust(WIDTH, "\0") for text in texts]
    lengths = np.fromiter(map(len, padded), np.int64, len(padded))
    letters = np.frombuffer("".join(padded).encode("utf-32-le"), np.uint32)
    total = len(letters) - WIDTH + 1
    hashes = np.zeros(max(total, 0), np.uint64)
    for place in range(WIDTH):
        hashes *= _FACTOR
        hashes += letters[place : place + total]
    ends = np.cumsum(lengths)
    inside = np.ones(len(letters), bool)  # a shingle that starts among a text's last four letters runs into the next
    for place in range(1, WIDTH):
        inside[ends - place] = False
    offsets = np.concatenate([[0], np.cumsum(lengths - WIDTH + 1)])
    return mix(hashes[inside[:total]]), offsets


def mix(hashes: Hashes) -> Hashes:
    """The hashes scattered over all 64 bits (splitmix64's finalizer); changes them in place."""
    for shift, factor in _MIXERS:
        hashes ^= hashes >> shift
        hashes *= factor
    return hashes


def shingle_set(text: str) -> Hashes:
    """The distinct shingle hashes of one normalised text, sorted."""
    return np.unique(shingles([text])[0])


def jaccard(one: Hashes, other: Hashes) -> float:
    """Size of the intersection over size of the union of two sorted sets, neither of them empty."""
    both = np.concatenate([one, other])
    both.sort()
    common = int(np.count_nonzero(both[1:] == both[:-1]))
    return common / (len(both) - common)
