"""What the words of a title say: a response style, a section, a code. The words are data, `words.yaml`, by language."""

import re
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from deliberant.policy.types import CLAUSE_ID
from deliberant.prompts.types import STYLES, Style

FILE = Path(__file__).with_name("words.yaml")
SEPARATOR = re.compile(r"\s+(?:--?|[\u2013\u2014])\s+|\s*[()\[\]\uff08\uff09:\uff1a=|]\s*")
EDGES = re.compile(r"^[\W\d_]+|[\W_]+$")
DASH = "(?:--?|[\u2013\u2014])"
CODE = re.compile(
    rf"(?:\((?P<bracketed>[A-Z]{{1,5}}\d{{0,3}})\)[ \t]*|(?P<dotted>{CLAUSE_ID}\.[A-Za-z])\b[:.)]?"
    rf"|(?P<plain>{CLAUSE_ID}|[A-Z]{{1,3}})(?:[:.)]|[ \t]+{DASH}(?=[ \t])|(?=[ \t]+\()|(?<=\d)(?=$)))[ \t]*(?P<rest>.*)"
)
GRADED = re.compile(
    rf"(?!{CLAUSE_ID}\b)(?=[^()\n]*?[^\W\d_])[^()\n]*\(#?(?P<code>{CLAUSE_ID})(?:\s*[-\u2013\u2014:][^()\n]*)?\)"
)
"""Words, and in brackets what the codes of the rules below begin with."""


class Lead(NamedTuple):
    """A line such as `Examples:`: its section, and what stands behind the colon."""

    section: str
    rest: str


@dataclass(frozen=True)
class Meaning:
    """What a title says. `styles` are those that its pieces name; `rest` is the title without code and label.

    `more`: it says more than a label's words; `weak`: the label's words mean a style only where none stands above.
    """

    styles: frozenset[Style] = frozenset()
    section: str = ""
    code: str = ""
    rest: str = ""
    graded: str = ""
    more: bool = False
    weak: bool = False

    @property
    def style(self) -> Style | None:
        """The one style, None where there is none, or more than one."""
        [style] = self.styles if len(self.styles) == 1 else [None]
        return style


@cache
def words() -> dict[str, Any]:
    """The data file. Each list has the words of every language."""
    data = yaml.safe_load(FILE.read_text("utf-8"))
    return {name: _joined(value) for name, value in data.items()}


def _joined(value: Any) -> Any:
    if not any(isinstance(each, dict) for each in value.values()):
        return "|".join("|".join(each) if isinstance(each, list) else each for each in value.values())
    return {name: _joined(each) for name, each in value.items()}


@cache
def _patterns() -> tuple[dict[str, re.Pattern[str]], re.Pattern[str], re.Pattern[str]]:
    data = words()
    no, things = data["not"], data["things"]
    core = "|".join(
        f"(?P<{style}>{data['styles'][style]})" for style in (*reversed(STYLES), "weak_refuse", "weak_comply")
    )
    style = re.compile(rf"(?i)(?P<no>(?:{no})\W*)?(?:(?:{things})\W+)*(?:{core})(?:\W*(?:{things}))*")
    sections = {name: re.compile(rf"(?i)(?:{pattern})") for name, pattern in data["sections"].items()}
    leads = "|".join(rf"(?P<{name}>{data['sections'][name]})" for name in data["leads"].split("|"))
    lead = re.compile(rf"(?i)[^\w\n]*(?:{leads})(?:\*\*|__)?\s*[:\uff1a](?:\*\*|__)?[ \t]*(?P<said>.*)")
    return sections, style, lead


def section_lead(line: str) -> Lead | None:
    """The section that a line such as `Examples:` or `Why: ...` begins, None where it begins none."""
    found = _patterns()[2].fullmatch(line)
    return (
        Lead(next(name for name, text in found.groupdict().items() if text and name != "said"), found["said"])
        if found
        else None
    )


def style_of(text: str) -> tuple[Style | None, bool]:
    """The style that all of a text names, and whether its words are weak ones."""
    found = _patterns()[1].fullmatch(EDGES.sub("", text))
    if not found:
        return None, False
    name = next(name for name, said in found.groupdict().items() if said and name != "no")
    style: Any = name.removeprefix("weak_")
    if found["no"] and style != "safe_complete":
        style = "comply" if style == "refuse" else "refuse"
    return style, name.startswith("weak_")


def styles_in(text: str) -> frozenset[Style]:
    """The styles that words anywhere in a text name, as in `Output: VALID as it may be harmless`."""
    found = set()
    for match in re.finditer(r"[^\W\d_]+", text):
        if (style := style_of(match[0])[0]) is not None:
            found.add(style)
    return frozenset(found)


@lru_cache(4096)
def meaning(title: str) -> Meaning:
    """What the words of a title say."""
    plain = re.sub(r"\*\*|__|`", "", title).strip().rstrip(":\uff1a").strip()
    plain = re.sub(r"(?i)\b(label)\s*[:=]\s*(\d)", r"\1 \2", plain)
    pieces = [piece for piece in SEPARATOR.split(plain) if EDGES.sub("", piece)]
    named = [(piece, *style_of(piece)) for piece in pieces[: 1 if plain.count(".") > 2 else None]]
    labels = [each for each in named if each[1] is not None]
    strong = frozenset(style for _, style, weak in labels if style and not weak)
    styles = strong or frozenset(style for _, style, _ in labels if style)
    section = "" if styles else _section(plain, pieces)
    graded = GRADED.fullmatch(plain)
    code = None if (pieces and style_of(pieces[0])[0]) else CODE.match(plain)
    said = [piece for piece in pieces if (piece, *style_of(piece)) not in labels and re.search(r"[^\W\d_]", piece)]
    others = [each for each in said if each not in STYLES]
    return Meaning(
        styles,
        section,
        (code["bracketed"] or code["plain"] or code["dotted"]) if code else (graded["code"] if graded else ""),
        (code["rest"] if code else plain).strip(" :-\u2013\u2014"),
        graded["code"] if graded else "",
        bool(others),
        bool(styles) and not strong,
    )


def _section(plain: str, pieces: list[str]) -> str:
    for text in (plain, pieces[0] if pieces else ""):
        for name, pattern in _patterns()[0].items():
            if pattern.fullmatch(EDGES.sub("", text)):
                return name
    return ""
