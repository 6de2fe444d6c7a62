"""Reversible text transforms for the encoded suite: the same request, written differently.

They work on lower-case letters and leave everything else as it is; accents and ligatures go before (`plain`).
Those that replace letters know a to z, those that move them (`ANY_SCRIPT`) any script. A model that can decode them can
be asked harmful things in them (the paper's first figure shows a request in ROT13).
"""

import re
import string
import unicodedata
from collections.abc import Callable

Transform = Callable[[str], str]
Encoding = tuple[Transform, Transform]

LETTERS = string.ascii_lowercase
WORD = re.compile(r"[^\W\d_]+")
SPACED_WORD = re.compile(r"[^\W\d_](?:-[^\W\d_])*")
ANY_SCRIPT = ("reversed", "spaced")
LIGATURES = {"\u0153": "oe", "\u00e6": "ae", "\u00df": "ss", "\u00f8": "o", "\u0142": "l", "\u0131": "i"}
PLAIN = str.maketrans(
    LIGATURES | {"\u2019": "'", "\u2018": "'", "\u201c": '"', "\u201d": '"', "\u00a0": " ", "\u202f": " "}
)


def strip_accents(text: str) -> str:
    """Lower case, straight quotes, and Latin letters without accents and ligatures; other scripts as they are."""
    bare = re.sub(r"(?<=[a-z])[\u0300-\u036f]+", "", unicodedata.normalize("NFD", text.lower()))
    return unicodedata.normalize("NFC", bare).translate(PLAIN)


def has_other_letters(text: str) -> bool:
    """Whether a text has letters that encodings of a to z leave as they are."""
    return any(each.isalpha() and not each.isascii() for each in strip_accents(text))


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
