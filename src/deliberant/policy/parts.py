"""What several of a policy's files are made of: clause bodies, lists of examples, style guidelines.

The folder's loader and the importers read these from a Block, which knows its file and line.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from deliberant.policy.markdown import Block, Section, clip, error_at
from deliberant.policy.types import Clause, Guideline
from deliberant.prompts.types import STYLES, Style
from deliberant.util.names import suggest_name

LABEL = re.compile(r"^(?:(Examples|Exclusions):|(Why|Source):(?:[ \t]+(.*))?)$", re.MULTILINE)
BULLET = re.compile(r"^-(?=[ \t]|$)", re.MULTILINE)
NOT_INDENTED = re.compile(r"^(?!  ).+", re.MULTILINE)


def read_body(block: Block, clause: Clause) -> Clause:
    """A clause with what stands below its heading: text, then a reason, lists of examples and exclusions, and a source,
    in any order. UserError for anything else.
    """
    text, lists = block.split(LABEL)
    parts = {name: list[tuple[str, int]]() for name in ("Why", "Examples", "Exclusions", "Source")}
    for label, body in lists:
        name = label[1] or label[2]
        if parts[name]:
            raise body.mistake(f"`{name}:` again in clause {clause.id}", "merge the two")
        if label[1]:
            parts[name] = _items(label[0], body)
        elif said := f"{label[3] or ''}{body.text}".strip():
            parts[name] = [(said, body.line)]
        else:
            raise body.mistake(f"`{name}:` of clause {clause.id} is empty", "fill it in or delete it")
    for said, line in parts["Source"]:
        if "\n" in said:
            raise block.mistake(f"text below `Source:` of clause {clause.id}", "move it above the lists", line)
    why, examples, exclusions, source = (tuple(text for text, _ in items) for items in parts.values())
    lines = (text.first_line, *(line for name in ("Why", "Examples", "Exclusions") for _, line in parts[name]))
    lists_of: dict[str, Any] = {"examples": examples, "exclusions": exclusions, "lines": lines}
    return replace(clause, text=str(text), why="".join(why), source="".join(source), **lists_of)


def _items(label: str, block: Block) -> list[tuple[str, int]]:
    before, bullets = block.split(BULLET)
    if str(before) or not bullets:
        what = f"`{label}` is not followed by a list"
        raise block.mistake(what, "write one `- ...` line for each", before.first_line)
    items = []
    for _, body in bullets:
        newline = body.text.find("\n")
        stray = NOT_INDENTED.search(body.text, newline) if newline >= 0 else None
        if stray:
            remedy = "start it with `- `, indent it by two spaces to continue the item, or move it above the lists"
            raise body.mistake(f"{clip(stray[0])} is no item of `{label}`", remedy, body.line_of(stray.start()))
        item = re.sub(r"^  ", "", body.text, flags=re.MULTILINE).strip()
        if not item:
            raise body.mistake(f"empty item in `{label}`", "fill it in or delete it")
        items.append((item, body.first_line))
    return items


def read_guidelines(file: Path, sections: Sequence[Section], categories: Sequence[str]) -> tuple[Guideline, ...]:
    """One guideline for each section. UserError where one is repeated, or a style has none."""
    guidelines: dict[tuple[Style, str | None], Guideline] = {}
    for _, title, block in sections:
        name, colon, topic = (part.strip() for part in title.partition(":"))
        style = read_style(name, block)
        key = style, topic if colon else None
        if key in guidelines:
            raise block.mistake(f"{title!r} again (first above line {guidelines[key].line})", "merge the two")
        if colon and style != "safe_complete":
            raise block.mistake(f"{style} for one category", "only safe_complete has topic-specific guidelines")
        if colon and topic not in categories:
            raise block.mistake(f"guideline for unknown category {clip(topic)}", suggest_name(topic, categories))
        if not str(block):
            raise block.mistake(f"guideline {title!r} is empty", "say below it how to answer in that style")
        guidelines[key] = Guideline(style, str(block), key[1], block.first_line)
    for style in STYLES:
        if (style, None) not in guidelines:
            raise error_at(file, 1, f"no guideline for {style}", f"add `## {style}` with how to answer in that style")
    return tuple(guidelines.values())


def read_style(word: str, block: Block) -> Style:
    """The style that a word of a block's heading names; UserError names the nearest."""
    for style in STYLES:
        if word == style:
            return style
    raise block.mistake(f"unknown style {clip(word)}", suggest_name(word, STYLES))
