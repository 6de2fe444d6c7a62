"""A category of a single-file policy in the making: its sections, the rules below labels, codes for those without."""

import re
from dataclasses import dataclass, field

from deliberant.policy.importers.labels import GRADED, OUTPUT, like_label, says_more, section_style
from deliberant.policy.importers.types import prefixes
from deliberant.policy.markdown import Block, clip, heading, mistake
from deliberant.policy.parts import LABEL as LISTS
from deliberant.policy.parts import read_body
from deliberant.policy.types import CLAUSE_ID, Category, Clause
from deliberant.prompts.types import Style

THIRD = re.compile(r"^ {0,3}###(?:[ \t]+(.*))?$", re.MULTILINE)
LETTERED = rf"{CLAUSE_ID}\.[A-Za-z]"
DASH = "(?:--?|[\u2013\u2014])"
RULE = re.compile(rf"({LETTERED}|{CLAUSE_ID})([:.)]|[ \t]+{DASH}|)[ \t]+(\S.*)")
BOLD = re.compile(rf"^\*\*({CLAUSE_ID}\b.*?)\*\*")
MARK = r"(?:[-*+\u2022]|[0-9]{1,3}[.)])[ \t]+"
CODED = re.compile(rf"^({MARK})?\**({LETTERED})\**[:.)]?\**(?:[ \t]+(.*))?$", re.MULTILINE)
ITEM = re.compile(rf"^([ \t]*){MARK}", re.MULTILINE)
QUOTED = re.compile(rf"(.*?)[ \t]+{DASH}[ \t]+[\"\u201c](.+)[\"\u201d]")
LIKE_RULE = re.compile(rf"^[ \t]*(?:[|>]|[A-Za-z][.)][ \t]|\**(?:{LETTERED}|{CLAUSE_ID})\**[:.)])", re.MULTILINE)


