"""The outline of a text: headings, bold and capital lines, numbers in any script, lists, tables, code, with lines.

One pass over the lines, for Markdown and for plain text. What a part means is for `layouts` to say; nothing is read out
here but how parts stand below each other.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from deliberant.policy.markdown import FENCE, FRONT_MATTER, closes_fence, read_document, strip_closing_hashes
from deliberant.policy.words import Meaning, read_section_lead, read_title
from deliberant.prompts.types import Style

ATX = re.compile(r" {0,3}(#{1,6})(?:[ \t]+(.*))?$")
RULE = re.compile(r" {0,3}(?:([-*_])(?:[ \t]*\1){2,}|=+)$")
ITEM = re.compile(
    r"([ \t]*)(?:([-*+\u2022\u25e6\u2023])|(?!\d+\s)\(?((?:\d+\.)*\d+[.)]?|[\u4e00-\u5341]+[\u3001.])[)\u3001]?)"
    r"[ \t]*(?<=[\s\u3001])(\S.*)"
)
"""A bullet or a number; `2024 was a good year` begins no item."""
CODED = re.compile(r"()(\**[A-Z]{1,4}\d{1,3}\.[A-Za-z]\b\**[:.)]?\**(?:[ \t]+.*)?)$")
"""A rule without a bullet, such as `SP2.a Cold promotion`."""
BOLD = re.compile(
    r" {0,3}(?P<mark>\*\*|__)(?P<text>(?:(?!(?P=mark)).)+)(?P=mark)(?P<rest>[ \t]*[(\[][^()\[\]]*[)\]])?:?$"
)
BOLD_LEAD = re.compile(r" {0,3}\*\*([^*]+)\*\*[:.]?[ \t]+\S")
"""A code and a title in bold, with text behind them."""
TABLE = re.compile(r"[ \t]*\||.*\|")
DELIMITER = re.compile(r"(?=.*\|)[ \t]*\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?$")
HTML = re.compile(r" {0,3}<(?:!--|/?[A-Za-z][^<>]*>)")
SENTENCE = re.compile(r"[.!?;\"\u3002\u061f]|\d{2}")
LONGEST = 80
"""Letters of a title or of a line in capitals: what is longer is prose."""
CAPITALS, BOLD_SECTION, BOLD_RULE, LEAD, LIST, LEAF = 7, 7, 8, 50, 100, 1000
"""Levels below those of headings, 1 to 6."""


@dataclass
class Part:
    """A part of a text. `line` to `last` are its own lines, `end` is the last one of what stands below it.

    `kind`: document, front, heading, capitals, bold, lead, item, table, html, code, rule or text. `mark` is what a list
    begins an item with. Layouts set `role` and `style`.
    """

    kind: str
    level: float
    title: str
    line: int
    last: int
    mark: str = ""
    end: int = 0
    inner: list["Part"] = field(default_factory=list)
    above: "Part | None" = field(default=None, repr=False)
    role: str = ""
    style: Style | None = None

    @property
    def style_above(self) -> Style | None:
        """The style of the label that it is, or stands below."""
        return next((each.style for each in (self, *self.parents()) if each.style), None)

    @property
    def means(self) -> Meaning:
        """What the words of its title say."""
        return read_title(self.title)

    def walk(self) -> Iterator["Part"]:
        """All parts below it, in order."""
        stack = self.inner[::-1]
        while stack:
            yield (part := stack.pop())
            stack += part.inner[::-1]

    def parents(self) -> Iterator["Part"]:
        """What it stands below, the nearest first."""
        part = self.above
        while part is not None:
            yield part
            part = part.above


@dataclass
class Outline:
    """A text's lines, numbered from `first`, and the tree of its parts."""

    file: Path
    lines: list[str]
    root: Part

    def text(self, first: int, last: int) -> str:
        """Lines as they stand."""
        return "\n".join(self.lines[first - 1 : last])


