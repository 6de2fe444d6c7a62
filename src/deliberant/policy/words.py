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
        return next(iter(self.styles)) if len(self.styles) == 1 else None


@cache
def words() -> dict[str, Any]:
    """The data file, each list with the words of every language; `style` and `lead` are made of them."""
    data = {name: _joined(value) for name, value in yaml.safe_load(FILE.read_text("utf-8")).items()}
    styles, sections, things = data["styles"], data["sections"], data["things"]
    core = "|".join(f"(?P<{name}>{styles[name]})" for name in (*reversed(STYLES), "weak_refuse", "weak_comply"))
    data["style"] = rf"(?P<no>(?:{data['not']})\W*)?(?:(?:{things})\W+)*(?:{core})(?:\W*(?:{things}))*"
    leads = "|".join(rf"(?P<{name}>{sections[name]})" for name in data["leads"].split("|"))
    data["lead"] = rf"[^\w\n]*(?:{leads})(?:\*\*|__)?\s*[:\uff1a](?:\*\*|__)?[ \t]*(?P<said>.*)"
    return data


def _joined(value: Any) -> Any:
    if not any(isinstance(each, dict) for each in value.values()):
        return "|".join("|".join(each) if isinstance(each, list) else each for each in value.values())
    return {name: _joined(each) for name, each in value.items()}


@cache
def _pattern(name: str) -> re.Pattern[str]:
    return re.compile(words()[name] if name in words() else words()["sections"][name], re.IGNORECASE)


def read_section_lead(line: str) -> Lead | None:
    """The section that a line such as `Examples:` or `Why: ...` begins, None where it begins none."""
    if not (match := _pattern("lead").fullmatch(line)):
        return None
    return Lead(next(name for name, text in match.groupdict().items() if text and name != "said"), match["said"])


def read_style_words(text: str) -> tuple[Style | None, bool]:
    """The style that all of a text names, and whether its words are weak ones."""
    if not (match := _pattern("style").fullmatch(EDGES.sub("", text))):
        return None, False
    name = next(name for name, said in match.groupdict().items() if said and name != "no")
    style: Any = name.removeprefix("weak_")
    if match["no"] and style != "safe_complete":
        style = "comply" if style == "refuse" else "refuse"
    return style, name.startswith("weak_")


def find_styles(text: str) -> frozenset[Style]:
    """The styles that words anywhere in a text name, as in `Output: VALID as it may be harmless`."""
    return frozenset(style for word in re.findall(r"[^\W\d_]+", text) if (style := read_style_words(word)[0]))


@lru_cache(4096)
def read_title(title: str) -> Meaning:
    """What the words of a title say."""
    plain = re.sub(r"\*\*|__|`", "", title).strip().rstrip(":\uff1a").strip()
    plain = re.sub(r"(?i)\b(label)\s*[:=]\s*(\d)", r"\1 \2", plain)
    pieces = [piece for piece in SEPARATOR.split(plain) if EDGES.sub("", piece)]
    named = [read_style_words(piece) for piece in pieces[: 1 if plain.count(".") > 2 else None]]
    strong = frozenset(style for style, weak in named if style and not weak)
    styles = strong or frozenset(style for style, _ in named if style)
    code = None if named and named[0][0] else CODE.match(plain)
    match = GRADED.fullmatch(plain)
    graded = match["code"] if match else ""
    unnamed = pieces[len(named) :] + [piece for piece, (style, _) in zip(pieces, named, strict=False) if not style]
    texts = [EDGES.sub("", text) for text in (plain, *pieces[:1])] if not styles else []
    return Meaning(
        styles,
        next((name for text in texts for name in words()["sections"] if _pattern(name).fullmatch(text)), ""),
        (code["bracketed"] or code["plain"] or code["dotted"]) if code else graded,
        (code["rest"] if code else plain).strip(" :-\u2013\u2014"),
        graded,
        more=any(re.search(r"[^\W\d_]", piece) and piece not in STYLES for piece in unnamed),
        weak=bool(styles) and not strong,
    )
