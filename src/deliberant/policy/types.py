"""What a policy is made of: style guidelines, and categories of coded clauses (paper 2.2, figures 9 and 10).

The paper keeps conditions, definitions, examples and exclusions in one document per category; here each clause also
carries its response style, so that a judge, a reward and a metric can read which style a clause asks for. Where things
stand (`path`, `line`, `lines`; 0 when not read from a file) is no part of equality, nor of a policy's hash.
A policy's canonical Markdown files are what is hashed, and what a run keeps a copy of.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any

import yaml

from deliberant.prompts.types import Style
from deliberant.util.errors import UserError
from deliberant.util.names import suggest_name

CLAUSE_ID = "[A-Z]{1,4}[0-9]{1,3}"
CITATION = re.compile(rf"\[({CLAUSE_ID})\]")


def find_citations(text: str) -> list[str]:
    """Clause ids in square brackets in order of appearance, repeats included, whether or not such a clause exists.

    The paper asks for citations by section and reads them back with a model (4.2); coded ids can be read exactly.
    """
    return CITATION.findall(text)


@dataclass(frozen=True)
class Guideline:
    """How to answer in one response style; `category` is set where it holds for that topic alone."""

    style: Style
    text: str
    category: str | None = None
    line: int = field(default=0, compare=False)


@dataclass(frozen=True)
class Clause:
    """One rule: when `title` holds, answer in `style`, because `why`.

    `source` is where an imported one stands in its source, `file:first-last` and its code there; no view holds it.
    `line` is that of its heading. `lines`: where the text, the reason, each example and each exclusion start.
    """

    id: str
    title: str
    style: Style
    text: str = ""
    examples: tuple[str, ...] = ()
    exclusions: tuple[str, ...] = ()
    category: str = ""
    why: str = ""
    source: str = ""
    line: int = field(default=0, compare=False)
    lines: tuple[int, ...] = field(default=(), compare=False)


@dataclass(frozen=True)
class Category:
    """One policy area. `definitions` is Markdown as it stands; `path` is relative to the policy folder.

    `compressed` is a short form of the whole category, for views that hold many; "" where there is none. `lines`: where
    summary, definitions and compressed text start.
    """

    id: str
    title: str
    summary: str
    definitions: str = ""
    clauses: tuple[Clause, ...] = ()
    path: str = field(default="", compare=False)
    compressed: str = ""
    lines: tuple[int, int, int] = field(default=(0, 0, 0), compare=False)

    @property
    def file(self) -> str:
        """`path`, or where it would be printed."""
        return self.path or f"categories/{self.id}.md"


@dataclass(frozen=True)
class Policy:
    """A whole policy. `rules` is Markdown that holds across categories, such as which clause wins; "" for none.

    `lines`: where intro and rules start.
    """

    name: str
    version: str
    intro: str
    styles: tuple[Guideline, ...]
    categories: tuple[Category, ...]
    rules: str = ""
    lines: tuple[int, int] = field(default=(0, 0), compare=False)

    @cached_property
    def hash(self) -> str:
        """16 hex digits of sha256 over the printed files in order: equal policies have equal hashes."""
        return sha256("\0".join(print_policy(self).values()).encode()).hexdigest()[:16]

    def category(self, id: str) -> Category:
        """The category of that id; UserError names the nearest valid one."""
        if id not in self._categories:
            raise UserError(f"policy {self.name} has no category {id!r}; {suggest_name(id, self._categories)}")
        return self._categories[id]

    def clause(self, id: str) -> Clause:
        """The clause of that id; UserError names the nearest valid one."""
        if id not in self.clauses:
            raise UserError(f"policy {self.name} has no clause {id!r}; {suggest_name(id, self.clauses)}")
        return self.clauses[id]

    @cached_property
    def _categories(self) -> dict[str, Category]:
        return {category.id: category for category in self.categories}

    @cached_property
    def clauses(self) -> dict[str, Clause]:
        """Every clause by its id, in the order of the policy."""
        return {clause.id: clause for category in self.categories for clause in category.clauses}


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
