"""Every stretch of text in a policy, with the place where it stands."""

from collections.abc import Iterator
from dataclasses import dataclass

from deliberant.policy.types import Category, Policy


@dataclass(frozen=True)
class Passage:
    """`path` is relative to the policy folder, `line` where the text starts (0: not read from a file).

    `kind`: intro, rules, guideline, summary, compressed, definitions, title, text, why, example or exclusion. `clause`:
    the id of the clause it belongs to, "" where there is none.
    """

    path: str
    line: int
    kind: str
    text: str
    clause: str = ""

    def line_of(self, offset: int) -> int:
        """The line of the character at `offset`."""
        return self.line + self.text.count("\n", 0, offset)


def passages(policy: Policy) -> Iterator[Passage]:
    """All of them, file by file and line by line; texts that are not there are left out."""
    everything = [
        Passage("policy.md", policy.lines[0], "intro", policy.intro),
        Passage("rules.md", policy.lines[1], "rules", policy.rules),
        *(Passage("styles.md", style.line, "guideline", style.text) for style in policy.styles),
    ]
    for category in policy.categories:
        everything += _category(category)
    yield from (passage for passage in everything if passage.text)


def _category(category: Category) -> Iterator[Passage]:
    path = category.file
    summary, definitions, compressed = category.lines
    yield Passage(path, summary, "summary", category.summary)
    yield Passage(path, compressed, "compressed", category.compressed)
    yield Passage(path, definitions, "definitions", category.definitions)
    for clause in category.clauses:
        yield Passage(path, clause.line, "title", clause.title, clause.id)
        items = [("text", clause.text), *([("why", clause.why)] if clause.why else [])]
        items += [("example", each) for each in clause.examples]
        items += [("exclusion", each) for each in clause.exclusions]
        lines = clause.lines or (0,) * len(items)
        for (kind, text), line in zip(items, lines, strict=True):
            yield Passage(path, line, kind, text, clause.id)
