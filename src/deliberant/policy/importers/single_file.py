"""A whole policy in one Markdown file, in the form that gpt-oss-safeguard's guide asks for: written and read.

    # demo                         the name, then `Version: 1.10` and the introduction
    # INSTRUCTIONS                 what a classifier is to do; written by us, not part of the policy
    # RULES                        rules.md
    # STYLES                       `## refuse` and so on, as in styles.md
    # CATEGORY weapons: Weapons    then `## SUMMARY`, `## COMPRESSED`, `## DEFINITIONS`, and the clauses in their order:
    ## VIOLATES (refuse)
    ### W1: weapon instructions    text, examples and exclusions as in a category file
    ## SAFE (comply)
    ### W2: weapon facts

Read back, this gives the very same policy. A file by another hand may leave out `# CATEGORY` (its `##` sections are
then one category, named after the title), styles, version and summary; may write VIOLATES and SAFE bare, with a label
(`## VIOLATES (1)`) or in other usual words (`labels`); and may give rules as lines such as `- SP2.a Cold promotion`,
which become SP201: the digit, then the letter's place in two digits. Rules without a code, the items of a list
(bulleted or numbered), get one. Sections may be lines in capitals or bold (`headings`). Text that is no rule is kept:
in the definitions, other `#` sections in rules.md.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import groupby
from pathlib import Path

from deliberant.policy.importers.headings import with_headings
from deliberant.policy.importers.labels import label_style, like_label
from deliberant.policy.importers.types import GUIDELINES, WRITTEN, Count, Imported, prefixes
from deliberant.policy.loader import RESERVED
from deliberant.policy.markdown import Block, Section, clip, mistake, read_document
from deliberant.policy.parts import LABEL as LISTS
from deliberant.policy.parts import read_body, read_guidelines
from deliberant.policy.printer import clause_parts, guideline_section
from deliberant.policy.types import CLAUSE_ID, Category, Clause, Policy
from deliberant.prompts.types import Style

INSTRUCTIONS = """\
Classify each EXAMPLE by the rules below. If a rule under VIOLATES decides it, answer VIOLATES and that rule's code;
otherwise answer SAFE and the code of the rule that allows it. Rules under SAFE WITH CARE allow a careful answer. Where
two rules meet, RULES says which one wins. Give your reason in one sentence first, the answer last."""
LABELS: dict[Style, str] = {
    "refuse": "VIOLATES (refuse)",
    "comply": "SAFE (comply)",
    "safe_complete": "SAFE WITH CARE (safe_complete)",
}
TOP = re.compile(r"^ {0,3}#(?:[ \t]+(.*))?$", re.MULTILINE)
SECOND = re.compile(r"^ {0,3}##(?:[ \t]+(.*))?$", re.MULTILINE)
THIRD = re.compile(r"^ {0,3}###(?:[ \t]+(.*))?$", re.MULTILINE)
RULE = re.compile(rf"({CLAUSE_ID}|[A-Z]{{1,4}}[0-9]\.[a-z])[:.)]?[ \t]+(\S.*)")
MARK = r"(?:[-*+\u2022]|[0-9]{1,3}[.)])[ \t]+"
CODED = re.compile(rf"^({MARK})?\**([A-Z]{{1,4}}[0-9]\.[a-z])\**[:.)]?\**[ \t]+(.*)$", re.MULTILINE)
ITEM = re.compile(rf"^([ \t]*){MARK}", re.MULTILINE)
QUOTED = re.compile(r"(.*?)[ \t]+[-\u2013\u2014][ \t]+[\"\u201c](.+)[\"\u201d]")
VERSION = re.compile(r"\n*Version: (.*)(?:\n+|$)")


def export_policy(policy: Policy) -> str:
    """The policy in one file, ending in a newline."""
    # A `#` heading in the introduction would begin a part of the file; Markdown shows the escape as the heading's `#`.
    intro = re.sub(r"^( {0,3})(\\*#(?:[ \t]|$))", r"\1\\\2", policy.intro, flags=re.MULTILINE)
    blocks = [f"# {policy.name}", f"Version: {policy.version}", intro, "# INSTRUCTIONS", INSTRUCTIONS]
    blocks += ["# RULES", policy.rules] if policy.rules else []
    blocks += ["# STYLES", *map(guideline_section, policy.styles)]
    for category in policy.categories:
        blocks.append(f"# CATEGORY {category.id}: {category.title}")
        for name in ("summary", "compressed", "definitions"):
            blocks += [f"## {name.upper()}", text] if (text := getattr(category, name)) else []
        for style, clauses in groupby(category.clauses, key=lambda clause: clause.style):
            blocks.append(f"## {LABELS[style]}")
            for clause in clauses:
                blocks += [f"### {clause.id}: {clause.title}", *clause_parts(clause)]
    return "\n\n".join(block for block in blocks if block) + "\n"


@dataclass
class _Area:
    """A category in the making."""

    id: str
    title: str
    line: int
    texts: dict[str, str] = field(default_factory=dict)
    loose: list[str] = field(default_factory=list)
    clauses: list[Clause] = field(default_factory=list)
    found: int = 0
    uncoded: list[tuple[Style, Block, str]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def import_single_file(file: Path) -> Imported:
    """The policy, with counts of categories and rules.

    UserError with file and line: not UTF-8, a fence that is never closed, no title, a rule without a code or a category
    without rules (a file cut short), a code given twice, text where none belongs. Listed as warnings: text below a
    label and lists that may be rules, but became none.
    """
    document, remark = with_headings(read_document(file)[1], file.stem)
    before, parts = document.split(TOP)
    if str(before) or not parts or not (parts[0][0][1] or "").strip():
        raise mistake(file, document.first_line, "another beginning than a title", "write `# <name>` first")
    (first, head), *others = parts
    name = (first[1] or "").strip()
    remarks: list[str] = [remark] if remark else []
    areas: list[_Area] = []
    intro = head
    if not any((match[1] or "").startswith("CATEGORY ") for match, _ in others):
        intro, sections = head.split(SECOND)
        areas.append(_area(_Area(_slug(name), name, max(1, head.line)), sections))
    rules: list[str] = []
    styles = None
    for match, body in others:
        title = (match[1] or "").strip()
        if named := re.fullmatch(r"CATEGORY (\w[\w-]*):\s*(\S.*)", title):
            inner, below = body.split(SECOND)
            if str(inner):
                raise mistake(
                    file, inner.first_line, "text between category and first section", "move it into a section"
                )
            areas.append(_area(_Area(named[1], named[2], body.line), below))
        elif title == "STYLES":
            styles = body
        elif label_style(title):
            raise mistake(file, body.line, f"label {clip(title)} is no part of a category", "write it with `##`")
        elif title == "RULES":
            rules.insert(0, str(body))
        elif title != "INSTRUCTIONS" or str(body) != INSTRUCTIONS:
            rules.append(f"{f'## {title}'.strip()}\n\n{body}".strip())
            remarks.append(f"line {body.line}: section {title!r} is kept in rules.md")
    _number(areas, remarks)
    _check(file, areas)
    version, text = _version(intro, remarks)
    guidelines = GUIDELINES
    if styles is not None:
        stray, found = styles.split(SECOND)
        if str(stray):
            raise mistake(file, stray.first_line, "text between `# STYLES` and the first style", "move it below one")
        shown = [Section(2, (match[1] or "").strip(), body) for match, body in found]
        guidelines = read_guidelines(file, shown, [area.id for area in areas])
    else:
        remarks.append(WRITTEN)
    categories = _in_order([_category(area, remarks) for area in areas])
    policy = Policy(name, version, text, guidelines, categories, "\n\n".join(filter(None, rules)))
    counts = (
        Count("categories", len(areas), len(categories)),
        Count("rules", sum(area.found for area in areas), sum(len(category.clauses) for category in categories)),
    )
    return Imported(policy, counts, tuple(remarks), tuple(warning for area in areas for warning in area.warnings))


def _slug(name: str) -> str:
    return re.sub(r"\W+", "-", name.lower()).strip("-") or "policy"


def _in_order(categories: list[Category]) -> tuple[Category, ...]:
    """A loaded policy has its categories in the order of their files: numbered ones where ids do not sort so."""
    if [each.file for each in categories] != sorted(each.file for each in categories):
        width = len(str(len(categories)))
        numbered = enumerate(categories, start=1)
        categories = [replace(each, path=f"categories/{place:0{width}}-{each.id}.md") for place, each in numbered]
    return tuple(categories)


def _area(area: _Area, sections: list[tuple[re.Match[str], Block]]) -> _Area:
    for match, body in sections:
        title = (match[1] or "").strip()
        if title.upper() in ("SUMMARY", "COMPRESSED", "DEFINITIONS"):
            if title.upper() in area.texts:
                raise mistake(body.file, body.line, f"section {title} again", "merge the two")
            area.texts[title.upper()] = _no_headings(body)
        elif style := label_style(title):
            area.clauses += _clauses(area, style, body)
        else:
            if like_label(title) and any(pattern.search(body.mask) for pattern in (ITEM, CODED, THIRD)):
                what = f"section {clip(title)} is no label, so what it lists is kept in the definitions"
                area.warnings.append(f"{body.file}:{body.line}: {what}; name it VIOLATES or SAFE if these are rules")
            area.loose.append(f"{f'#### {title}'.strip()}\n\n{_no_headings(body)}".strip())
    return area


def _clauses(area: _Area, style: Style, block: Block) -> Iterator[Clause]:
    lines, rules = block.split(THIRD)
    above, coded = lines.split(CODED)
    first = ITEM.search(above.mask)
    text = _uncoded(area, style, above, len(first[1]) if first else 0)
    area.found += len(coded) + len(rules)
    if str(text):
        area.loose.append(_no_headings(text))
        if not (first or coded or rules):
            what = "a label's text without a list is kept in the definitions"
            area.warnings.append(f"{text.file}:{text.first_line}: {what}; write each rule as `- <when it applies>`")
    for match, body in coded:
        text, _ = body.split(LISTS)
        _, items = text.split(_items(0))
        if items and match[1]:
            body = _uncoded(area, style, body, 0)
        else:
            what = f"list item kept in the text of rule {match[2]}"
            remedy = "begin that rule's line with `-`, too, if both are rules"
            area.warnings += [f"{item.file}:{item.line}: {what}; {remedy}" for _, item in items]
        yield _clause(match[2], match[3].strip(), style, area.id, body)
    for match, body in rules:
        rule = RULE.fullmatch((match[1] or "").strip())
        if not rule:
            what = f"rule {clip((match[1] or '').strip())} has no code"
            raise mistake(body.file, body.line, what, "write `### W1: <when it applies>`")
        yield _clause(rule[1], rule[2], style, area.id, body)


def _items(depth: int) -> re.Pattern[str]:
    """A list's items, which are indented by no more than `depth`: what is deeper belongs to the item above it."""
    return re.compile(rf"^[ \t]{{0,{depth}}}{MARK}(.*)$", re.MULTILINE)


