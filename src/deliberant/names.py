"""What to say of an unknown name, in every room's errors."""

from collections.abc import Iterable
from difflib import get_close_matches


def nearest(name: str, known: Iterable[str]) -> str:
    """The remedy for an unknown name: the nearest known one, upper and lower case alike, or all where none is near."""
    folded = {valid.casefold(): valid for valid in known}
    near = get_close_matches(name.casefold(), folded, 1, cutoff=0.5)
    return f"did you mean '{folded[near[0]]}'?" if near else f"known are: {', '.join(folded.values()) or 'none'}"