def read_outline(file: Path, text: str | None = None) -> Outline:
    """The outline of a file, or of its text, where that has been converted. UserError as `markdown.read_document`."""
    block = read_document(file, text=text)[1]
    lines = block.text.split("\n")
    root = Part("document", 0, file.stem, 0, 0, end=len(lines))
    scan = _Scan(lines, block.mask.split("\n"), root)
    scan.run()
    for part in reversed([root, *root.walk()]):
        part.end = max([part.end, part.last, *(each.end for each in part.inner)])
    _title(root, scan.headings)
    return Outline(file, lines, root)


def _title(root: Part, headings: bool) -> None:
    """The first line, where it is a short one without a mark above everything else, is a title and no prose."""
    first = next((part for part in root.inner if part.kind not in ("front", "rule", "html")), root)
    prose = SENTENCE.search(first.title) or len(root.inner) < 2 if first.kind == "text" else headings
    if first.kind not in ("text", "bold", "capitals") or first.last != first.line or prose:
        return
    labels = first.means.style or first.means.section not in ("", "groups")
    if labels or len(first.title) > LONGEST or first.title.endswith((".", ":")):
        return
    place = root.inner.index(first) + 1
    first.kind, first.level, first.end = "heading", 0.5, root.end
    for part in root.inner[place:]:
        part.above = first
    first.inner += root.inner[place:]
    del root.inner[place:]


class _Scan:
    def __init__(self, lines: list[str], masks: list[str], root: Part) -> None:
        self.lines, self.masks, self.root = lines, masks, root
        self.stack = [root]
        self.blank = True
        self.headings = any(ATX.match(line) for line in masks)
        self.graded = {} if self.headings else _graded(masks)

    def run(self) -> None:
        place = 0
        if front := FRONT_MATTER.match("\n".join(self.lines)):
            place = front[0].count("\n") + 1
            self.add(Part("front", LEAF, "", 1, place))
        while place < len(self.lines):
            if not self.lines[place].strip():
                self.blank, place = True, place + 1
                continue
            part = self.part(place)
            place = part.last
            self.blank = False

    def add(self, part: Part) -> Part:
        while len(self.stack) > 1 and self.stack[-1].level >= part.level:
            self.stack.pop()
        part.above = self.stack[-1]
        self.stack[-1].inner.append(part)
        if part.level < LEAF:
            self.stack.append(part)
        return part

    def part(self, place: int) -> Part:
        """The part that begins on a line."""
        line, mask, number = self.lines[place], self.masks[place], place + 1
        indent = len(line) - len(line.lstrip())
        if match := FENCE.match(line):
            return self.leaf("code", place, self.fence_end(place, match), indent)
        if match := ATX.match(mask):
            return self.add(Part("heading", len(match[1]), strip_closing_hashes(match[2]), number, number, match[1]))
        if RULE.match(mask):
            above = self.stack[-1].inner[-1] if self.stack[-1].inner else None
            level = {"=": 1, "-": 2}.get(mask.strip()[0], 0)
            if level and not self.blank and above and above.kind == "text" and above.line == above.last == place:
                self.stack[-1].inner.pop()  # an underlined heading
                self.headings = True
                return self.add(Part("heading", level, above.title, place, number, "#" * level))
            if "=" not in mask:
                self.items_end(0)
                return self.leaf("rule", place, place, 0)
        if TABLE.match(mask) and (
            mask.lstrip()[0] == "|" or DELIMITER.match("".join(self.masks[place + 1 : place + 2]))
        ):
            return self.leaf("table", place, self.run_end(place, TABLE), indent)
        if HTML.match(mask):
            return self.leaf("html", place, self.run_end(place, re.compile(r".*\S")), indent)
        if match := ITEM.match(mask):
            depth: float = min(len(match[1].expandtabs(4)), 60) + (match[2] is not None) / 2
            depth += min((match[3] or "").strip(".)").count("."), 9) / 20
            words = line[match.start(4) :].strip()
            return self.add(Part("item", LIST + depth, words, number, number, match[2] or match[3]))
        if match := CODED.match(mask):
            return self.add(Part("item", LIST, line.strip(), number, number))
        if match := BOLD.match(mask):
            title = (match["text"].rstrip(":") + (match["rest"] or "")).strip()
            means = read_title(title)
            rule = means.code and not means.style and not means.graded
            return self.add(Part("bold", BOLD_RULE if rule else BOLD_SECTION, title, number, number))
        if (match := BOLD_LEAD.match(mask)) and any(each.isdigit() for each in read_title(match[1]).code):
            return self.add(Part("bold", BOLD_RULE, line.strip(), number, number))
        if place in self.graded:
            return self.add(Part("capitals", CAPITALS, self.graded[place], number, number))
        if not self.headings and (said := _capitals(mask)):
            return self.add(Part("capitals", CAPITALS, said, number, number))
        if lead := read_section_lead(mask):
            inside = lead.section != "output" and any(part.kind == "item" for part in self.stack) and indent >= 2
            deep = self.stack[-1].level + 0.01 if inside and self.stack[-1].kind == "item" else LEAD
            return self.add(Part("lead", deep, line.strip(), number, number, lead.section))
        return self.prose(place, indent)

    def prose(self, place: int, indent: int) -> Part:
        self.items_end(indent)
        above = self.stack[-1].inner[-1] if self.stack[-1].inner else self.root
        if not self.blank and above.kind == "text" and above.last == place:
            above.last = place + 1
            return above
        return self.add(Part("text", LEAF, self.lines[place].strip(), place + 1, place + 1))

    def items_end(self, indent: int) -> None:
        """After a blank line, what is not indented is no part of a list."""
        if self.blank:
            while self.stack[-1].kind == "item" and indent <= self.stack[-1].level - LIST:
                self.stack.pop()
            lead = self.stack[-1]
            if lead.kind == "lead" and indent < 2 and (lead.inner or lead.title[-1] != ":"):
                self.stack.pop()

    def leaf(self, kind: str, place: int, end: int, indent: int) -> Part:
        if kind != "code" or self.stack[-1].kind == "item":
            self.items_end(indent)
        return self.add(Part(kind, LEAF, self.lines[place].strip(), place + 1, end + 1))

    def fence_end(self, place: int, opening: re.Match[str]) -> int:
        for end in range(place + 1, len(self.lines)):
            if (match := FENCE.match(self.lines[end])) and closes_fence(match, opening["fence"]):
                return end
        return len(self.lines) - 1

    def run_end(self, place: int, pattern: re.Pattern[str]) -> int:
        """The last of the lines that match, one below the other."""
        while place + 1 < len(self.lines) and self.masks[place + 1].strip() and pattern.match(self.masks[place + 1]):
            place += 1
        return place


