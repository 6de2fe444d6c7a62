"""Outlines whose parts have roles -> a policy. Every clause says where it came from, every line is accounted for.

A line is imported (it stands in the policy), aside (headings that only group, rules between sections, front matter) or
listed. Instructions to a classifier and overviews are kept in policy.md, which is in no view.
"""

import re
import textwrap
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from typing import Literal

from deliberant.policy.importers.areas import Area, join_blocks, make_clause_id, number_clauses
from deliberant.policy.importers.types import GUIDELINES, WRITTEN, Count, Imported, number_files
from deliberant.policy.loader import RESERVED
from deliberant.policy.markdown import blank_out_code, clip, error_at, join_lines
from deliberant.policy.outline import Outline, Part
from deliberant.policy.parts import LABEL
from deliberant.policy.types import Clause, Policy
from deliberant.policy.words import read_section_lead, read_title, words
from deliberant.prompts.types import Style

TAKEN = re.compile(rf"(?P<heading>^ {{0,3}}#{{1,3}}(?=[ \t]|$))|{LABEL.pattern}", re.MULTILINE)
"""What would begin a section, or a list of a clause."""
TAG = re.compile(r"\s*(\{#([\w-]+)[^{}]*\})\s*$")
LEADING = re.compile(
    r"(\*\*|__)(?P<title>.+?)(?P<end>[:.]?)\1(?P<gap>\s*(?:[:\uff1a]|[-\u2013\u2014](?=\s))?\s*)(?P<rest>.*)$",
    re.DOTALL,
)
"""An item that begins in bold: `**Truthful**: it asserts nothing false`."""
QUOTES = ('""', "\u201c\u201d", "\u00ab\u00bb", "\u201e\u201d", "\u201e\u201c", "\u300c\u300d")
QUOTE = f"(?:{'|'.join(f'{pair[0]}[^{pair}]+{pair[1]}' for pair in QUOTES)})"
QUOTED = re.compile(
    rf"(.*?)\s*(?::|\uff1a|--?|[\u2013\u2014])\s*({QUOTE}(?:\s*(?:[;,/]|or|and|\u0648|\u6216)?\s*{QUOTE})*)\.?$"
)
SAID = re.compile(rf"^\W*(?:content|text|input|prompt|message)\W*[:\uff1a]\W*?({QUOTE})\W*$", re.I | re.M)
STATED = re.compile(r"\b([A-Z]{1,5}\d{0,3})\"?\s*[:=]\s*1\b")
"""A label that an example has, such as `G: 1`."""
CLAUSES = ("clause", "category clause")
LISTS = ("examples", "exclusions", "why")
Fate = Literal["imported", "aside", "listed"]
"""What becomes of a line."""


