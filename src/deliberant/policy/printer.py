"""A policy as its canonical Markdown files: what is hashed, and what a run keeps a copy of."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from deliberant.policy.types import Category, Clause, Guideline, Policy


def print_policy(policy: Policy) -> dict[str, str]:
    """File name (relative, "/" separated) -> Markdown, in reading order. Loading these files gives `policy` back."""
    intro = policy.intro and f"\n{policy.intro}\n"
    files = {"policy.md": front_matter(name=policy.name, version=policy.version) + intro}
    if policy.rules:
        files["rules.md"] = f"# Rules\n\n{policy.rules}\n"
    files["styles.md"] = "\n\n".join(["# Styles", *map(guideline_section, policy.styles)]) + "\n"
    for category in policy.categories:
        files[category.file] = _category(category)
    return files


def write_files(files: Mapping[str, str], folder: Path) -> None:
    """Write what `print_policy` gives below a folder."""
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(text.encode())


def clause_heading(clause: Clause) -> str:
    """`### <title> [ID] style`, in files and in views."""
    return f"### {clause.title} [{clause.id}] {clause.style}"


def clause_parts(clause: Clause, source: bool = False) -> list[str]:
    """The parts of the body that are there: text, reason, examples, exclusions; and the source, for files alone."""
    why = clause.why and ("Why:\n" if "\n" in clause.why else "Why: ") + clause.why  # a fence needs its own line
    parts = [clause.text, why, _listing("Examples", clause.examples), _listing("Exclusions", clause.exclusions)]
    if source and clause.source:
        parts.append(f"Source: {clause.source}")
    return [part for part in parts if part]


def _category(category: Category) -> str:
    blocks = [f"# {category.title}", f"## Summary\n{category.summary}"]
    if category.compressed:
        blocks.append(f"## Compressed\n{category.compressed}")
    if category.definitions:
        blocks.append(f"## Definitions\n{category.definitions}")
    blocks.append("## Clauses")
    for clause in category.clauses:
        blocks.append("\n".join([clause_heading(clause), "\n\n".join(clause_parts(clause, source=True))]).rstrip("\n"))
    return front_matter(id=category.id) + "\n\n".join(blocks) + "\n"


def guideline_section(guideline: Guideline) -> str:
    """`## refuse` or `## safe_complete: <category id>`, and the text below it."""
    topic = f": {guideline.category}" if guideline.category else ""
    return f"## {guideline.style}{topic}\n{guideline.text}"


def front_matter(**values: Any) -> str:
    """Its lines, with the `---` around them."""
    # An endless width: yaml would fold long values, and folding does not keep every run of spaces.
    return f"---\n{yaml.safe_dump(values, sort_keys=False, allow_unicode=True, width=float('inf'))}---\n"


def _listing(label: str, items: Sequence[str]) -> str:
    if not items:
        return ""
    return "\n".join([f"{label}:", *("- " + re.sub(r"\n(?!\n)", "\n  ", item) for item in items)])
