"""A folder of Markdown files -> Policy. The file formats are in docs/design.md.

Policies are users' writing: whatever is wrong is a UserError that says `file:line: what; remedy`, and whatever is not
understood is an error too, so that no rule is ever lost in silence.
"""

import re
from collections.abc import Sequence
from pathlib import Path

from deliberant.names import nearest
from deliberant.policy.markdown import Block, Section, clip, mistake, read_document, read_sections
from deliberant.policy.types import CLAUSE_ID, Category, Clause, Guideline, Policy
from deliberant.prompts.types import STYLES, Style

SECTIONS = ("Summary", "Definitions", "Clauses")
LABEL = re.compile(r"^(Examples|Exclusions):$", re.MULTILINE)
BULLET = re.compile(r"^-(?=[ \t]|$)", re.MULTILINE)
NOT_INDENTED = re.compile(r"^(?!  ).+", re.MULTILINE)
HEADING_FORM = "write `### <when it applies> [ID] <style>`, e.g. `### weapon instructions [W1] refuse`"


def load_policy(path: str | Path) -> Policy:
    """Read a policy folder. Raises UserError (`file:line: what; remedy`) for the first mistake found."""
    root = Path(path)
    if not root.is_dir():
        raise mistake(root, 1, "not a policy folder", "name a folder with policy.md, styles.md and categories/")
    front, intro = read_document(root / "policy.md", keys=("name", "version"))
    categories = _load_categories(root / "categories")
    styles = _load_styles(root / "styles.md", [category.id for category in categories])
    return Policy(front["name"].text, front["version"].text, str(intro), styles, categories)


def _load_categories(folder: Path) -> tuple[Category, ...]:
    if not folder.is_dir():
        raise mistake(folder, 1, "no such folder", "create it with one Markdown file per category")
    categories: list[Category] = []
    ids: dict[str, str] = {}
    clauses: dict[str, str] = {}
    for file in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if file.name.startswith("."):
            continue
        if file.suffix != ".md":
            raise mistake(file, 1, "not a category file", "name it <category id>.md or move it out of categories/")
        category, id_line = _load_category(file)
        _claim(ids, category.id, file, id_line, "category id")
        for clause in category.clauses:
            _claim(clauses, clause.id, file, clause.line, "clause id")
        categories.append(category)
    if not categories:
        raise mistake(folder, 1, "no category files", "add one Markdown file per category, e.g. weapons.md")
    return tuple(categories)


def _claim(places: dict[str, str], id: str, file: Path, line: int, kind: str) -> None:
    if id in places:
        raise mistake(file, line, f"{kind} {id!r} is already taken at {places[id]}", "give one of the two another id")
    places[id] = f"{file}:{line}"


def _load_category(file: Path) -> tuple[Category, int]:
    front, body = read_document(file, keys=("id",))
    id, id_line = front["id"]
    # The id is a file name, a heading of the spec view and a word in styles.md.
    if not re.fullmatch(r"\w[\w-]*", id) or id in ("summaries", "styles"):
        what = f"category id {clip(id)} can not be used"
        raise mistake(file, id_line, what, "use letters, digits, `-` and `_`, but not `summaries` or `styles`")
    title, sections = read_sections(body, depth=3)
    found: dict[str, Section] = {}
    clauses: list[Clause] = []
    name = ""
    for section in sections:
        if section.level == 2:
            name = section.title
            _open_section(found, section)
        elif name == "Clauses":
            clauses.append(_load_clause(section, id))
        else:
            what = f"`###` heading {clip(section.title)} outside `## Clauses`"
            raise mistake(file, section.body.line, what, "move it below `## Clauses` or use `####`")
    if "Summary" not in found or not str(found["Summary"].body):
        line = found["Summary"].body.line if "Summary" in found else body.first_line
        raise mistake(file, line, f"category {id!r} has no summary", "write one short paragraph below `## Summary`")
    if "Clauses" in found and str(found["Clauses"].body):
        line = found["Clauses"].body.first_line
        raise mistake(file, line, "text in `## Clauses` above the first clause", HEADING_FORM)
    if not clauses:
        line = found["Clauses"].body.line if "Clauses" in found else body.first_line
        raise mistake(file, line, f"category {id!r} has no clauses", f"below `## Clauses` {HEADING_FORM}")
    definitions = str(found["Definitions"].body) if "Definitions" in found else ""
    path = f"{file.parent.name}/{file.name}"
    return Category(id, title, str(found["Summary"].body), definitions, tuple(clauses), path), id_line


