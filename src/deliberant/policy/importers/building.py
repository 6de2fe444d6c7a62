"""Outlines whose parts have roles -> a policy. Every clause says where it came from, every line is accounted for.

A line is imported (it stands in the policy), aside (headings that only group, rules between sections, front matter) or
listed. Instructions to a classifier and overviews are kept in policy.md, which is in no view.
"""

import re
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from deliberant.policy.importers.types import GUIDELINES, WRITTEN, Count, Imported, in_order, prefixes
from deliberant.policy.loader import RESERVED
from deliberant.policy.markdown import clip, masked, mistake
from deliberant.policy.outline import Outline, Part
from deliberant.policy.parts import LABEL
from deliberant.policy.types import CLAUSE_ID, Category, Clause, Policy
from deliberant.policy.words import meaning, section_lead, words
from deliberant.prompts.types import Style

HEADING = re.compile(r"^ {0,3}#{1,3}(?=[ \t]|$)", re.MULTILINE)
TAG = re.compile(r"\s*(\{#([\w-]+)[^{}]*\})\s*$")
LEADING = re.compile(
    r"(\*\*|__)(?P<title>.+?)(?P<end>[:.]?)\1(?P<gap>\s*(?:[:\uff1a]|[-\u2013\u2014](?=\s))?\s*)(?P<rest>.*)$",
    re.DOTALL,
)
"""An item that begins in bold: `**Truthful**: it asserts nothing false`."""
QUOTE = r"(?:\"[^\"]+\"|\u201c[^\u201d]+\u201d|\u00ab[^\u00bb]+\u00bb|\u201e[^\u201c\u201d]+[\u201c\u201d]|\u300c[^\u300d]+\u300d)"  # noqa: E501
QUOTED = re.compile(
    rf"(.*?)\s*(?::|\uff1a|--?|[\u2013\u2014])\s*({QUOTE}(?:\s*(?:[;,/]|or|and|\u0648|\u6216)?\s*{QUOTE})*)\.?$"
)
STATED = re.compile(r"\b([A-Z]{1,5}\d{0,3})\"?\s*[:=]\s*1\b")
"""A label that an example has, such as `G: 1`."""


@dataclass
class Area:
    """A category in the making. `cases`: examples that name no clause."""

    id: str
    title: str
    line: int
    code: str = ""
    summary: str = ""
    compressed: str = ""
    loose: list[str] = field(default_factory=list)
    clauses: list[tuple[str, Clause]] = field(default_factory=list)
    cases: list[tuple[Style | None, str]] = field(default_factory=list)


