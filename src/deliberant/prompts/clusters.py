"""Near-duplicates made certain: candidates are compared text by text, and what is alike is joined.

Similarity is the Jaccard similarity of two texts' shingle sets, computed and not estimated, so nothing is called alike
that is not. What may be missed: pairs that agree in no band (`bands.RECALL`), and, in groups of more than `CROWD`
candidates that are not alike, comparisons beyond the first few, which are counted.
"""

from array import array
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deliberant.prompts.shingles import Hashes, jaccard, shingle_set

CROWD = 64
"""Candidates of one group that are all compared with each other."""
LEADERS = 8
"""Of a larger group, those that every member is compared with."""
CACHED = 2**18
"""Letters whose texts and shingle hashes are kept for the next comparison: some 3 MB."""
WHOLE, EQUAL = 10_000, 10_001
"""How like two rows are, as it is kept: a Jaccard similarity of 1, and equal texts."""


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


class Forest:
    """Disjoint sets of rows 0 to n - 1, and the matches that joined them: a spanning forest. 10 bytes per row.

    `like` has the row that a row is like, -1 where there is none: within a set that matches made, that leads step by
    step to its least row. `how` says how like, in ten-thousandths, or `EQUAL`.
    """

    def __init__(self, n: int) -> None:
        self.parents, self.like = array("i", range(n)), array("i", [-1]) * n
        self.how = array("H", [0]) * n
        self.skipped = 0

    def root(self, row: int) -> int:
        """The least row of the set that holds `row`."""
        parents = self.parents
        while parents[row] != row:
            parents[row] = row = parents[parents[row]]
        return row

    def roots(self) -> NDArray[np.int32]:
        """The least row of every row's set."""
        for row, parent in enumerate(self.parents):
            self.parents[row] = self.parents[
                parent
            ]  # no parent is greater than its row, so that one has its root by now
        return np.frombuffer(self.parents, np.int32)

    def join(self, one: int, other: int) -> None:
        first, second = sorted((self.root(one), self.root(other)))
        self.parents[second] = first

    def match(self, row: int) -> Match | None:
        """The match of a row with what it is like, its similarity to four places; None where it is like none."""
        how = self.how[row]
        return Match(row, self.like[row], min(how, WHOLE) / WHOLE, how == EQUAL) if self.like[row] >= 0 else None

    def link(self, groups: Iterable[Sequence[int]], comparer: Comparer, start: int = 0) -> None:
        """Join what is alike in each group of candidates; comparisons that a crowd is spared go to `skipped`.

        Rows before number `start`, and those that `against` found like them, are left out.
        """
        for every in groups:
            group = [row for row in every if row >= start and not 0 <= self.like[row] < start]
            crowd = len(group) > CROWD
            leaders: list[int] = []
            for row in group:
                for leader in leaders:
                    if self.root(leader) != self.root(row) and (match := comparer.match(row, leader)):
                        self._lead(match)
                        self.join(row, leader)
                alone = all(self.root(leader) != self.root(row) for leader in leaders)
                if not crowd or (alone and len(leaders) < LEADERS):
                    leaders.append(row)
                elif alone:
                    self.skipped += 1

    def against(self, groups: Iterable[Sequence[int]], start: int, comparer: Comparer) -> None:
        """Rows from number `start` on that are like a row before it keep the first such match that is found."""
        for group in groups:
            others = [row for row in group if row < start]
            for row in group[len(others) :] if others else ():
                if self.like[row] < 0:
                    match = next((match for other in others if (match := comparer.match(row, other))), None)
                    if match:
                        self._lead(match)

    def _lead(self, match: Match) -> None:
        """Keep a match of two sets: from the one whose least row is the greater, all steps lead to the other's now."""
        row, other, how = match.row, match.other, EQUAL if match.exact else round(round(match.similarity, 4) * WHOLE)
        if self.root(row) < self.root(other):
            row, other = other, row
        while row >= 0:  # the steps from `row` to its set's least row are turned round
            above, so = self.like[row], self.how[row]
            self.like[row], self.how[row] = other, how
            row, other, how = above, row, so