@dataclass
class Area:
    """A category in the making."""

    id: str
    title: str
    line: int
    texts: dict[str, str] = field(default_factory=dict)
    loose: list[str] = field(default_factory=list)
    clauses: list[Clause] = field(default_factory=list)
    found: int = 0
    uncoded: list[tuple[str, str, Style, Block]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def read_area(area: Area, sections: list[tuple[re.Match[str], Block]]) -> Area:
    """The area with what its sections hold. UserError where a section is given twice or a rule has no code."""
    for match, body in sections:
        title = heading(match)
        if title.upper() in ("SUMMARY", "COMPRESSED", "DEFINITIONS"):
            if title.upper() in area.texts:
                raise mistake(body.file, body.line, f"section {title} again", "merge the two")
            area.texts[title.upper()] = _no_headings(body)
        elif style := section_style(title, body.mask):
            if GRADED.fullmatch(title):
                body = _without_outputs(area, title, body)
            elif says_more(title):
                area.loose.append(f"#### {title}")
            _rules(area, style, title, body)
        else:
            suspect = like_label(title) or GRADED.fullmatch(title)
            if suspect and any(pattern.search(body.mask) for pattern in (ITEM, CODED, THIRD)):
                what = f"section {clip(title)} is no label, so what it lists is kept in the definitions"
                area.warnings.append(f"{body.file}:{body.line}: {what}; name it VIOLATES or SAFE if these are rules")
            area.loose.append(f"{f'#### {title}'.strip()}\n\n{_no_headings(body)}".strip())
    return area


def category_of(area: Area, remarks: list[str]) -> Category:
    """The category as read; `remarks` gets what it was given and what it keeps as definitions."""
    summary = area.texts.get("SUMMARY", "")
    if not summary:
        summary = "; ".join(clause.title for clause in area.clauses) + "."
        remarks.append(f"category {area.id} has no SUMMARY: the titles of its rules are written")
    if area.loose:
        remarks.append(
            f"category {area.id}: {len(area.loose)} pieces of text that are no rules are kept as definitions"
        )
    definitions = "\n\n".join(filter(None, [area.texts.get("DEFINITIONS", ""), *area.loose]))
    compressed = area.texts.get("COMPRESSED", "")
    return Category(area.id, area.title, summary, definitions, tuple(area.clauses), compressed=compressed)


def _without_outputs(area: Area, title: str, block: Block) -> Block:
    """The block without the outputs of a section with a grade: no rule holds these and the title, so they are kept."""
    outputs = list(OUTPUT.finditer(block.mask))
    area.loose.append("\n\n".join([f"#### {title}", *(match[0].strip() for match in outputs)]))
    for match in reversed(outputs):
        text, mask = (each[: match.start()] + each[match.end() :] for each in (block.text, block.mask))
        block = block._replace(text=text, mask=mask)
    return block


def _rules(area: Area, style: Style, label: str, block: Block) -> None:
    lines, rules = block.split(THIRD)
    above, coded = lines.split(CODED)
    first = ITEM.search(above.mask)
    text = _listed(area, style, above, len(first[1]) if first else 0)
    area.found += len(coded) + len(rules)
    if str(text):
        area.loose.append(_no_headings(text))
    if not (first or coded or rules):
        what, line = f"label {clip(label)} has no rule below it", block.line
        if str(text):
            what, line = "a label's text without a list is kept in the definitions", text.first_line
        area.warnings.append(f"{block.file}:{line}: {what}; write each rule as `- <when it applies>`")
    elif like := LIKE_RULE.search(text.mask) or LISTS.search(text.mask):
        what = f"{clip(like[0].strip())} begins what may be a rule or an example, but is kept in the definitions"
        remedy = "write each rule as `- W1: <when it applies>`, or as `### W1: ...` with its examples below"
        area.warnings.append(f"{block.file}:{text.line_of(like.start())}: {what}; {remedy}")
    for match, body in coded:
        text, _ = body.split(LISTS)
        _, items = text.split(_items(0))
        if items and match[1]:
            body = _listed(area, style, body, 0)
        else:
            what = f"list item kept in the text of rule {match[2]}"
            remedy = "begin that rule's line with `-`, too, if both are rules"
            area.warnings += [f"{item.file}:{item.line}: {what}; {remedy}" for _, item in items]
        title = (match[3] or "").strip()
        if title.count("**") % 2:  # - **SP2.a cold promotion** - "buy now": the first half stands before the code
            title = title.replace("**", "", 1)
        _add(area, match[2], title, style, body)
    for match, body in rules:
        rule = RULE.fullmatch(heading(match))
        if not rule:
            what = f"rule {clip(heading(match))} has no code"
            raise mistake(body.file, body.line, what, "write `### W1: <when it applies>`")
        _add(area, rule[1], rule[3], style, body)
    area.clauses.sort(key=lambda clause: clause.line)  # items below a rule were read before it


def _add(area: Area, code: str, title: str, style: Style, block: Block) -> None:
    """A rule, whose code is its id or makes one: SP2.a is SP201. SP10.a makes none, as SP1001 is too long for an id."""
    stem, dot, letter = code.partition(".")
    id = f"{stem}{ord(letter.lower()) - ord('a') + 1:02}" if dot else code
    if re.fullmatch(CLAUSE_ID, id):
        area.clauses.append(_clause(id, code, title, style, area.id, block))
    else:
        area.uncoded.append((code, title, style, block))


def _items(depth: int) -> re.Pattern[str]:
    """A list's items, which are indented by no more than `depth`: what is deeper belongs to the item above it."""
    return re.compile(rf"^[ \t]{{0,{depth}}}{MARK}(.*)$", re.MULTILINE)


def _listed(area: Area, style: Style, block: Block, depth: int) -> Block:
    """What stands above a list, whose items are rules.

    `W2: bombs` has its code. `F16 jets` may have none, and has one only where every item looks like that.
    """
    text, items = block.split(_items(depth))
    area.found += len(items)
    rules = [RULE.fullmatch(BOLD.sub(r"\1", match[1].strip())) for match, _ in items]
    for _, body in items[:-1]:
        if (found := list(LISTS.finditer(body.mask))) and not body.mask[found[-1].end() :].strip():
            what = f"`{found[-1][0]}` stands between the items of a list of rules"
            remedy = "write these rules as `### W1: <when it applies>`, each with its examples below"
            raise mistake(body.file, body.line_of(found[-1].start()), what, remedy)
    for rule, (match, body) in zip(rules, items, strict=True):
        if rule and (rule[2] or all(rules)):
            _add(area, rule[1], rule[3], style, body)
        else:
            area.uncoded.append(("", match[1].strip(), style, body))
    return text


def number_rules(areas: list[Area], remarks: list[str]) -> None:
    """Ids for rules whose code makes none: the category's initials and the next number that is free in the file."""
    taken = {clause.id for area in areas for clause in area.clauses}
    uncoded = [area for area in areas if area.uncoded]
    letters = prefixes(area.id for area in uncoded)
    for area in uncoded:
        free = [id for number in range(1, 1000) if (id := f"{letters[area.id]}{number}") not in taken]
        if len(area.uncoded) > len(free):
            *_, body = area.uncoded[len(free)]
            what = f"rule {len(free) + 1} without a code in category {area.id!r}, and there are no more codes"
            raise mistake(body.file, body.line, what, "give rules codes such as W1, or divide the category")
        named = [
            _clause(id, code, title, style, area.id, body)
            for id, (code, title, style, body) in zip(free, area.uncoded, strict=False)
        ]
        area.clauses += named
        codes = f"{named[0].id} to {named[-1].id}" if len(named) > 1 else named[0].id
        remarks.append(f"category {area.id}: {len(named)} rules have no code that can be an id; they are {codes} now")


def _clause(id: str, code: str, title: str, style: Style, category: str, block: Block) -> Clause:
    """`code` is that of the source, "" where it has none."""
    body = read_body(block, code or id)
    text, examples = body.text, body.examples
    if "." in code:
        text = "\n\n".join(filter(None, [f"Code in the source: {code}.", text]))
        if quoted := QUOTED.fullmatch(title):
            title, examples = quoted[1], (quoted[2], *examples)
    if not title:
        raise mistake(block.file, block.line, f"rule {code} has no condition", f"write `{code} <when it applies>`")
    return Clause(id, title, style, text, examples, body.exclusions, category, body.why, body.source, block.line)


def _no_headings(block: Block) -> str:
    """Text in which `###` headings are one deeper, as definitions hold no clauses."""
    before, parts = block.split(THIRD)
    return "\n".join([str(before), *(f"#### {match[1] or ''}".rstrip() + body.text for match, body in parts)]).strip(
        "\n"
    )
