"""What a policy is made of: style guidelines, and categories of coded clauses (paper 2.2, figures 9 and 10).

The paper keeps conditions, definitions, examples and exclusions in one document per category; here each clause also
carries its response style, so that a judge, a reward and a metric can read which style a clause asks for. Where things
stand (`path`, `line`, `lines`; 0 when not read from a file) is no part of equality, nor of a policy's hash.
"""

import re
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256

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
        from deliberant.policy.printer import print_policy  # the printer needs these types

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
