"""A folder of Markdown files -> Policy. The file formats are in docs/design.md.

Whatever is wrong or not understood is a UserError, `file:line: what; remedy`, so that no rule is lost in silence.
"""

import os
import re
from collections.abc import Sequence
from pathlib import Path

from deliberant.policy.markdown import Block, Section, clip, mistake, read_document, read_sections
from deliberant.policy.types import CLAUSE_ID, Category, Clause, Guideline, Policy
from deliberant.prompts.types import STYLES, Style
from deliberant.util.errors import UserError
from deliberant.util.names import nearest

FILES = ("policy.md", "rules.md", "styles.md", "categories")
BESIDE = ("README.md", "LICENSE")
"""What may stand beside a policy's own files; hidden files may, too."""
SECTIONS = ("Summary", "Compressed", "Definitions", "Clauses")
RESERVED = ("summaries", "rules", "styles")
"""Headings of the spec view, which no category may take for its id."""
HEADING_FORM = "write `### <when it applies> [ID] <style>`, e.g. `### weapon instructions [W1] refuse`"

LABEL = re.compile(r"^(?:(Examples|Exclusions):|(Why|Source):(?:[ \t]+(.*))?)$", re.MULTILINE)
BULLET = re.compile(r"^-(?=[ \t]|$)", re.MULTILINE)
NOT_INDENTED = re.compile(r"^(?!  ).+", re.MULTILINE)


def load_policy(path: str | Path) -> Policy:
    """Read a policy folder. Raises UserError (`file:line: what; remedy`) for the first mistake found."""
    root = Path(path)
    if not root.is_dir():
        raise mistake(root, 1, "not a policy folder", "name a folder with policy.md, styles.md and categories/")
    for entry in sorted(root.iterdir()):  # one that is misnamed would be a rule that nobody sees
        if not entry.name.startswith(".") and entry.name not in (*FILES, *BESIDE):
            what = f"unknown {'folder' if entry.is_dir() else 'file'} in a policy folder"
            raise mistake(entry, 1, what, f"{nearest(entry.name, FILES)}; or move it out of the policy")
    front, intro = read_document(root / "policy.md", keys=("name", "version"))
    categories = _load_categories(root / "categories")
    _, *sections = read_sections(read_document(root / "styles.md")[1], depth=2, named="Styles")
    styles = _read_guidelines(root / "styles.md", sections, [category.id for category in categories])
    rules = None
    if os.path.lexists(file := root / "rules.md"):  # a link to nothing is a mistake, and no lack of rules
        [(_, _, rules)] = read_sections(read_document(file)[1], depth=1, named="Rules")
        if not str(rules):
            raise mistake(file, rules.line, "no rules below the title", "write them, or delete the file")
    texts = front["name"], front["version"], str(intro)
    return Policy(*texts, styles, categories, str(rules or ""), (_line(intro), _line(rules)))


def outside_policies(path: Path) -> None:
    """UserError where what is to be written at `path` would lie in a policy's folder, which would load no more."""
    for folder in path.resolve().parents:
        if (folder / "styles.md").is_file() and (folder / "categories").is_dir():
            raise UserError(f"{path}: lies in the policy {folder}, which would load no more; name another place")


def _line(block: Block | None) -> int:
    """Where a text starts, 0 where there is none."""
    return block.first_line if block and str(block) else 0


def _load_categories(folder: Path) -> tuple[Category, ...]:
    if not folder.is_dir():
        raise mistake(folder, 1, "no such folder", "create it with one Markdown file per category")
    categories: list[Category] = []
    places: dict[str, str] = {}
    for file in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if file.name.startswith("."):
            continue
        if file.suffix != ".md":
            raise mistake(file, 1, "not a category file", "name it <category id>.md or move it out of categories/")
        categories.append(_load_category(file))
        ids = [("category", categories[-1].id, 2), *(("clause", each.id, each.line) for each in categories[-1].clauses)]
        for kind, id, line in ids:
            if id in places:
                what = f"{kind} id {id!r} is already taken at {places[id]}"
                raise mistake(file, line, what, "give one of the two another id")
            places[id] = f"{file}:{line}"
    if not categories:
        raise mistake(folder, 1, "no category files", "add one Markdown file per category, e.g. weapons.md")
    return tuple(categories)


