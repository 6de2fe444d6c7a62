"""What to say of an unknown name, and of one given twice, in every room's errors; text of others on one line."""

from collections.abc import Iterable
from difflib import get_close_matches


def suggest_name(name: str, known: Iterable[str]) -> str:
    """The remedy for an unknown name: the nearest known one, upper and lower case alike, or all where none is near."""
    folded = {valid.casefold(): valid for valid in known}
    near = get_close_matches(name.casefold(), folded, 1, cutoff=0.5)
    return f"did you mean '{folded[near[0]]}'?" if near else f"known are: {', '.join(folded.values()) or 'none'}"


def find_repeated(names: Iterable[str]) -> str | None:
    """The first name that comes again; None where each comes once."""
    seen = set[str]()
    for name in names:
        if name in seen:
            return name
        seen.add(name)
    return None


def refuse_half_characters(text: str) -> str:
    """The text. ValueError where it holds half a surrogate pair, which bytes that are no UTF-8 can come in as."""
    if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
        raise ValueError("holds half a surrogate pair, which is no character; repair that escape")
    return text


def one_line(text: str, longest: int = 2000) -> str:
    """Text for a terminal: control characters as escapes, so that names in a file cannot steer it; long text cut.

    What is left out of the middle is counted; the end has the remedy.
    """
    shown = "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)
    if len(shown) <= longest:
        return shown
    half = longest // 2
    return f"{shown[:half]} ... ({len(shown) - 2 * half} letters) ... {shown[-half:]}"
