"""A folder of Markdown files -> Policy. The file formats are in docs/design.md.

Policies are users' writing: whatever is wrong is a UserError that says `file:line: what; remedy`, and whatever is not
understood is an error too, so that no rule is ever lost in silence.
"""

import os
import re
from collections.abc import Sequence
from pathlib import Path

from deliberant.policy.markdown import Block, Section, clip, mistake, read_document, read_page, read_sections
from deliberant.policy.parts import read_body, read_guidelines, read_style
from deliberant.policy.types import CLAUSE_ID, Category, Clause, Guideline, Policy
from deliberant.util.errors import UserError
from deliberant.util.names import nearest

FILES = ("policy.md", "rules.md", "styles.md", "categories")
BESIDE = ("README.md", "LICENSE")
"""What may stand beside a policy's own files; hidden files may, too."""
SECTIONS = ("Summary", "Compressed", "Definitions", "Clauses")
RESERVED = ("summaries", "rules", "styles")
"""Headings of the spec view, which no category may take for its id."""
HEADING_FORM = "write `### <when it applies> [ID] <style>`, e.g. `### weapon instructions [W1] refuse`"


def load_policy(path: str | Path) -> Policy:
    """Read a policy folder. Raises UserError (`file:line: what; remedy`) for the first mistake found."""
    root = Path(path)
    if not root.is_dir():
        raise mistake(root, 1, "not a policy folder", "name a folder with policy.md, styles.md and categories/")
    _check_names(root)
    front, intro = read_document(root / "policy.md", keys=("name", "version"))
    categories = _load_categories(root / "categories")
    styles = _load_styles(root / "styles.md", [category.id for category in categories])
    rules = _load_rules(root / "rules.md")
    name, version = front["name"].text, front["version"].text
    lines = (_line(intro), _line(rules))
    return Policy(name, version, str(intro), styles, categories, str(rules or ""), lines)


def outside_policies(path: Path) -> None:
    """UserError where what is to be written at `path` would lie in a policy's folder, which would load no more."""
    for folder in path.resolve().parents:
        if (folder / "styles.md").is_file() and (folder / "categories").is_dir():
            raise UserError(f"{path}: lies in the policy {folder}, which would load no more; name another place")


def _check_names(root: Path) -> None:
    """A file that is misnamed would be a rule that nobody sees."""
    for entry in sorted(root.iterdir(), key=lambda entry: entry.name):
        if not entry.name.startswith(".") and entry.name not in (*FILES, *BESIDE):
            kind = "folder" if entry.is_dir() else "file"
            remedy = f"{nearest(entry.name, FILES)}; or move it out of the policy"
            raise mistake(entry, 1, f"unknown {kind} in a policy folder", remedy)


def _load_rules(file: Path) -> Block | None:
    if not os.path.lexists(file):  # a link to nothing is a mistake, and no rules
        return None
    _, page = read_document(file)
    body = read_page(page, "Rules")
    if not str(body):
        raise mistake(file, body.line, "no rules below the title", "write them, or delete the file")
    return body


def _line(block: Block | None) -> int:
    """Where a text starts, 0 where there is none."""
    return block.first_line if block and str(block) else 0


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
    if not re.fullmatch(r"\w[\w-]*", id) or id in RESERVED:
        what = f"category id {clip(id)} cannot be used"
        raise mistake(file, id_line, what, f"use letters, digits, `-` and `_`, but none of {', '.join(RESERVED)}")
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
    texts = {name: found[name].body if name in found else None for name in SECTIONS[:3]}
    if texts["Compressed"] and not str(texts["Compressed"]):
        line = texts["Compressed"].line
        raise mistake(file, line, "`## Compressed` is empty", "write the short form of the category, or delete it")
    summary, definitions, compressed = (texts[name] for name in ("Summary", "Definitions", "Compressed"))
    category = Category(
        id,
        title,
        str(summary),
        str(definitions or ""),
        tuple(clauses),
        f"{file.parent.name}/{file.name}",
        str(compressed or ""),
        (_line(summary), _line(definitions), _line(compressed)),
    )
    return category, id_line


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
    id = words[1][1:-1]
    style, body = read_style(file, line, words[2]), read_body(section.body, id)
    shown, excluded = body.examples, body.exclusions
    return Clause(id, words[0], style, body.text, shown, excluded, category, body.why, body.source, line, body.lines)


def _load_styles(file: Path, categories: Sequence[str]) -> tuple[Guideline, ...]:
    _, body = read_document(file)
    title, sections = read_sections(body, depth=2)
    if title != "Styles":
        raise mistake(file, body.first_line, f"title {clip(title)}", "write `# Styles`")
    return read_guidelines(file, sections, categories)
