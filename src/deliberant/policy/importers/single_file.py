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
(bulleted or numbered), get one, as do those whose code makes no id (SP10.a: ids have three digits); `- W2: bombs` is
W2. Sections may be lines in capitals or bold (`headings`). Below a title with a grade, such as `Likely spam (SP2 -
medium confidence)`, lines `Output: VALID` or `Output: INVALID` are a label (`labels`). Text that is no rule is kept:
in the definitions, with what a label's title says beside its style; other `#` sections in rules.md.
"""

import re
from dataclasses import replace
from itertools import groupby
from pathlib import Path

from deliberant.policy.importers.areas import Area, category_of, number_rules, read_area
from deliberant.policy.importers.headings import with_headings
from deliberant.policy.importers.labels import label_style, section_style
from deliberant.policy.importers.types import GUIDELINES, WRITTEN, Count, Imported
from deliberant.policy.loader import RESERVED
from deliberant.policy.markdown import Block, Section, clip, heading, mistake, read_document
from deliberant.policy.parts import read_guidelines
from deliberant.policy.printer import clause_file_parts, guideline_section
from deliberant.policy.types import Category, Policy
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
                blocks += [f"### {clause.id}: {clause.title}", *clause_file_parts(clause)]
    return "\n\n".join(block for block in blocks if block) + "\n"


def import_single_file(file: Path) -> Imported:
    """The policy, with counts of categories and rules.

    UserError with file and line: not UTF-8, a fence that is never closed, no title, a rule without a code or a category
    without rules (a file cut short), a code given twice, text where none belongs. Listed as warnings: labels
    without a rule below them, and lists that may be rules, but became none.
    """
    document, remark = with_headings(read_document(file)[1], file.stem)
    before, parts = document.split(TOP)
    if str(before) or not parts or not heading(parts[0][0]):
        raise mistake(file, document.first_line, "another beginning than a title", "write `# <name>` first")
    (first, head), *others = parts
    name = heading(first)
    remarks: list[str] = [remark] if remark else []
    warnings: list[str] = []
    areas: list[Area] = []
    intro = head
    if not any(heading(match).startswith("CATEGORY ") for match, _ in others):
        intro, sections = head.split(SECOND)
        areas.append(read_area(Area(_slug(name), name, max(1, head.line)), sections))
    else:
        warnings += _labels(name, head, "policy.md")
    rules: list[str] = []
    styles = None
    for match, body in others:
        title = heading(match)
        if named := re.fullmatch(r"CATEGORY (\w[\w-]*):\s*(\S.*)", title):
            inner, below = body.split(SECOND)
            if str(inner):
                raise mistake(
                    file, inner.first_line, "text between category and first section", "move it into a section"
                )
            areas.append(read_area(Area(named[1], named[2], body.line), below))
        elif title == "STYLES":
            styles = body
        elif title.startswith("CATEGORY "):
            what = f"{clip(title)} names no category"
            raise mistake(file, body.line, what, "write `# CATEGORY <id>: <title>`; an id has letters, digits, - and _")
        elif label_style(title):
            raise mistake(file, body.line, f"label {clip(title)} is no part of a category", "write it with `##`")
        elif title == "RULES":
            rules.insert(0, str(body))
        elif title != "INSTRUCTIONS" or str(body) != INSTRUCTIONS:
            rules.append(f"{f'## {title}'.strip()}\n\n{body}".strip())
            remarks.append(f"line {body.line}: section {title!r} is kept in rules.md")
            warnings += _labels(title, body, "rules.md")
    number_rules(areas, remarks)
    _check(file, areas)
    version, text = _version(intro, remarks)
    guidelines = GUIDELINES
    if styles is not None:
        stray, found = styles.split(SECOND)
        if str(stray):
            raise mistake(file, stray.first_line, "text between `# STYLES` and the first style", "move it below one")
        shown = [Section(2, heading(match), body) for match, body in found]
        guidelines = read_guidelines(file, shown, [area.id for area in areas])
    else:
        remarks.append(WRITTEN)
    categories = _in_order([category_of(area, remarks) for area in areas])
    policy = Policy(name, version, text, guidelines, categories, "\n\n".join(filter(None, rules)))
    counts = (
        Count("categories", len(areas), len(categories)),
        Count("rules", sum(area.found for area in areas), sum(len(category.clauses) for category in categories)),
    )
    return Imported(policy, counts, tuple(remarks), (*warnings, *(each for area in areas for each in area.warnings)))


def _labels(title: str, body: Block, place: str) -> list[str]:
    """A warning where a part of the file that is no category has labels."""
    if not any(section_style(heading(match), text.mask) for match, text in body.split(SECOND)[1]):
        return []
    what = f"section {clip(title)} has labels of its own, but is kept in {place}"
    return [f"{body.file}:{max(1, body.line)}: {what}; write `# CATEGORY {_slug(title)}: ...` for a category"]


def _slug(name: str) -> str:
    return re.sub(r"\W+", "-", name.lower()).strip("-") or "policy"


def _in_order(categories: list[Category]) -> tuple[Category, ...]:
    """A loaded policy has its categories in the order of their files: numbered ones where ids do not sort so."""
    if [each.file for each in categories] != sorted(each.file for each in categories):
        width = len(str(len(categories)))
        numbered = enumerate(categories, start=1)
        categories = [replace(each, path=f"categories/{place:0{width}}-{each.id}.md") for place, each in numbered]
    return tuple(categories)


def _check(file: Path, areas: list[Area]) -> None:
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