class Builder:
    """Takes outlines in, one after the other; `done` gives the policy."""

    def __init__(self, name: str, layout: str, style: Style | None, several: bool) -> None:
        self.name, self.layout, self.style, self.several = name, layout, style, several
        self.areas: dict[str, Area] = {}
        self.taken: dict[str, str] = {}
        self.intro, self.rules = list[str](), list[str]()
        self.remarks, self.warnings = list[str](), list[str]()
        self.rules_found = 0
        self.lines: Counter[Fate] = Counter()

    def take(self, outline: Outline) -> None:
        """Everything that an outline holds. UserError with file and line for what makes no policy."""
        self.outline = outline
        self.fates: dict[int, Fate] = {}
        self.own_areas: list[Area] = []
        self.unplaced: list[list[str]] = []
        parts = list(outline.root.walk())
        self.single = not any(part.role in ("category", "category clause") for part in parts)
        self.rules_found += sum(part.role in CLAUSES for part in parts)
        main = next((part for part in outline.root.inner if part.role == "title"), outline.root)
        front = "".join(outline.text(part.line, part.last) for part in outline.root.inner if part.kind == "front")
        named = re.search(r"^(?:title|name):[ \t]*(.+)$", front, re.MULTILINE)
        self.title = _plain(named[1].strip("\"' ") if named else main.title)
        self.name = self.name if self.several else self.title
        for part in outline.root.inner:
            self.part(part, None)
        for block in self.unplaced:
            if len(self.own_areas) == 1:
                self.own_areas[0].loose += block
            else:
                self.rules.append("\n\n".join(block).replace("#### ", "## ", 1))
        for number, line in enumerate(outline.lines, start=1):
            if not line.strip():
                continue
            self.lines[self.fates.get(number, "listed")] += 1
            if number not in self.fates:
                what = f"{clip(line.strip())} is no part of the policy; say what it is with --label"
                self.warnings.append(f"{outline.file}:{number}: {what}")

    def mark(self, first: int, last: int, fate: Fate = "imported") -> None:
        self.fates |= dict.fromkeys(range(first, last + 1), fate)

    def verbatim(self, first: int, last: int) -> str:
        """Lines as they stand, save that headings are deep enough to be text, and no list of a clause begins."""
        self.mark(first, last)
        text = self.outline.text(first, last)
        for match in reversed(list(TAKEN.finditer(blank_out_code(text)))):
            start = match.end("heading") if match["heading"] else match.start()
            text = text[: match.start()] + ("####" if match["heading"] else " ") + text[start:]
        return re.sub(r"\A(?:\s*---\n)+|(?:\n\s*---)+\s*\Z", "", text).strip("\n")

    def below(self, part: Part) -> str:
        """What stands below a part's own lines, which count as imported."""
        self.mark(part.line, part.last)
        return self.verbatim(part.last + 1, part.end)

    def part(self, part: Part, area: Area | None) -> None:
        """A part below an area, None above the first one."""
        match part.role:
            case "aside" if part.kind in ("rule", "front", "html"):
                self.mark(part.line, part.end, "aside")
            case "aside":
                title = f"## {part.title}" + (f" ({self.outline.file.name})" if self.several else "")
                body = self.below(part)
                self.intro.append(f"{title}\n\n{body}" if body else part.title)
            case "title" | "group":
                self.mark(part.line, part.last, "aside")
                if TAG.search(part.title):
                    self.place(area, [self.verbatim(part.line, part.last)])
                for each in part.inner:
                    self.part(each, area)
            case "category" | "category clause":
                self.category(part)
            case "label":
                self.label(part, area)
            case "clause":
                self.clause(part, area or self.document())
            case "cases":
                self.cases(part, area)
            case "summary" | "compressed" as role if area or self.single:
                setattr(area or self.document(), role, self.below(part))
            case "definitions":
                self.definitions(part, area)
            case _ if part.kind in ("capitals", "bold") and part.end > part.last:
                self.place(area, [f"#### {part.title}\n\n{self.below(part)}"])
            case _:
                self.place(area, [self.verbatim(part.line, part.end)])

    def document(self) -> Area:
        """The category that the whole source is."""
        return self.area(self.title, _slug(self.title))

    def area(self, title: str, id: str, code: str = "") -> Area:
        id = f"{id}-policy" if id in RESERVED else id
        area = self.areas.setdefault(id, Area(id, title, code))
        if area not in self.own_areas:
            self.own_areas.append(area)
        return area

    def place(self, area: Area | None, block: list[str]) -> None:
        """Text that is no rule: definitions of its category; above the first one it is the introduction."""
        if area is not None:
            area.loose += block
        elif self.own_areas and self.layout != "model-spec":
            self.unplaced.append(block)
        else:
            self.intro += block

    def label(self, part: Part, area: Area | None) -> None:
        """Rules of a style; of the category above, or of one that the title names, as in `G (Gambling) - VIOLATES`."""
        means = part.means
        if means.code and not means.graded:
            name = re.sub(r"\s*[-\u2013\u2014:][^()]*$", "", means.rest).strip("() ")
            area = self.area(name or means.code, means.code, means.code)
        area = area or self.document()
        self.mark(part.line, part.last, "aside")
        block = []
        for each in part.inner:
            if each.role == "text":
                block.append(self.verbatim(each.line, each.end))
            else:
                self.part(each, area)
        if block or means.graded or (means.more and not means.code):
            self.mark(part.line, part.last)
            area.loose.append("\n\n".join([f"#### {part.title}", *block]))

    def definitions(self, part: Part, area: Area | None) -> None:
        """A section of definitions; of a table of codes, each row is the summary of its category."""
        lines = self.outline.lines[part.last : part.end]
        rows = [[cell.strip(" *`") for cell in line.strip().strip("|").split("|")] for line in lines]
        coded = [row for row in rows if len(row) > 2 and re.fullmatch(r"[A-Z]{1,5}\d{0,3}", row[0])]
        for code, name, *said in coded:
            self.area(name, code, code).summary = " ".join(said)
        text = self.below(part)
        if coded:
            text = "\n".join(line for line, row in zip(lines, rows, strict=True) if len(row) == 1).strip("\n")
        if text and (area or self.single):
            (area or self.document()).loose.insert(0, text)
        elif text:
            self.unplaced.append([f"#### {part.title}", text])

    def category(self, part: Part) -> None:
        tag, title = TAG.search(part.title), TAG.sub("", part.title)
        lead = LEADING.match(title)
        plain = title if tag else (read_title(lead["title"] if lead else title).rest or title)
        code = "" if tag else part.means.code
        area = self.area(_plain(plain).rstrip("."), tag[2] if tag else code or _slug(plain), code)
        self.mark(part.line, part.last)
        if part.role == "category clause":
            self.clause(part, area)
            return
        for each in part.inner:
            self.part(each, area)

    def cases(self, part: Part, area: Area | None) -> None:
        """A section of examples: each with the label that it states, else with that of the label above."""
        cases = [each for each in part.inner if each.kind in ("heading", "bold", "item", "capitals")] or [part]
        self.mark(part.line, part.last, "aside")
        for each in part.inner:
            if each not in cases:
                self.place(area, [self.verbatim(each.line, each.end)])
        for each in cases:
            text = self.outline.text(each.line, each.end)
            styles = {style for inner in (each, *each.walk()) for style in inner.means.styles if inner.kind != "item"}
            style: Style | None = next(iter(styles)) if len(styles) == 1 else part.style_above
            home = area
            if stated := STATED.findall(each.title) or STATED.findall(text):
                home = next((one for one in self.areas.values() if one.code == stated[0]), home)
                style = style or "refuse"
            said = SAID.search(text)
            shown = said[1][1:-1] if said else textwrap.dedent(_unmarked(text, each)).strip()
            self.mark(each.line, each.end)
            (home or self.document()).cases.append((style, shown))

    def clause(self, part: Part, area: Area) -> None:
        """A rule: its title, text, reason, examples and exclusions, and where it stands."""
        file, style = self.outline.file, part.style_above or self.style
        if style is None:
            what = f"rule {clip(part.title)} stands below no label"
            raise error_at(file, part.line, what, "give its style with --style")
        below = list(_topmost(part, (*LISTS, "category", *CLAUSES)))
        lists = [each for each in below if each.role in LISTS]
        title, code, text, quoted = self.head(part)
        if not title:
            name = code or part.mark
            raise error_at(file, part.line, f"rule {name} has no condition", f"write `{name} <when it applies>`")
        runs = list(_between(below, part.last + 1, part.end))
        blocks = [self.verbatim(first, last) for first, last in runs]
        if part.kind == "item":
            blocks = [textwrap.dedent(block).strip("\n") for block in blocks]
        body, why = _reason("\n\n".join(filter(None, [text, *blocks])))
        items = {"examples": quoted, "exclusions": [], "why": [why] if why else []}
        for each in lists:
            items[each.role] += self.items(each)
        group = next((each for each in part.parents() if each.role != "clause"), part)
        if group.role == "group" and group.kind in ("heading", "bold") and not group.means.section:
            title = title if TAG.search(group.title) else f"{_plain(group.title)}: {title}"
        self.mark(part.line, part.last)
        last = max([part.last, *(last for _, last in runs), *(each.end for each in lists)])
        place = f"{file.name}:{part.line}" + (f"-{last}" if last > part.line else "")
        id, source = make_clause_id(code), f"{place} {code}".strip()
        if id in self.taken:
            what = f"code {code} is already taken at {self.taken[id]}"
            raise error_at(file, part.line, what, "give one of the two another code")
        self.taken |= {id: source} if id else {}
        examples, exclusions, reason = tuple(items["examples"]), tuple(items["exclusions"]), "\n\n".join(items["why"])
        clause = Clause(id, title, style, body, examples, exclusions, area.id, reason, source, line=part.line)
        area.clauses.append(clause)
        for each in below:
            if each.role not in LISTS:
                self.part(each, area)

    def head(self, part: Part) -> tuple[str, str, str, list[str]]:
        """Title, code, the rest of its first line, and the examples in it."""
        if tag := TAG.search(part.title):
            return join_lines(TAG.sub("", part.title)), "", f"`{tag[1]}`", []
        means = part.means
        coded = any(each.isdigit() for each in means.code) and not means.graded
        title, code, text = (means.rest, means.code, "") if coded else (part.title, "", "")
        if part.kind in ("item", "bold") and (match := LEADING.match(part.title)):
            bold, rest = match["title"].strip(), match["rest"].strip()
            if rest and (match["end"] or match["gap"].strip()) and (part.kind == "bold" or not coded):
                title, text = read_title(bold).rest if coded else bold, rest
            elif not coded:
                title = f"{bold} {rest}"
        examples = []
        if code and (quoted := QUOTED.fullmatch(title)):
            title, examples = quoted[1], [each[1:-1] for each in re.findall(QUOTE, quoted[2])]
        elif part.kind == "bold":
            title = title.rstrip(".")
        return join_lines(_plain(title)), code, text, examples

    def items(self, part: Part) -> list[str]:
        """The items of a list of examples, exclusions or reasons; a conversation in code is one with its title."""
        self.mark(part.line, part.end)
        lead = read_section_lead(part.title)
        rest = lead.rest if lead else ""
        if any(each.kind == "code" for each in part.inner):
            return [text_below_lead(self.outline, part)]
        items = [each for each in part.inner if each.kind == "item"]
        if part.role == "why" or not items or (part.kind == "item" and rest):
            below = textwrap.dedent(self.outline.text(part.last + 1, part.end)).strip("\n")
            return list(filter(None, ["\n".join(filter(None, [rest, below])).strip()]))
        return [rest] * bool(rest) + [_unmarked(self.outline.text(each.line, each.end), each) for each in items]

    def done(self) -> Imported:
        """The policy, its counts, what was added and what may be wrong."""
        for area in [area for area in self.areas.values() if not area.clauses]:
            blocks = [f"## {area.title}", area.summary, *area.loose, *(text for _, text in area.cases)]
            (self.intro if self.layout == "model-spec" else self.rules).append("\n\n".join(filter(None, blocks)))
            del self.areas[area.id]
        if not self.areas:
            raise error_at(self.outline.file, 1, "no rule in it", "`deliberant policy outline` shows what was found")
        areas = list(self.areas.values())
        self.remarks += number_clauses(areas, self.outline.file)
        for area in areas:
            self.remarks += area.settle()
        categories = tuple(area.category() for area in areas)
        policy = Policy(
            self.name, "1", join_blocks(self.intro), GUIDELINES, number_files(categories), join_blocks(self.rules)
        )
        total = len(policy.clauses)
        if self.style and self.layout != "labelled":
            self.remarks.insert(0, f"{self.style} is the style of all {total} clauses (--style): the source has none")
        if self.layout == "prose":
            places = ", ".join(clause.source for clause in policy.clauses.values())
            self.remarks.append(f"titles are headings of prose: say in each when the clause applies ({places})")
        examples = sum(len(clause.examples) for clause in policy.clauses.values())
        aside, listed, lines = self.lines["aside"], self.lines["listed"], self.lines.total()
        counts = (
            Count("categories", len(categories), len(categories)),
            Count("clauses", self.rules_found, total),
            Count("examples", examples, examples),
            Count(f"lines ({aside} aside, {listed} listed)", lines, lines - listed),
        )
        return Imported(policy, counts, (*self.remarks, WRITTEN), tuple(self.warnings))


