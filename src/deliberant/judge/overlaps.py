"""A scanner of real runs: does what the rewarding judge was shown hold words of the reasoning it must not see?

The request has no field for reasoning; this counts what came through all the same, by a fault of any part between. In
practice it happens: OpenAI and Anthropic report graders that saw reasoning, and OpenAI scans reward inputs while it
trains.
"""

import re
from collections.abc import Iterable

LONG = 8
"""Words in a row that two texts hardly share by chance."""


def count_overlaps(reasoning: str, shown: Iterable[str], known: Iterable[str] = ()) -> int:
    """Passages of `LONG` words or more that `reasoning` shares with a text in `shown`, longest stretches counted once.

    What stands in one of `known` (prompt, answer, spec view) may be shown and is not counted. Case, white space and
    punctuation do not matter.
    """
    told = {run for text in shown for run in _runs(text)} - {run for text in known for run in _runs(text)}
    hits = [run in told for run in _runs(reasoning)]
    return sum(hit and not before for hit, before in zip(hits, [False, *hits], strict=False))


def _runs(text: str) -> list[tuple[str, ...]]:
    """Every `LONG` words in a row, in order."""
    words = re.findall(r"\w+", text.casefold())
    return [tuple(words[start : start + LONG]) for start in range(len(words) - LONG + 1)]