def _uncoded(area: _Area, style: Style, block: Block, depth: int) -> Block:
    """What stands above a list, whose items are rules without a code."""
    text, items = block.split(_items(depth))
    area.found += len(items)
    area.uncoded += [(style, body, match[1].strip()) for match, body in items]
    return text


def _number(areas: list[_Area], remarks: list[str]) -> None:
    """Codes for rules that have none: the category's initials and the next number that is free in the whole file."""
    taken = {clause.id for area in areas for clause in area.clauses}
    uncoded = [area for area in areas if area.uncoded]
    letters = prefixes(area.id for area in uncoded)
    for area in uncoded:
        free = [id for number in range(1, 1000) if (id := f"{letters[area.id]}{number}") not in taken]
        if len(area.uncoded) > len(free):
            _, body, _ = area.uncoded[len(free)]
            what = f"rule {len(free) + 1} without a code in category {area.id!r}, and there are no more codes"
            raise mistake(body.file, body.line, what, "give rules codes such as W1, or divide the category")
        named = [
            _clause(id, title, style, area.id, body)
            for id, (style, body, title) in zip(free, area.uncoded, strict=False)
        ]
        area.clauses += named
        codes = f"{named[0].id} to {named[-1].id}" if len(named) > 1 else named[0].id
        remarks.append(f"category {area.id}: {len(named)} rules have no code, so they are {codes} now")


