"""The nearest valid name, for errors that end in "did you mean"."""

import difflib
from collections.abc import Iterable


def nearest(name: str, names: Iterable[str]) -> str:
    """The one of `names` (at least one) most like `name`, upper and lower case alike; always one, however far."""
    folded = {valid.casefold(): valid for valid in names}
    assert folded, "nearest() needs at least one valid name"
    return folded[difflib.get_close_matches(name.casefold(), folded, n=1, cutoff=0.0)[0]]
