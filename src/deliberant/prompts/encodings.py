"""Reversible text transforms for the encoded suite: the same request, written differently.

They work on lower-case letters and leave everything else as it is. A model that can decode them can be asked harmful
things in them (the paper's first figure shows a request in ROT13).
"""

import re
import string
from collections.abc import Callable

Transform = Callable[[str], str]
Encoding = tuple[Transform, Transform]

LETTERS = string.ascii_lowercase
WORD = re.compile(r"[a-z]+")
SPACED_WORD = re.compile(r"[a-z](?:-[a-z])*")


def _letters(plain: str, coded: str) -> Encoding:
    """Letter for letter."""
    there, back = str.maketrans(plain, coded), str.maketrans(coded, plain)
    return lambda text: text.translate(there), lambda text: text.translate(back)


def _shift(by: int) -> Encoding:
    return _letters(LETTERS, LETTERS[by:] + LETTERS[:by])


def _words(pattern: re.Pattern[str], change: Transform) -> Transform:
    return lambda text: pattern.sub(lambda word: change(word[0]), text)


def _reversible(encoding: Encoding) -> Encoding:
    """The same pair, refusing (ValueError) a text that would not come back, e.g. digits in leet."""
    encode, decode = encoding

    def checked(text: str) -> str:
        coded = encode(text)
        if decode(coded) != text:
            raise ValueError(f"cannot be encoded and decoded again: {text!r}")
        return coded

    return checked, decode


_reverse = _words(WORD, lambda word: word[::-1])

ENCODINGS: dict[str, Encoding] = {
    name: _reversible(encoding)
    for name, encoding in {
        "rot13": _shift(13),
        "caesar": _shift(3),
        "atbash": _letters(LETTERS, LETTERS[::-1]),
        "leet": _letters("aeios", "43105"),
        "reversed": (_reverse, _reverse),
        "spaced": (_words(WORD, "-".join), _words(SPACED_WORD, lambda word: word.replace("-", ""))),
    }.items()
}
"""Name → (encode, decode). "reversed" turns each word around, "spaced" writes p-i-c-k, "leet" maps a, e, i, o and s."""