def _load_category(file: Path) -> Category:
    front, body = read_document(file, keys=("id",))
    id = front["id"]
    # The id is a file name, a heading of the spec view and a word in styles.md.
    if not re.fullmatch(r"\w[\w-]*", id) or id in RESERVED:
        what = f"category id {clip(id)} cannot be used"
        raise mistake(file, 2, what, f"use letters, digits, `-` and `_`, but none of {', '.join(RESERVED)}")
    title, *sections = read_sections(body, depth=3)
    found: dict[str, Block] = {}
    clauses: list[Clause] = []
    for level, name, block in sections:
        if level == 3 and next(reversed(found), "") == "Clauses":
            clauses.append(_load_clause(name, block, id))
        elif level == 3:
            what = f"`###` heading {clip(name)} outside `## Clauses`"
            raise mistake(file, block.line, what, "move it below `## Clauses` or use `####`")
        elif name not in SECTIONS:
            raise mistake(file, block.line, f"unknown section {clip(name)}", nearest(name, SECTIONS))
        elif name in found:
            raise mistake(file, block.line, f"section {name!r} again (first on line {found[name].line})", "merge them")
        else:
            found[name] = block
    summary, compressed, definitions, rules = map(found.get, SECTIONS)
    line = body.first_line
    if not str(summary or ""):
        remedy = "write one short paragraph below `## Summary`"
        raise mistake(file, summary.line if summary else line, f"category {id!r} has no summary", remedy)
    if rules and str(rules):
        raise mistake(file, rules.first_line, "text in `## Clauses` above the first clause", HEADING_FORM)
    if not clauses:
        remedy = f"below `## Clauses` {HEADING_FORM}"
        raise mistake(file, rules.line if rules else line, f"category {id!r} has no clauses", remedy)
    if compressed and not str(compressed):
        remedy = "write the short form of the category, or delete it"
        raise mistake(file, compressed.line, "`## Compressed` is empty", remedy)
    texts = str(summary), str(definitions or ""), tuple(clauses), f"{file.parent.name}/{file.name}"
    lines = _line(summary), _line(definitions), _line(compressed)
    return Category(id, title.title, *texts, str(compressed or ""), lines)


def _load_clause(title: str, block: Block, category: str) -> Clause:
    """Text, then a reason, lists of examples and exclusions, and a source, in any order. UserError for what is none."""
    words = title.rsplit(maxsplit=2)
    if len(words) != 3 or not re.fullmatch(rf"\[{CLAUSE_ID}\]", words[1]):
        what = f"clause heading {clip(title)} lacks its condition, an id such as [W1] or a style"
        raise mistake(block.file, block.line, what, HEADING_FORM)
    style, id = _read_style(block.file, block.line, words[2]), words[1][1:-1]
    text, lists = block.split(LABEL)
    found: dict[str, list[tuple[str, int]]] = {"Why": [], "Examples": [], "Exclusions": [], "Source": []}
    for label, body in lists:
        name = label[1] or label[2]
        if found[name]:
            raise mistake(block.file, body.line, f"`{name}:` again in clause {id}", "merge the two")
        if label[1]:
            found[name] = _items(label[0], body)
        elif said := f"{label[3] or ''}{body.text}".strip():
            found[name] = [(said, body.line)]
        else:
            raise mistake(block.file, body.line, f"`{name}:` of clause {id} is empty", "fill it in or delete it")
    for said, line in found["Source"]:
        if "\n" in said:
            raise mistake(block.file, line, f"text below `Source:` of clause {id}", "move it above the lists")
    why, examples, exclusions, source = (tuple(text for text, _ in items) for items in found.values())
    lines = (text.first_line, *(line for name in ("Why", "Examples", "Exclusions") for _, line in found[name]))
    texts = str(text), examples, exclusions, category, "".join(why), "".join(source)
    return Clause(id, words[0], style, *texts, block.line, lines)


def _items(label: str, block: Block) -> list[tuple[str, int]]:
    before, bullets = block.split(BULLET)
    if str(before) or not bullets:
        line = before.first_line if str(before) else block.line
        raise mistake(block.file, line, f"`{label}` is not followed by a list", "write one `- ...` line for each")
    items = []
    for _, body in bullets:
        newline = body.text.find("\n")
        stray = NOT_INDENTED.search(body.text, newline) if newline >= 0 else None
        if stray:
            remedy = "start it with `- `, indent it by two spaces to continue the item, or move it above the lists"
            raise mistake(block.file, body.line_of(stray.start()), f"{clip(stray[0])} is no item of `{label}`", remedy)
        item = re.sub(r"^  ", "", body.text, flags=re.MULTILINE).strip()
        if not item:
            raise mistake(block.file, body.line, f"empty item in `{label}`", "fill it in or delete it")
        items.append((item, body.first_line))
    return items


def _read_guidelines(file: Path, sections: Sequence[Section], categories: Sequence[str]) -> tuple[Guideline, ...]:
    """One guideline for each section. UserError where one is repeated, or a style has none."""
    found: dict[tuple[Style, str | None], Guideline] = {}
    for _, title, block in sections:
        line = block.line
        name, colon, topic = (part.strip() for part in title.partition(":"))
        style = _read_style(file, line, name)
        key = style, topic if colon else None
        if key in found:
            raise mistake(file, line, f"{title!r} again (first above line {found[key].line})", "merge the two")
        if colon and style != "safe_complete":
            raise mistake(file, line, f"{style} for one category", "only safe_complete has topic-specific guidelines")
        if colon and topic not in categories:
            raise mistake(file, line, f"guideline for unknown category {clip(topic)}", nearest(topic, categories))
        if not str(block):
            raise mistake(file, line, f"guideline {title!r} is empty", "say below it how to answer in that style")
        found[key] = Guideline(style, str(block), key[1], block.first_line)
    for style in STYLES:
        if (style, None) not in found:
            raise mistake(file, 1, f"no guideline for {style}", f"add `## {style}` with how to answer in that style")
    return tuple(found.values())


def _read_style(file: Path, line: int, word: str) -> Style:
    """The style that a word names; UserError names the nearest."""
    for style in STYLES:
        if word == style:
            return style
    raise mistake(file, line, f"unknown style {clip(word)}", nearest(word, STYLES))
