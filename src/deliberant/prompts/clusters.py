"""Near-duplicates made certain: candidates are compared text by text, and what is alike is joined.

Similarity is the Jaccard similarity of two texts' shingle sets, computed and not estimated, so nothing is called alike
that is not. What may be missed: pairs that agree in no band (`bands.RECALL`), and, in groups of more than `CROWD`
candidates that are not alike, comparisons beyond the first few, which are counted.
"""

from array import array
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from deliberant.prompts.shingles import Hashes, jaccard, shingle_set

CROWD = 64
"""Candidates of one group that are all compared with each other."""
LEADERS = 8
"""Of a larger group, those that every member is compared with."""
CACHED = 2**22
"""Shingle hashes that are kept for the next comparison."""


@dataclass(frozen=True, slots=True)
class Match:
    """Row `row` is as similar to row `other` as `similarity` says; `exact` = their normalised texts are equal."""

    row: int
    other: int
    similarity: float
    exact: bool


class Comparer:
    """Compares rows by number; `text` reads a row's normalised text."""

    def __init__(self, text: Callable[[int], str], threshold: float) -> None:
        self._text, self._threshold = text, threshold
        self._known: dict[int, tuple[str, Hashes | None]] = {}
        self._size = 0

    def match(self, row: int, other: int) -> Match | None:
        """How alike two rows are, None where that is below the threshold."""
        if self._get(row)[0] == self._get(other)[0]:
            return Match(row, other, 1.0, True)
        similarity = jaccard(self._set(row), self._set(other))
        return Match(row, other, similarity, False) if similarity >= self._threshold else None

    def _get(self, row: int) -> tuple[str, Hashes | None]:
        found = self._known.get(row)
        if found is None:
            if self._size > CACHED:
                self._known, self._size = {}, 0
            found = self._known[row] = (self._text(row), None)
            self._size += len(found[0])
        return found

    def _set(self, row: int) -> Hashes:
        text, hashes = self._get(row)
        if hashes is None:
            hashes = shingle_set(text)
            self._known[row] = (text, hashes)
        return hashes


@dataclass
class Forest:
    """Disjoint sets of rows 0 to n - 1, and the matches that joined them: a spanning forest."""

    parents: "array[int]"
    matches: list[Match] = field(default_factory=list)
    skipped: int = 0

    @classmethod
    def of(cls, n: int) -> "Forest":
        return cls(array("Q", range(n)))

    def root(self, row: int) -> int:
        """The least row of the set that holds `row`."""
        parents = self.parents
        while parents[row] != row:
            parents[row] = row = parents[parents[row]]
        return row

    def join(self, one: int, other: int) -> None:
        first, second = sorted((self.root(one), self.root(other)))
        self.parents[second] = first

    def link(self, groups: Iterable[Sequence[int]], comparer: Comparer) -> None:
        """Join what is alike in each group of candidates; comparisons that a crowd is spared go to `skipped`."""
        for group in groups:
            crowd = len(group) > CROWD
            leaders: list[int] = []
            for row in group:
                for leader in leaders:
                    if self.root(leader) != self.root(row) and (match := comparer.match(row, leader)):
                        self.join(row, leader)
                        self.matches.append(match)
                alone = all(self.root(leader) != self.root(row) for leader in leaders)
                if not crowd or (alone and len(leaders) < LEADERS):
                    leaders.append(row)
                elif alone:
                    self.skipped += 1


def near_any(groups: Iterable[Sequence[int]], start: int, comparer: Comparer) -> dict[int, Match]:
    """Rows from number `start` on that are like a row before it, each with the first such row that was found."""
    found: dict[int, Match] = {}
    for group in groups:
        others = [row for row in group if row < start]
        for row in group[len(others) :] if others else ():
            if row not in found:
                match = next((match for other in others if (match := comparer.match(row, other))), None)
                if match:
                    found[row] = match
    return found


def directed(matches: Iterable[Match]) -> dict[int, Match]:
    """For every joined row but the least of its set, the match that leads one step towards that least row."""
    neighbours: dict[int, list[Match]] = {}
    for match in matches:
        neighbours.setdefault(match.row, []).append(match)
        neighbours.setdefault(match.other, []).append(Match(match.other, match.row, match.similarity, match.exact))
    steps: dict[int, Match] = {}
    done: set[int] = set()
    for least in sorted(neighbours):
        if least in done:
            continue
        done.add(least)
        waiting = [least]
        while waiting:
            here = waiting.pop()
            for match in neighbours[here]:
                if match.other not in done:
                    done.add(match.other)
                    steps[match.other] = Match(match.other, here, match.similarity, match.exact)
                    waiting.append(match.other)
    return steps
