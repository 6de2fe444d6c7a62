"""How attacks write a text so that a filter for plain words misses it, and how an answer in such a code is read.

Codes of letters are those of `prompts/encodings.py`; the rest take any text. Where a code has no way back, nothing is
ever decoded from it: it is for requests alone.
"""

import base64
import binascii
import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import yaml

from deliberant.prompts.encodings import ENCODINGS, strip_accents

_DATA: dict[str, Any] = yaml.safe_load(Path(__file__).with_suffix(".yaml").read_text(encoding="utf-8"))
COMMON = frozenset(_DATA["common"].split())
MARKS = "\u0315\u0334\u0342\u0358"
ZERO_WIDTH = "\u200b"
TAGS, FULL = 0xE0000, 0xFEE0
"""What a printable ASCII character is moved by to be an invisible tag, or a wide letter."""


@dataclass(frozen=True)
class Code:
    """`look`: what a passage in this code looks like, so that it alone is decoded; without it a text is one whole."""

    encode: Callable[[str], str]
    decode: Callable[[str], str] | None = None
    look: re.Pattern[str] | None = None


def _letters(name: str) -> Code:
    """A code of letters, word by word: one that would not come back (digits, in leet) stays as it is."""
    encode, decode = ENCODINGS[name]

    def word(match: re.Match[str]) -> str:
        try:
            return encode(match[0])
        except ValueError:
            return match[0]

    return Code(lambda text: re.sub(r"\S+", word, strip_accents(text)), lambda text: decode(text.lower()))


def _alphabet(name: str) -> dict[str, str]:
    return dict(zip(_DATA[name]["letters"], _DATA[name]["codes"].split(), strict=True))


def _signs(name: str) -> Code:
    """A sign for each letter, spaces between them, a slash between words; what has no sign stays as it is."""
    table = _alphabet(name)
    back = {coded: letter for letter, coded in table.items()}

    def encode(text: str) -> str:
        return " / ".join(" ".join(table.get(each, each) for each in word) for word in strip_accents(text).split())

    def decode(text: str) -> str:
        words = (word.split() for word in text.lower().split("/"))
        return " ".join("".join(back.get(each, each) for each in word) for word in words)

    return Code(encode, decode)


def _swap_letters(name: str, prepare: Callable[[str], str] = str) -> Code:
    """A character for each letter; what has none stays as it is."""
    there = {ord(letter): coded for letter, coded in _alphabet(name).items()}
    back = {ord(coded): letter for letter, coded in _alphabet(name).items()}
    return Code(lambda text: prepare(text).translate(there), lambda text: text.translate(back))


def _shift(by: int) -> Code:
    there = {code: code + by for code in range(0x21, 0x7F)}
    back = {code: letter for letter, code in there.items()}
    return Code(lambda text: text.translate(there), lambda text: text.translate(back))


def _mark_letters(text: str) -> str:
    return "".join(each + MARKS[place % 4] * each.isalpha() for place, each in enumerate(text))


def _pig_latin(text: str) -> str:
    return re.sub(r"\b([b-df-hj-np-tv-z]*)([a-z]+)", lambda word: f"{word[2]}{word[1] or 'w'}ay", strip_accents(text))


def _bytes(text: str) -> bytes:
    return text.encode("utf-8")


CODES: dict[str, Code] = {
    **{name: _letters(name) for name in ENCODINGS},
    "base64": Code(
        lambda text: base64.b64encode(_bytes(text)).decode(),
        lambda text: base64.b64decode(text, validate=True).decode(),
        re.compile(r"[A-Za-z0-9+/]{8,}={0,2}"),
    ),
    "base32": Code(
        lambda text: base64.b32encode(_bytes(text)).decode(),
        lambda text: base64.b32decode(text).decode(),
        re.compile(r"[A-Z2-7]{8,}={0,6}"),
    ),
    "hex": Code(
        lambda text: _bytes(text).hex(), lambda text: bytes.fromhex(text).decode(), re.compile(r"[0-9a-fA-F]{8,}")
    ),
    "binary": Code(
        lambda text: " ".join(f"{byte:08b}" for byte in _bytes(text)),
        lambda text: bytes(int(byte, 2) for byte in text.split()).decode(),
        re.compile(r"[01]{8}(?:\s+[01]{8})*"),
    ),
    "url": Code(
        lambda text: "".join(f"%{byte:02X}" for byte in _bytes(text)), unquote, re.compile(r"(?:%[0-9A-Fa-f]{2})+")
    ),
    "morse": _signs("morse"),
    "nato": _signs("nato"),
    "braille": _swap_letters("braille", strip_accents),
    "zero-width": Code(lambda text: ZERO_WIDTH.join(text), lambda text: text.replace(ZERO_WIDTH, "")),
    "lookalikes": _swap_letters("lookalikes"),
    "tags": _shift(TAGS),
    "wide": _shift(FULL),
    "marked": Code(_mark_letters, lambda text: re.sub(f"[{MARKS}]", "", text)),
    "letters": Code(
        lambda text: "   ".join(" ".join(word) for word in text.split()),
        lambda text: " ".join(word.replace(" ", "") for word in re.split(r" {2,}", text)),
    ),
    "flipped": Code(lambda text: text[::-1], lambda text: text[::-1]),
    "word-order": Code(lambda text: " ".join(text.split()[::-1]), lambda text: " ".join(text.split()[::-1])),
    "no-vowels": Code(lambda text: re.sub("[aeiouAEIOU]", "", text)),
    "pig-latin": Code(_pig_latin),
}
"""By name. "reversed" turns each word around, "flipped" the whole text, "word-order" its words."""


def read_in(code: str, answer: str) -> str:
    """An answer that was asked for in a code, decoded where it is in that code: a plain refusal stays as it is.

    Passages that look like the code are decoded one by one; of a code without such a look the whole text, where that
    makes more English words of it. Invisible marks are no words, so what is the same without them is taken, too.
    """
    look, decode = CODES[code].look, CODES[code].decode
    assert decode is not None, f"{code} cannot be decoded"

    def passage(match: re.Match[str]) -> str:
        try:
            return decode(match[0])
        except (ValueError, binascii.Error):
            return match[0]

    if look:
        return look.sub(passage, answer)
    back = decode(answer)
    return back if _english(back) > _english(answer) else answer


def _english(text: str) -> int:
    words = unicodedata.normalize("NFKC", text).lower().split()
    return sum(word.strip(".,:;!?\"'()") in COMMON for word in words)
