"""Categories in the making, and what a source leaves open of them: ids, summaries, which clause an example shows."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from deliberant.policy.importers.types import choose_prefixes
from deliberant.policy.markdown import clip, error_at
from deliberant.policy.types import CLAUSE_ID, Category, Clause
from deliberant.prompts.types import Style


@dataclass
class Area:
    """A category in the making. `loose`: text outside rules; `cases`: examples that name no clause, with styles."""

    id: str
    title: str
    code: str = ""
    summary: str = ""
    compressed: str = ""
    loose: list[str] = field(default_factory=list)
    clauses: list[Clause] = field(default_factory=list)
    cases: list[tuple[Style | None, str]] = field(default_factory=list)

    def show(self, place: int, *examples: str) -> None:
        """Give a clause more examples."""
        clause = self.clauses[place]
        self.clauses[place] = replace(clause, examples=(*clause.examples, *examples))

    def settle(self) -> Iterator[str]:
        """Find a place for every case, and write a summary where there is none; remarks on both."""
        for style, text in self.cases:
            yield f"example {clip(text[:60])} names no clause: {self._attach(style, text)}"
        if not self.summary:
            self.summary = "; ".join(clause.title.rstrip(".:;\u3002") for clause in self.clauses) + "."
            yield f"category {self.id} has no summary: the titles of its clauses are written"

    def _attach(self, style: Style | None, text: str) -> str:
        """Put an example below the clause that shares most words with it, else into the definitions; says where."""
        said = set(re.findall(r"\w{2,}", text.casefold()))
        shared = {
            place: len(said & set(re.findall(r"\w{2,}", f"{clause.title} {clause.text}".casefold())))
            for place, clause in enumerate(self.clauses)
            if clause.style == style
        }
        best = [place for place, score in shared.items() if score == max(shared.values())]
        if len(best) == 1 and (shared[best[0]] or len(shared) == 1):
            self.show(best[0], text)
            return f"placed below {self.clauses[best[0]].id} by its words"
        self.loose.append(f"#### Example ({style or 'no label'})\n\n{text}")
        return f"kept in the definitions of {self.id}"

    def category(self) -> Category:
        """The category that it has become."""
        clauses = tuple(self.clauses)
        return Category(self.id, self.title, self.summary, join_blocks(self.loose), clauses, compressed=self.compressed)


def make_clause_id(code: str) -> str:
    """The id that a source's code makes, `SP2.a` SP201; "" where it makes none."""
    stem, dot, letter = code.partition(".")
    id = f"{stem}{ord(letter[0].lower()) - ord('a') + 1:02}" if dot else code
    return id if re.fullmatch(CLAUSE_ID, id) else ""


def number_clauses(areas: Sequence[Area], file: Path) -> Iterator[str]:
    """Give clauses without an id the next free number of their area; a remark on each area that has such.

    UserError where an area has more of them than numbers.
    """
    taken = {clause.id for area in areas for clause in area.clauses}
    taken |= {area.code for area in areas if not area.clauses[0].id}
    bare = [area for area in areas if not all(clause.id for clause in area.clauses)]
    letters = {area.id: area.code for area in bare if re.fullmatch("[A-Z]{1,4}", area.code)}
    letters |= choose_prefixes((area.id for area in bare if area.id not in letters), letters.values())
    for area in bare:
        free = [id for number in range(1, 1000) if (id := f"{letters[area.id]}{number}") not in taken]
        lines = [clause.line for clause in area.clauses if not clause.id]
        if len(lines) > len(free):
            what = f"category {area.id} has {len(lines)} clauses without a code, and ids for {len(free)} of them"
            raise error_at(file, lines[len(free)], what, "split it with --category-level or --label")
        yield f"category {area.id}: {len(lines)} clauses have no code that can be an id; numbered from {free[0]}"
        names = iter(free)
        area.clauses = [clause if clause.id else replace(clause, id=next(names)) for clause in area.clauses]


def join_blocks(blocks: Sequence[str]) -> str:
    """Blocks with a blank line between them; blanks at the ends of lines are nothing that a file keeps."""
    return re.sub(r"[ \t]+$", "", "\n\n".join(filter(None, blocks)), flags=re.MULTILINE).strip("\n")
