"""What every importer returns, and what a source without ids, styles or guidelines is given."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from deliberant.policy.types import Guideline, Policy


@dataclass(frozen=True)
class Count:
    """How many of a thing the source holds, and how many of them stand in the policy."""

    what: str
    found: int
    imported: int


@dataclass(frozen=True)
class Imported:
    """`warnings` (`file:line: what; remedy`) list what was skipped or is suspect, each; `remarks` what was added."""

    policy: Policy
    counts: tuple[Count, ...]
    remarks: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


GUIDELINES: tuple[Guideline, ...] = (
    Guideline("comply", "Answer in full, as helpfully as you can, without warnings that were not asked for."),
    Guideline("refuse", "Apologise briefly and say that you can not help with this. Add nothing else."),
    Guideline("safe_complete", "Give the help that is safe, leave out what is not, and say that you left it out."),
)
"""Every policy needs one for each style; these stand in where the source has none, and the importer says so."""
WRITTEN = "the source has no style guidelines: styles.md holds three of ours, to be edited"


def prefixes(names: Iterable[str]) -> dict[str, str]:
    """A prefix of clause ids for each name: its words' initials, with more letters where that is taken."""
    found: dict[str, str] = {}
    for name in names:
        letters = [word for word in re.split(r"[^A-Za-z]+", name.upper()) if word.isascii() and word] or ["C"]
        initials, rest = "".join(word[0] for word in letters)[:4], "".join(word[1:] for word in letters)
        tries = [initials, *(initials[:3] + letter for letter in rest + "ABCDEFGHIJKLMNOPQRSTUVWXYZ")]
        tries += [f"X{one}{two}" for one in "ABCDEFGHIJKLMNOPQRSTUVWXYZ" for two in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"]
        found[name] = next(each for each in tries if each not in found.values())
    return found
