"""What several of a policy's files are made of: clause bodies, lists of examples, style guidelines.

The folder's loader and the importers read these from a Block, which knows its file and line.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from deliberant.policy.markdown import Block, Section, clip, mistake
from deliberant.policy.types import Clause, Guideline
from deliberant.prompts.types import STYLES, Style
from deliberant.util.names import nearest

LABEL = re.compile(r"^(?:(Examples|Exclusions):|(Why|Source):(?:[ \t]+(.*))?)$", re.MULTILINE)
BULLET = re.compile(r"^-(?=[ \t]|$)", re.MULTILINE)
NOT_INDENTED = re.compile(r"^(?!  ).+", re.MULTILINE)


def read_body(block: Block, clause: Clause) -> Clause:
    """A clause with what stands below its heading: text, then a reason, lists of examples and exclusions, and a source,
    in any order. UserError for what is none.
    """
    text, lists = block.split(LABEL)
    found: dict[str, list[tuple[str, int]]] = {"Why": [], "Examples": [], "Exclusions": [], "Source": []}
    for label, body in lists:
        name = label[1] or label[2]
        if found[name]:
            raise mistake(block.file, body.line, f"`{name}:` again in clause {clause.id}", "merge the two")
        if label[1]:
            found[name] = _items(label[0], body)
        elif said := f"{label[3] or ''}{body.text}".strip():
            found[name] = [(said, body.line)]
        else:
            raise mistake(block.file, body.line, f"`{name}:` of clause {clause.id} is empty", "fill it in or delete it")
    for said, line in found["Source"]:
        if "\n" in said:
            raise mistake(block.file, line, f"text below `Source:` of clause {clause.id}", "move it above the lists")
    why, examples, exclusions, source = (tuple(text for text, _ in items) for items in found.values())
    lines = (text.first_line, *(line for name in ("Why", "Examples", "Exclusions") for _, line in found[name]))
    lists_of: dict[str, Any] = {"examples": examples, "exclusions": exclusions, "lines": lines}
    return replace(clause, text=str(text), why="".join(why), source="".join(source), **lists_of)


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


def read_guidelines(file: Path, sections: Sequence[Section], categories: Sequence[str]) -> tuple[Guideline, ...]:
    """One guideline for each section. UserError where one is repeated, or a style has none."""
    found: dict[tuple[Style, str | None], Guideline] = {}
    for _, title, block in sections:
        line = block.line
        name, colon, topic = (part.strip() for part in title.partition(":"))
        style = read_style(file, line, name)
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


def read_style(file: Path, line: int, word: str) -> Style:
    """The style that a word names; UserError names the nearest."""
    for style in STYLES:
        if word == style:
            return style
    raise mistake(file, line, f"unknown style {clip(word)}", nearest(word, STYLES))
