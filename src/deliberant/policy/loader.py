"""A folder of Markdown files -> Policy. The file formats are in docs/design.md.

Policies are users' writing: whatever is wrong is a UserError that says `file:line: what; remedy`, and whatever is not
understood is an error too, so that no rule is ever lost in silence.
"""

import os
import re
from pathlib import Path

from deliberant.policy.markdown import NOTHING, Block, clip, error_at, read_document, read_sections
from deliberant.policy.parts import read_body, read_guidelines, read_style
from deliberant.policy.types import CLAUSE_ID, Category, Clause, Policy
from deliberant.prompts.types import STYLES
from deliberant.util.errors import UserError
from deliberant.util.names import suggest_name

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
        raise error_at(root, 1, "not a policy folder", "name a folder with policy.md, styles.md and categories/")
    _check_names(root)
    front, intro = read_document(root / "policy.md", keys=("name", "version"))
    categories = _load_categories(root / "categories")
    _, *sections = read_sections(read_document(root / "styles.md")[1], depth=2, named="Styles")
    styles = read_guidelines(root / "styles.md", sections, [category.id for category in categories])
    rules = _load_rules(root / "rules.md")
    name, version = front["name"].text, front["version"].text
    return Policy(name, version, str(intro), styles, categories, str(rules), (intro.first_line, rules.first_line))


def refuse_policy_folder(path: Path) -> None:
    """UserError where what is to be written at `path` would lie in a policy's folder, which would load no more."""
    for folder in path.resolve().parents:
        if (folder / "styles.md").is_file() and (folder / "categories").is_dir():
            raise UserError(f"{path}: lies in the policy {folder}, which would load no more; name another place")


def _check_names(root: Path) -> None:
    """A file that is misnamed would be a rule that nobody sees."""
    for entry in sorted(root.iterdir(), key=lambda entry: entry.name):
        if not entry.name.startswith(".") and entry.name not in (*FILES, *BESIDE):
            kind = "folder" if entry.is_dir() else "file"
            remedy = f"{suggest_name(entry.name, FILES)}; or move it out of the policy"
            raise error_at(entry, 1, f"unknown {kind} in a policy folder", remedy)


def _load_rules(file: Path) -> Block:
    if not os.path.lexists(file):  # a link to nothing is a mistake, and no rules
        return NOTHING
    [page] = read_sections(read_document(file)[1], depth=1, named="Rules")
    if not str(page.body):
        raise page.body.mistake("no rules below the title", "write them, or delete the file")
    return page.body


def _load_categories(folder: Path) -> tuple[Category, ...]:
    if not folder.is_dir():
        raise error_at(folder, 1, "no such folder", "create it with one Markdown file per category")
    categories: list[Category] = []
    places: dict[str, str] = {}
    for file in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if file.name.startswith("."):
            continue
        if file.suffix != ".md":
            raise error_at(file, 1, "not a category file", "name it <category id>.md or move it out of categories/")
        category, id_line = _load_category(file)
        named = [(f"category id {category.id!r}", id_line)]
        for name, line in [*named, *((f"clause id {clause.id!r}", clause.line) for clause in category.clauses)]:
            if name in places:
                what = f"{name} is already taken at {places[name]}"
                raise error_at(file, line, what, "give one of the two another id")
            places[name] = f"{file}:{line}"
        categories.append(category)
    if not categories:
        raise error_at(folder, 1, "no category files", "add one Markdown file per category, e.g. weapons.md")
    return tuple(categories)


def _load_category(file: Path) -> tuple[Category, int]:
    front, body = read_document(file, keys=("id",))
    id, id_line = front["id"]
    # The id is a file name, a heading of the spec view and a word in styles.md.
    if not re.fullmatch(r"\w[\w-]*", id) or id in RESERVED:
        what = f"category id {clip(id)} cannot be used"
        raise error_at(file, id_line, what, f"use letters, digits, `-` and `_`, but none of {', '.join(RESERVED)}")
    title, *sections = read_sections(body, depth=3)
    blocks: dict[str, Block] = {}
    clauses: list[Clause] = []
    for level, name, block in sections:
        if level == 3 and next(reversed(blocks), "") == "Clauses":
            clauses.append(_load_clause(name, block, id))
        elif level == 3:
            what = f"`###` heading {clip(name)} outside `## Clauses`"
            raise block.mistake(what, "move it below `## Clauses` or use `####`")
        elif name not in SECTIONS:
            raise block.mistake(f"unknown section {clip(name)}", suggest_name(name, SECTIONS))
        elif name in blocks:
            raise block.mistake(f"section {name!r} again (first on line {blocks[name].line})", "merge the two")
        else:
            blocks[name] = block
    summary, compressed, definitions, rules = (blocks.get(name, NOTHING) for name in SECTIONS)
    if not str(summary):
        where, what = blocks.get("Summary", title.body), f"category {id!r} has no summary"
        raise where.mistake(what, "write one short paragraph below `## Summary`")
    if str(rules):
        raise rules.mistake("text in `## Clauses` above the first clause", HEADING_FORM, rules.first_line)
    if not clauses:
        where, what = blocks.get("Clauses", title.body), f"category {id!r} has no clauses"
        raise where.mistake(what, f"below `## Clauses` {HEADING_FORM}")
    if "Compressed" in blocks and not str(compressed):
        raise compressed.mistake("`## Compressed` is empty", "write the short form of the category, or delete it")
    texts = str(summary), str(definitions), tuple(clauses), f"{file.parent.name}/{file.name}", str(compressed)
    lines = summary.first_line, definitions.first_line, compressed.first_line
    return Category(id, title.title, *texts, lines), id_line


def _load_clause(title: str, block: Block, category: str) -> Clause:
    words = title.rsplit(maxsplit=2)
    if len(words) != 3 or not re.fullmatch(rf"\[{CLAUSE_ID}\]", words[1]):
        lacks = "an id such as [W1] before its style"
        if re.search(rf"\[{CLAUSE_ID}\]$", title):
            lacks = f"a style ({', '.join(STYLES)}) after its id"
        elif len(words) < 3:
            lacks = "its condition, an id such as [W1] or a style"
        raise block.mistake(f"clause heading {clip(title)} lacks {lacks}", HEADING_FORM)
    style = read_style(words[2], block)
    return read_body(block, Clause(words[1][1:-1], words[0], style, category=category, line=block.line))