class Builder:
    """Takes outlines in, one after the other; `done` gives the policy."""

    def __init__(self, name: str, layout: str, style: Style | None, several: bool) -> None:
        self.name, self.layout, self.style, self.several = name, layout, style, several
        self.areas: dict[str, Area] = {}
        self.intro: list[str] = []
        self.rules: list[str] = []
        self.remarks: list[str] = []
        self.warnings: list[str] = []
        self.files = (0, 0)
        self.lines = {"found": 0, "imported": 0, "aside": 0}
        self.found = self.examples = self.cases = 0
        self.unplaced: list[list[str]] = []

    def take(self, outline: Outline) -> None:
        """Everything that an outline holds. UserError with file and line for what makes no policy."""
        self.outline = outline
        self.kept: dict[int, bool] = {}
        leads = [part for part in outline.root.walk() if part.mark == "examples" and part.role in ("", "text")]
        self.examples += sum(any(each.kind == "code" for each in part.inner) for part in leads)  # they stay in the text
        self.found += sum(part.role in ("clause", "category clause") for part in outline.root.walk())
        title = next((part for part in outline.root.inner if part.role == "title"), None)
        front = next((part for part in outline.root.inner if part.kind == "front"), None)
        named = (
            re.search(r"^(?:title|name):[ \t]*(.+?)[ \t]*$", outline.text(front.line, front.last), re.M)
            if front
            else None
        )
        said = named[1].strip("\"'") if named else (title.title if title else outline.root.title)
        if not self.several:
            self.name = _plain(said)
        self.main = said, title or outline.root
        self.areas_here: list[Area] = []
        for part in outline.root.inner:
            self.part(part, None)
        for block in self.unplaced:
            if len(self.areas_here) == 1:
                self.areas_here[0].loose += block
            else:
                self.rules.append("\n\n".join(block).replace("#### ", "## ", 1))
        self.unplaced = []
        shown = [number for number, line in enumerate(outline.lines, start=1) if line.strip()]
        self.lines["found"] += len(shown)
        for number in shown:
            if number in self.kept:
                self.lines["imported" if self.kept[number] else "aside"] += 1
            else:
                what = f"{clip(outline.lines[number - 1].strip())} is no part of the policy"
                self.warnings.append(f"{outline.file}:{number}: {what}; say what it is with --label")

    def mark(self, first: int, last: int, imported: bool = True) -> None:
        for number in range(first, last + 1):
            self.kept[number] = imported

    def verbatim(self, first: int, last: int) -> str:
        """Lines as they stand, save that headings are deep enough to be text."""
        self.mark(first, last)
        text = self.outline.text(first, last)
        mask = masked(text)
        for match in reversed(list(HEADING.finditer(mask))):
            text = text[: match.start()] + "####" + text[match.end() :]
        for match in reversed(list(LABEL.finditer(masked(text)))):
            text = f"{text[: match.start()]} {text[match.start() :]}"  # it would begin a list of a clause
        return re.sub(r"\A(?:\s*---\n)+|(?:\n\s*---)+\s*\Z", "", text).strip("\n")

    def part(self, part: Part, area: Area | None) -> None:
        """A part below an area, None above the first one."""
        match part.role:
            case "aside":
                self.aside(part)
            case "title" | "group":
                self.mark(part.line, part.last, imported=False)
                if TAG.search(part.title):
                    self.place(area, part, [self.verbatim(part.line, part.last)])
                for each in part.inner:
                    self.part(each, area)
            case "category" | "category clause":
                self.category(part)
            case "label":
                area = self.area_of(part, area)
                self.mark(part.line, part.last, imported=False)
                block = []
                for each in part.inner:
                    if each.role == "text" and each.kind != "rule":
                        block.append(self.verbatim(each.line, each.end))
                    else:
                        self.part(each, area)
                if block or part.means.graded or (part.means.more and not part.means.code):
                    self.mark(part.line, part.last)
                    area.loose.append("\n\n".join([f"#### {part.title}", *block]))
            case "clause":
                self.clause(part, area or self.document())
            case "cases":
                self.case(part, area)
            case "summary" | "compressed" as role if area or self.one():
                text = self.verbatim(part.last + 1, part.end)
                self.mark(part.line, part.last)
                setattr(area or self.document(), role, text)
            case "definitions":
                self.definitions(part, area)
            case _ if part.kind in ("capitals", "bold") and part.end > part.last:
                self.mark(part.line, part.last)
                self.place(area, part, [f"#### {part.title}\n\n{self.verbatim(part.last + 1, part.end)}"])
            case _:
                self.place(area, part, [self.verbatim(part.line, part.end)])

    def one(self) -> bool:
        """Whether the source has no categories of its own."""
        return not any(part.role in ("category", "category clause") for part in self.outline.root.walk())

    def document(self) -> Area:
        """The category that the whole source is."""
        title, part = self.main
        return self.area(_plain(title), max(part.line, 1), _slug(title))

    def area(self, title: str, line: int, id: str, code: str = "") -> Area:
        file = self.outline.file
        if id not in self.areas:
            if id in RESERVED:
                raise mistake(file, line, f"category id {id!r} is a heading of the spec view", "give it another title")
            self.areas[id] = Area(id, title, line, code)
        if self.areas[id] not in self.areas_here:
            self.areas_here.append(self.areas[id])
        return self.areas[id]

    def area_of(self, part: Part, area: Area | None) -> Area:
        """The category of a label: one that its title names, as in `G (Gambling) - VIOLATES`, or the one above."""
        means = part.means
        if means.code and not means.graded:
            name = re.sub(r"\s*[-\u2013\u2014:][^()]*$", "", means.rest).strip("() ")
            return self.area(name or means.code, part.line, means.code, means.code)
        return area or self.document()

    def aside(self, part: Part) -> None:
        if part.kind in ("rule", "front", "html"):
            self.mark(part.line, part.end, imported=False)
            return
        title = f"## {part.title}" + (f" ({self.outline.file.name})" if self.several else "")
        body = self.verbatim(part.last + 1, part.end)
        self.intro.append(f"{title}\n\n{body}" if body else part.title)
        self.mark(part.line, part.last)

    def place(self, area: Area | None, part: Part, block: list[str]) -> None:
        """Text that is no rule: definitions of its category; above the first one it is the introduction."""
        if area is not None:
            area.loose += block
        elif self.areas_here and self.layout != "model-spec":
            self.unplaced.append(block)
        else:
            self.intro += block

    def definitions(self, part: Part, area: Area | None) -> None:
        """A section of definitions; of a table of codes, each row is the summary of its category."""
        lines = list(range(part.last + 1, part.end + 1))
        for table in (each for each in part.walk() if each.kind == "table"):
            rows = [
                [cell.strip(" *`") for cell in line.strip().strip("|").split("|")]
                for line in self.outline.lines[table.line - 1 : table.last]
            ]
            coded = [row for row in rows[2:] if len(row) > 2 and re.fullmatch(r"[A-Z]{1,5}\d{0,3}", row[0])]
            if coded and len(coded) == len(rows) - 2:
                for code, name, *said in coded:
                    self.area(name, table.line, code, code).summary = " ".join(said)
                self.mark(table.line, table.last)
                lines = [number for number in lines if not table.line <= number <= table.last]
        self.mark(part.line, part.last)
        text = (
            "\n".join(self.verbatim(number, number) for number in lines)
            if len(lines) < part.end - part.last
            else self.verbatim(part.last + 1, part.end)
        )
        if text.strip():
            if area or self.one():
                (area or self.document()).loose.insert(0, text.strip("\n"))
            else:
                self.unplaced.append([f"#### {part.title}", text.strip("\n")])

    def category(self, part: Part) -> None:
        tag = TAG.search(part.title)
        title = TAG.sub("", part.title)
        lead = LEADING.match(title)
        plain = title if tag else (meaning(lead["title"] if lead else title).rest or title)
        code = "" if tag else part.means.code
        area = self.area(_plain(plain).rstrip("."), part.line, tag[2] if tag else code or _slug(plain), code)
        self.mark(part.line, part.last)
        if part.role == "category clause":
            self.clause(part, area)
        for each in part.inner:
            if part.role == "category" or each.role in ("clause", "category", "category clause"):
                self.part(each, area)

    def case(self, part: Part, area: Area | None) -> None:
        """A section of examples: each with the label that it states, else with that of the label above."""
        above = next((each.style for each in part.parents() if each.style), None)
        cases = [each for each in part.inner if each.kind in ("heading", "bold", "item", "capitals")] or [part]
        self.mark(part.line, part.last, imported=False)
        for each in part.inner:
            if each not in cases:
                self.place(area, part, [self.verbatim(each.line, each.end)])
        for each in cases:
            text = self.outline.text(each.line, each.end)
            styles = {style for inner in (each, *each.walk()) for style in inner.means.styles if inner.kind != "item"}
            style: Style | None = next(iter(styles)) if len(styles) == 1 else above
            home = area
            if stated := STATED.findall(each.title) or STATED.findall(text):
                home = next((one for one in self.areas.values() if one.code == stated[0]), None) or home
                style = style or "refuse"
            said = re.search(
                rf"^\W*(?:content|text|input|prompt|message)\W*[:\uff1a]\W*?({QUOTE})\W*$", text, re.I | re.M
            )
            shown = said[1][1:-1] if said else textwrap.dedent(_unmarked(text, each)).strip()
            self.mark(each.line, each.end)
            self.cases += 1
            (home or self.document()).cases.append((style, shown))

    def clause(self, part: Part, area: Area) -> None:
        """A rule: its title, text, reason, examples and exclusions, and where it stands."""
        style = next((each.style for each in (part, *part.parents()) if each.style), None) or self.style
        file = self.outline.file
        if style is None:
            raise mistake(
                file, part.line, f"rule {clip(part.title)} stands below no label", "give its style with --style"
            )
        own = [each for each in part.walk() if each.role in ("examples", "exclusions", "why")]
        inner = [each for each in part.walk() if each.role in ("clause", "category", "category clause")]
        title, code, text, examples = self.head(part)
        gone = {number for each in own + inner for number in range(each.line, each.end + 1)}
        runs = _runs([number for number in range(part.last + 1, part.end + 1) if number not in gone])
        blocks = [
            textwrap.dedent(self.verbatim(first, last)) if part.kind == "item" else self.verbatim(first, last)
            for first, last in runs
        ]
        body = "\n\n".join(filter(None, [text, *(block.strip("\n") for block in blocks)]))
        found: dict[str, list[str]] = {"examples": list(examples), "exclusions": [], "why": []}
        for each in own:
            if not any(above in own for above in each.parents()):
                found[each.role] += self.listed(each)
        title = " ".join(title.split())
        if not title:
            raise mistake(
                file,
                part.line,
                f"rule {code or part.mark} has no condition",
                f"write `{code or part.mark} <when it applies>`",
            )
        group = next((each for each in part.parents() if each.role != "clause"), None)
        if (
            group
            and group.role == "group"
            and group.kind in ("heading", "bold")
            and not group.means.section
            and not TAG.search(group.title)
        ):
            title = f"{_plain(group.title)}: {title}"
        self.mark(part.line, part.last)
        body, why = _reason(body)
        self.examples += len(found["examples"])
        last = max([part.last, *(last for _, last in runs), *(each.end for each in own)])
        place = f"{file.name}:{part.line}" + (f"-{last}" if last > part.line else "")
        whys = "\n\n".join(filter(None, [why, *found["why"]]))
        shown, excluded = tuple(found["examples"]), tuple(found["exclusions"])
        clause = Clause("", title, style, body, shown, excluded, area.id, whys, f"{place} {code}".strip(), part.line)
        area.clauses.append((code, clause))
        for each in inner if part.role == "clause" else ():
            if not any(above in inner for above in each.parents()):
                self.part(each, area)

    def head(self, part: Part) -> tuple[str, str, str, list[str]]:
        """Title, code, the rest of its first line, and the examples in it."""
        if tag := TAG.search(part.title):
            return TAG.sub("", part.title), "", f"`{tag[1]}`", []
        means = part.means
        coded = any(each.isdigit() for each in means.code) and not means.graded
        title, text = means.rest if coded else part.title, ""
        if part.kind in ("item", "bold") and (found := LEADING.match(part.title)):
            bold, rest = found["title"].strip(), found["rest"].strip()
            if rest and (found["end"] or found["gap"].strip()) and (part.kind == "bold" or not coded):
                title, text = meaning(bold).rest if coded else bold, rest
            elif not coded:
                title = f"{bold} {rest}".strip()
        code = means.code if coded else ""
        if code and (quoted := QUOTED.fullmatch(title)):
            return quoted[1].strip(), code, text, [each[1:-1] for each in re.findall(QUOTE, quoted[2])]
        return _plain(title).rstrip("." if part.kind == "bold" else ""), code, text, []

    def listed(self, part: Part) -> list[str]:
        """The items of a list of examples, exclusions or reasons; a conversation in code is one with its title."""
        self.mark(part.line, part.end)
        lead = section_lead(part.title)
        rest = lead.rest if lead else ""
        if any(each.kind == "code" for each in part.inner):
            return [lead_text(self.outline, part)]
        items = [each for each in part.inner if each.kind == "item"]
        if part.role == "why" or not items or (part.kind == "item" and rest):
            below = textwrap.dedent(self.outline.text(part.last + 1, part.end))
            return [text] if (text := "\n".join(filter(None, [rest, below.strip("\n")])).strip()) else []
        return ([rest] if rest else []) + [_unmarked(self.outline.text(each.line, each.end), each) for each in items]

    def done(self) -> Imported:
        """The policy, its counts, what was added and what may be wrong."""
        for id in [id for id, area in self.areas.items() if not area.clauses]:
            area = self.areas.pop(id)
            (self.intro if self.layout == "model-spec" else self.rules).append(
                "\n\n".join(
                    filter(None, [f"## {area.title}", area.summary, *area.loose, *(text for _, text in area.cases)])
                )
            )
        if not self.areas:
            raise mistake(self.outline.file, 1, "no rule in it", "`deliberant policy outline` shows what was found")
        named = self.codes()
        categories = tuple(
            self.category_of(area, clauses) for area, clauses in zip(self.areas.values(), named, strict=True)
        )
        clauses = sum(len(each.clauses) for each in categories)
        policy = Policy(self.name, "1", _joined(self.intro), GUIDELINES, in_order(categories), _joined(self.rules))
        if self.style and self.layout != "labelled":
            self.remarks.insert(0, f"{self.style} is the style of all {clauses} clauses (--style): the source has none")
        if self.layout == "prose":
            places = ", ".join(clause.source for clauses in named for clause in clauses)
            self.remarks.append(f"titles are headings of prose: say in each when the clause applies ({places})")
        examples = self.examples + self.cases
        listed = self.lines["found"] - self.lines["imported"] - self.lines["aside"]
        counts: tuple[Count, ...] = (
            Count("categories", len(self.areas), len(categories)),
            Count("clauses", self.found, clauses),
            Count("examples", examples, examples),
            Count(
                f"lines ({self.lines['aside']} aside, {listed} listed)",
                self.lines["found"],
                self.lines["found"] - listed,
            ),
        )
        if self.files[0]:
            counts += (
                Count("example files", self.files[0], self.files[0]),
                Count("examples in them", self.files[1], self.files[1]),
            )
        return Imported(policy, counts, (*self.remarks, WRITTEN), tuple(self.warnings))

    def codes(self) -> list[list[Clause]]:
        """Every area's clauses with their ids: the source's code, or one made of it; else the next free number."""
        taken: dict[str, str] = {area.code: area.id for area in self.areas.values() if not area.clauses[0][0]}
        found: list[list[Clause | None]] = []
        for area in self.areas.values():
            found.append([])
            for code, clause in area.clauses:
                stem, dot, letter = code.partition(".")
                id = f"{stem}{ord(letter[0].lower()) - ord('a') + 1:02}" if dot else code
                valid = re.fullmatch(CLAUSE_ID, id)
                if valid and id in taken:
                    what = f"code {code} is already taken at {taken[id]}"
                    raise mistake(self.outline.file, clause.line, what, "give one of the two another code")
                if valid:
                    taken[id] = clause.source
                found[-1].append(replace(clause, id=id) if valid else None)
        bare = [area for area, clauses in zip(self.areas.values(), found, strict=True) if None in clauses]
        letters = {area.id: area.code for area in bare if re.fullmatch("[A-Z]{1,4}", area.code)}
        letters |= prefixes((area.id for area in bare if area.id not in letters), set(letters.values()))
        return [
            self.numbered(area, each, letters.get(area.id, ""), taken)
            for area, each in zip(self.areas.values(), found, strict=True)
        ]

    def numbered(
        self, area: Area, clauses: list[Clause | None], letters: str, taken: Mapping[str, str]
    ) -> list[Clause]:
        """The clauses of an area, of which those that are None get the next free number."""
        free = [id for number in range(1, 1000) if (id := f"{letters}{number}") not in taken]
        bare = [clause for clause in clauses if clause is None]
        if len(bare) > len(free):
            line = area.clauses[len(free)][1].line
            what = f"category {area.id!r} has {len(bare)} rules without a code, and there are no more codes"
            raise mistake(self.outline.file, line, what, "give rules codes such as W1, or divide the category")
        if bare:
            self.remarks.append(
                f"category {area.id}: {len(bare)} clauses have no code that can be an id; numbered from {free[0]}"
            )
        ids = iter(free)
        return [new or replace(old, id=next(ids)) for new, (_, old) in zip(clauses, area.clauses, strict=True)]

    def category_of(self, area: Area, clauses: list[Clause]) -> Category:
        for style, text in area.cases:
            self.attach(area, clauses, style, text)
        if not area.summary:
            area.summary = "; ".join(clause.title.rstrip(".:;\u3002") for clause in clauses) + "."
            self.remarks.append(f"category {area.id} has no summary: the titles of its clauses are written")
        definitions = _joined(area.loose)
        return Category(area.id, area.title, area.summary, definitions, tuple(clauses), compressed=area.compressed)

    def attach(self, area: Area, clauses: list[Clause], style: Style | None, text: str) -> None:
        """An example that names no clause goes below the one that shares most words with it; else into definitions."""
        said = set(re.findall(r"\w{2,}", text.casefold()))
        scores = [len(said & set(re.findall(r"\w{2,}", f"{one.title} {one.text}".casefold()))) for one in clauses]
        fits = [(score, place) for place, score in enumerate(scores) if clauses[place].style == style]
        best = max(fits, default=(0, 0))
        if fits and (len(fits) == 1 or (best[0] and [score for score, _ in fits].count(best[0]) == 1)):
            clause = clauses[best[1]]
            clauses[best[1]] = replace(clause, examples=(*clause.examples, text))
            self.remarks.append(f"example {clip(text[:60])} names no clause: placed below {clause.id} by its words")
        else:
            area.loose.append(f"#### Example ({style or 'no label'})\n\n{text}")
            self.remarks.append(f"example {clip(text[:60])} names no clause: kept in the definitions of {area.id}")


