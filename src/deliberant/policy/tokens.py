"""How many tokens a text has: by a real tokenizer, or by a rule of thumb that says what it is.

A `tokenizer.json` is read by the tokenizers library; transformers, which takes seconds to load, is for what has none.
"""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from deliberant.util.errors import UserError

Count = Callable[[str], int]

FILES = (".json", ".jinja", ".model", ".tiktoken", ".txt")
"""Suffixes of what a tokenizer may be made of."""
ESTIMATE = "estimated as UTF-8 bytes / 4; --tokenizer counts"


class TokenCounter(NamedTuple):
    """`count` gives a text's tokens, special ones not added; `how` says by what."""

    count: Count
    how: str


def estimate(text: str) -> int:
    """UTF-8 bytes / 4, rounded up: near the count of English prose in vocabularies of 100,000 and more."""
    return -(-len(text.encode()) // 4)


def token_counter(tokenizer: str | None) -> TokenCounter:
    """Counts by the tokenizer of that name: a tokenizer.json, a folder or a Hub id; None estimates.

    UserError where there is no such tokenizer.
    """
    if tokenizer is None:
        return TokenCounter(estimate, ESTIMATE)
    path = Path(tokenizer) if Path(tokenizer).exists() else _from_hub(tokenizer)
    file = path / "tokenizer.json" if path.is_dir() else path
    if not file.is_file():
        return TokenCounter(_by_transformers(str(path)), f"counted by {tokenizer}")
    from tokenizers import Tokenizer

    try:
        loaded = Tokenizer.from_file(str(file))
    except Exception as error:  # the library raises no narrower class
        raise UserError(f"{file}:1: is no tokenizer ({_reason(error)}); name one that transformers wrote") from None
    loaded.no_truncation()
    loaded.no_padding()
    return TokenCounter(lambda text: len(loaded.encode(text, add_special_tokens=False).ids), f"counted by {tokenizer}")


def _from_hub(name: str) -> Path:
    """The folder of a Hub id's files, weights excepted. Asked once: transformers asks for each, again and again."""
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(name, allow_patterns=[f"*{suffix}" for suffix in FILES]))
    except (OSError, ValueError) as error:
        what = f"{name!r} is no file or folder here and cannot be had from the Hub ({_reason(error)})"
        raise UserError(f"--tokenizer: {what}; check the name and the network") from None


def _by_transformers(name: str) -> Count:
    from transformers import AutoTokenizer

    try:
        loaded = AutoTokenizer.from_pretrained(name)
    except (OSError, ValueError) as error:
        raise UserError(f"--tokenizer: {name!r} holds no tokenizer ({_reason(error)}); check the name") from None
    return lambda text: len(loaded(text, add_special_tokens=False)["input_ids"])


def _reason(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:120]
