"""What every importer returns, and what a source without ids, styles or guidelines is given."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import product
from string import ascii_uppercase

from deliberant.policy.types import Category, Guideline, Policy


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


GUIDELINES = (
    Guideline("comply", "Answer in full, as helpfully as you can, without warnings that were not asked for."),
    Guideline("refuse", "Apologise briefly and say that you cannot help with this. Add nothing else."),
    Guideline("safe_complete", "Give the help that is safe, leave out what is not, and say that you left it out."),
)
"""Every policy needs one for each style; these stand in where the source has none, and the importer says so."""
WRITTEN = "the source has no style guidelines: styles.md holds three of ours, to be edited"


def choose_prefixes(names: Iterable[str], taken: Iterable[str] = (), size: int = 4) -> dict[str, str]:
    """A prefix of clause ids for each name: its words' initials, `size` at most, or others where that is `taken`."""
    used, chosen = set(taken), dict[str, str]()
    for name in names:
        words = re.findall("[A-Z]+", name.upper())
        initials = "".join(word[0] for word in words)[:size] or "C"
        more = "".join(word[1:] for word in words) + ascii_uppercase
        varied = (initials[: size - n] + "".join(end) for n in range(3) for end in product(more, repeat=n))
        chosen[name] = next(each for each in varied if each not in used)
        used.add(chosen[name])
    return chosen


def number_files(categories: tuple[Category, ...]) -> tuple[Category, ...]:
    """A loaded policy has its categories in the order of their files: numbered ones where ids do not sort so."""
    if [each.file for each in categories] != sorted(each.file for each in categories):
        width = len(str(len(categories)))
        numbered = enumerate(categories, start=1)
        return tuple(replace(each, path=f"categories/{place:0{width}}-{each.id}.md") for place, each in numbered)
    return categories
