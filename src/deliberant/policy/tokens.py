"""How many tokens a text has: by a real tokenizer, or by a rule of thumb that says what it is."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from deliberant.util.errors import UserError

Count = Callable[[str], int]
ESTIMATE = "estimated as UTF-8 bytes / 4; --tokenizer counts"


class TokenCounter(NamedTuple):
    """`count` gives a text's tokens, special ones not added; `how` says by what."""

    count: Count
    how: str


def estimate(text: str) -> int:
    """UTF-8 bytes / 4, rounded up: near the count of English prose in vocabularies of 100,000 and more."""
    return -(-len(text.encode()) // 4)


def token_counter(tokenizer: str | None) -> TokenCounter:
    """Counts by a tokenizer.json, that of a folder or of a Hub id; None estimates. UserError where there is none."""
    if tokenizer is None:
        return TokenCounter(estimate, ESTIMATE)
    from tokenizers import Tokenizer

    path = Path(tokenizer)
    file = path / "tokenizer.json" if path.is_dir() else path
    try:
        loaded = Tokenizer.from_file(str(file)) if path.exists() else Tokenizer.from_pretrained(tokenizer)
    except Exception as error:  # the library raises no narrower class
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:120]
        remedy = "name a tokenizer.json, a folder that holds one, or a model of the Hub"
        raise UserError(f"--tokenizer: no tokenizer in {tokenizer!r} ({reason}); {remedy}") from None
    loaded.no_truncation()
    loaded.no_padding()
    return TokenCounter(lambda text: len(loaded.encode(text, add_special_tokens=False).ids), f"counted by {tokenizer}")