def _clause(code: str, title: str, style: Style, category: str, block: Block) -> Clause:
    body = read_body(block, code)
    stem, dot, letter = code.partition(".")
    id = f"{stem}{ord(letter) - ord('a') + 1:02}" if dot else code
    text, examples = body.text, body.examples
    if dot:
        text = "\n\n".join(filter(None, [f"Code in the source: {code}.", text]))
        if quoted := QUOTED.fullmatch(title):
            title, examples = quoted[1], (quoted[2], *examples)
    if not title:
        raise mistake(block.file, block.line, f"rule {code} has no condition", f"write `{code} <when it applies>`")
    return Clause(id, title, style, text, examples, body.exclusions, category, block.line)


def _no_headings(block: Block) -> str:
    """Text in which `###` headings are one deeper, as definitions hold no clauses."""
    before, parts = block.split(THIRD)
    return "\n".join([str(before), *(f"#### {match[1] or ''}".rstrip() + body.text for match, body in parts)]).strip(
        "\n"
    )


def _check(file: Path, areas: list[_Area]) -> None:
    ids: set[str] = set()
    places: dict[str, int] = {}
    for area in areas:
        if area.id in ids or area.id in RESERVED:
            raise mistake(file, area.line, f"category id {area.id!r} is taken", "give it another id")
        ids.add(area.id)
        if not area.clauses:
            what = f"category {area.id!r} has no rules"
            raise mistake(
                file, area.line, what, "write `### W1: ...` below `## VIOLATES` or `## SAFE`; is the file whole?"
            )
        for clause in area.clauses:
            if clause.id in places:
                what = f"code {clause.id} is already taken on line {places[clause.id]}"
                raise mistake(file, clause.line, what, "give one of the two another code")
            places[clause.id] = clause.line


def _version(head: Block, remarks: list[str]) -> tuple[str, str]:
    found = VERSION.match(head.text)
    if not found:
        remarks.append("no line `Version: ...` below the title: version 1 is written")
    intro = head.text[found.end() :] if found else head.text
    return (" ".join(found[1].split()) if found else "1"), re.sub(
        r"^( {0,3})\\(\\*#(?:[ \t]|$))", r"\1\2", intro.strip("\n"), flags=re.MULTILINE
    )


def _category(area: _Area, remarks: list[str]) -> Category:
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