def _open_section(found: dict[str, Section], section: Section) -> None:
    file, line = section.body.file, section.body.line
    if section.title not in SECTIONS:
        raise mistake(file, line, f"unknown section {clip(section.title)}", nearest(section.title, SECTIONS))
    if section.title in found:
        what = f"section {section.title!r} again (first on line {found[section.title].body.line})"
        raise mistake(file, line, what, "merge the two")
    found[section.title] = section


def _load_clause(section: Section, category: str) -> Clause:
    file, line = section.body.file, section.body.line
    words = section.title.rsplit(maxsplit=2)
    if len(words) != 3 or not re.fullmatch(rf"\[{CLAUSE_ID}\]", words[1]):
        what = f"clause heading {clip(section.title)} lacks its condition, an id such as [W1] or a style"
        raise mistake(file, line, what, HEADING_FORM)
    title, id, style = words[0], words[1][1:-1], _style(file, line, words[2])
    text, lists = section.body.split(LABEL)
    items: dict[str, tuple[str, ...]] = {}
    for label, body in lists:
        if label[1] in items:
            raise mistake(file, body.line, f"`{label[0]}` again in clause {id}", "merge the two lists")
        items[label[1]] = _load_items(label[0], body)
    examples, exclusions = items.get("Examples", ()), items.get("Exclusions", ())
    return Clause(id, title, style, str(text), examples, exclusions, category, line)


def _load_items(label: str, block: Block) -> tuple[str, ...]:
    before, bullets = block.split(BULLET)
    if str(before) or not bullets:
        line = before.first_line if str(before) else block.line
        raise mistake(block.file, line, f"`{label}` is not followed by a list", "write one `- ...` line for each")
    items = []
    for _, body in bullets:
        newline = body.text.find("\n")
        stray = NOT_INDENTED.search(body.text, newline) if newline >= 0 else None
        if stray:
            line = body.line + body.text.count("\n", 0, stray.start())
            remedy = "start it with `- `, indent it by two spaces to continue the item, or move it above the lists"
            raise mistake(block.file, line, f"{clip(stray[0])} is no item of `{label}`", remedy)
        item = re.sub(r"^  ", "", body.text, flags=re.MULTILINE).strip()
        if not item:
            raise mistake(block.file, body.line, f"empty item in `{label}`", "fill it in or delete it")
        items.append(item)
    return tuple(items)


def _load_styles(file: Path, categories: Sequence[str]) -> tuple[Guideline, ...]:
    _, body = read_document(file)
    title, sections = read_sections(body, depth=2)
    if title != "Styles":
        raise mistake(file, body.first_line, f"title {clip(title)}", "write `# Styles`")
    places: dict[tuple[Style, str | None], int] = {}
    guidelines: list[Guideline] = []
    for section in sections:
        guideline, line = _load_guideline(section, categories), section.body.line
        key = guideline.style, guideline.category
        if key in places:
            raise mistake(file, line, f"{section.title!r} again (first on line {places[key]})", "merge the two")
        places[key] = line
        guidelines.append(guideline)
    for style in STYLES:
        if (style, None) not in places:
            raise mistake(file, 1, f"no guideline for {style}", f"add `## {style}` with how to answer in that style")
    return tuple(guidelines)


def _load_guideline(section: Section, categories: Sequence[str]) -> Guideline:
    file, line, text = section.body.file, section.body.line, str(section.body)
    name, colon, topic = (part.strip() for part in section.title.partition(":"))
    style = _style(file, line, name)
    if colon and style != "safe_complete":
        raise mistake(file, line, f"{style} for one category", "only safe_complete has topic-specific guidelines")
    if colon and topic not in categories:
        raise mistake(file, line, f"guideline for unknown category {clip(topic)}", nearest(topic, categories))
    if not text:
        raise mistake(file, line, f"guideline {section.title!r} is empty", "say below it how to answer in that style")
    return Guideline(style, text, topic if colon else None)


def _style(file: Path, line: int, word: str) -> Style:
    for style in STYLES:
        if word == style:
            return style
    raise mistake(file, line, f"unknown style {clip(word)}", nearest(word, STYLES))