def _topmost(part: Part, roles: Collection[str]) -> Iterator[Part]:
    """The parts below one that have these roles, save those below another such part."""
    for each in part.inner:
        if each.role in roles:
            yield each
        else:
            yield from _topmost(each, roles)


def text_below_lead(outline: Outline, part: Part) -> str:
    """What stands below a lead such as `**Example**: a title`, the title with it."""
    return re.sub(r"^.*?:(?:\*\*)?[ \t]*", "", outline.text(part.line, part.end), count=1).strip()


def _plain(title: str) -> str:
    return re.sub(r"\*\*|__", "", title).strip()


def _slug(name: str) -> str:
    return re.sub(r"\W+", "-", re.sub(r"\s*\(#?[A-Z]{1,5}\d*\)", "", _plain(name)).lower()).strip("-") or "policy"


def _unmarked(text: str, part: Part) -> str:
    """An item's text without its mark, continuation lines moved to the left."""
    if part.kind != "item":
        return text
    return "\n".join(filter(None, [part.title, textwrap.dedent(text.partition("\n")[2])])).strip()


def _between(parts: Iterable[Part], first: int, last: int) -> Iterator[tuple[int, int]]:
    """First and last line of each stretch, of those from `first` to `last`, that none of the parts holds."""
    for part in parts:
        if part.line > first:
            yield first, part.line - 1
        first = max(first, part.end + 1)
    if first <= last:
        yield first, last


def _reason(text: str) -> tuple[str, str]:
    """The text, and the reason that its last sentence states: `... The reason: people rely on it.`"""
    why = words()["sections"]["why"]
    match = re.search(rf"(?<=[.!?\u3002\u061f])\s+(?:{why})\s*[:\uff1a]\s*(\S[^\n]*)$", text, re.IGNORECASE)
    return (text[: match.start()], match[1]) if match else (text, "")