def _capitals(line: str) -> str | None:
    """The title, where a line in capitals stands for a section, or a label in capitals has words beside it."""
    text = line.strip()
    title = text.rstrip(":").strip()
    words = re.sub(r"\s*[(\[][^()\[\]]*[)\]]", "", title)
    means = read_title(title)
    upper = words == words.upper() and re.search(r"[^\W\d_]{4}", words) and words != words.lower()
    if upper and len(words) <= LONGEST and (means.section or means.style or not SENTENCE.search(words)):
        return title
    label = re.match(r"[^a-z:]{4,}(?=:[ \t]+\S)", title)
    return title if label and read_title(label[0]).style else None


def _graded(lines: list[str]) -> dict[int, str]:
    """Lines such as `Likely spam (SP2 - medium)` above rules with that code, where a text has no headings."""
    titles: dict[int, str] = {}
    below = ""
    for place in reversed(range(len(lines))):
        text = lines[place].strip().strip("*").rstrip(":").strip()
        if rule := re.match(r"(?:[-*+\u2022][ \t]+)?\**([A-Z]{1,4}\d{1,3})\.[A-Za-z]\b", lines[place].strip()):
            below = rule[1]
        elif not ITEM.match(lines[place]) and (graded := read_title(text).graded) and graded == below:
            titles[place] = text
            below = ""
        elif _capitals(lines[place]):
            below = ""
    return titles