def lead_text(outline: Outline, part: Part) -> str:
    """What stands below a lead such as `**Example**: a title`, the title with it."""
    return re.sub(r"^.*?:(?:\*\*)?[ \t]*", "", outline.text(part.line, part.end), count=1).strip()


def _joined(blocks: list[str]) -> str:
    """Blocks with a blank line between them; blanks at the ends of lines are nothing that a file keeps."""
    return re.sub(r"[ \t]+$", "", "\n\n".join(filter(None, blocks)), flags=re.MULTILINE).strip("\n")


def _plain(title: str) -> str:
    return re.sub(r"\*\*|__", "", title).strip()


def _slug(name: str) -> str:
    return re.sub(r"\W+", "-", re.sub(r"\s*\(#?[A-Z]{1,5}\d*\)", "", _plain(name)).lower()).strip("-") or "policy"


def _unmarked(text: str, part: Part) -> str:
    """An item's text without its mark, continuation lines moved to the left."""
    if part.kind != "item":
        return text
    first, _, rest = text.partition("\n")
    return "\n".join(filter(None, [part.title, textwrap.dedent(rest)])).strip() if first else ""


def _runs(numbers: list[int]) -> list[tuple[int, int]]:
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return [(first, last) for first, last in runs]


def _reason(text: str) -> tuple[str, str]:
    """The text, and the reason that its last sentence states: `... The reason: people rely on it.`"""
    why = words()["sections"]["why"]
    found = re.search(rf"(?<=[.!?\u3002\u061f])\s+(?:{why})\s*[:\uff1a]\s*(\S[^\n]*)$", text, re.IGNORECASE)
    return (text[: found.start()], found[1]) if found else (text, "")
