"""Near-duplicates among texts: candidates of `minhash` are compared text by text, and what is alike is joined.

Similarity is computed, not estimated, so nothing is called alike that is not. Two things may be missed: pairs that
agree in no band (`minhash.RECALL`), and, in groups of more than `CROWD` candidates that are not alike, comparisons
beyond the first few, which are counted.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from deliberant.prompts.minhash import band_hashes, candidates
from deliberant.prompts.similarity import jaccard, shingles

CROWD = 64
"""Candidates of one group that are all compared with each other."""
LEADERS = 8
"""Of a larger group, those that every member is compared with."""
CACHED = 256
"""Texts whose shingles are kept for the next comparison."""


@dataclass(frozen=True, slots=True)
class Match:
    """Text number `row` is as similar to number `other` as `similarity` says; `exact`: the two are equal."""

    row: int
    other: int
    similarity: float
    exact: bool = False


Compare = Callable[[int, int], Match | None]


@dataclass(frozen=True)
class Duplicates:
    """`matches` by row, ascending; `skipped`: how many comparisons were not made."""

    matches: dict[int, Match]
    skipped: int


class Sets:
    """Disjoint sets of the numbers 0 to n - 1 (union-find)."""

    def __init__(self, n: int) -> None:
        self._parents = list(range(n))

    def first(self, row: int) -> int:
        """The least number of the set that holds `row`."""
        parents = self._parents
        while parents[row] != row:
            parents[row] = row = parents[parents[row]]
        return row

    def join(self, one: int, other: int) -> None:
        first, second = sorted((self.first(one), self.first(other)))
        self._parents[second] = first


def find_duplicates(texts: Sequence[str], threshold: float, start: int = 0) -> Duplicates:
    """What each of the normalised `texts` from number `start` on is like; those before it are to be stayed away from.

    A text that is like one before `start` has that match. Of the others, those that are alike, directly or by a chain
    of others, are a cluster: each but the first of it has a match with a text that is one step nearer to that first.
    """
    firsts: dict[str, int] = {}
    for row, text in enumerate(texts):
        firsts.setdefault(text, row)
    distinct = list(firsts.values())
    bands = band_hashes(list(firsts), threshold)

    def groups() -> Iterator[list[int]]:
        return ([distinct[place] for place in group] for group in candidates(bands))

    @lru_cache(CACHED)
    def shingles_of(row: int) -> frozenset[str]:
        return shingles(texts[row])

    def compare(row: int, other: int) -> Match | None:
        similarity = jaccard(shingles_of(row), shingles_of(other))
        return Match(row, other, similarity) if similarity >= threshold else None

    near = _match_earlier(groups(), start, compare) if start else {}
    rest = ([row for row in group if row >= start and row not in near] for group in groups())
    links, skipped = _link(rest, len(texts), compare)
    near |= _steps(links)
    duplicates = Duplicates({}, skipped)
    for row in range(start, len(texts)):
        first = firsts[texts[row]]
        match = near.get(first)
        if first != row and (match is None or match.other >= start):
            duplicates.matches[row] = Match(row, first, 1.0, exact=True)
        elif match is not None:
            duplicates.matches[row] = replace(match, row=row)
    return duplicates


def _match_earlier(groups: Iterable[Sequence[int]], start: int, compare: Compare) -> dict[int, Match]:
    """For every row from `start` on that is like one before it, the first such match."""
    matches: dict[int, Match] = {}
    for group in groups:
        earlier = [row for row in group if row < start]
        for row in group[len(earlier) :]:
            if row not in matches and (match := next(filter(None, (compare(row, each) for each in earlier)), None)):
                matches[row] = match
    return matches


def _link(groups: Iterable[Sequence[int]], n: int, compare: Compare) -> tuple[list[Match], int]:
    """Matches that join what is alike (a spanning forest), and how many comparisons crowds were spared."""
    sets, links, skipped = Sets(n), list[Match](), 0
    for group in groups:
        leaders: list[int] = []
        for row in group:
            for leader in leaders:
                if sets.first(leader) != sets.first(row) and (match := compare(row, leader)):
                    links.append(match)
                    sets.join(row, leader)
            alone = all(sets.first(leader) != sets.first(row) for leader in leaders)
            if len(group) <= CROWD or (alone and len(leaders) < LEADERS):
                leaders.append(row)
            elif alone:
                skipped += 1
    return links, skipped


def _steps(links: Iterable[Match]) -> Iterator[tuple[int, Match]]:
    """For every row of a cluster but the first a match that leads a step nearer to the first, breadth first."""
    neighbours = defaultdict[int, list[tuple[int, float]]](list)
    for link in links:
        neighbours[link.row].append((link.other, link.similarity))
        neighbours[link.other].append((link.row, link.similarity))
    reached = set[int]()
    for first in sorted(neighbours):
        queue = [] if first in reached else [first]
        reached.add(first)
        for row in queue:
            for other, similarity in neighbours[row]:
                if other not in reached:
                    reached.add(other)
                    queue.append(other)
                    yield other, Match(other, row, similarity)
