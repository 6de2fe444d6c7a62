"""Taking turns: an order in which every kind comes once before one comes again."""

from collections import Counter
from collections.abc import Callable, Hashable, Iterable
from typing import TypeVar

Item = TypeVar("Item")


def take_turns(items: Iterable[Item], kind: Callable[[Item], Hashable]) -> list[Item]:
    """All items: the first of each kind, then the second of each; within a round in the order given."""
    turns: Counter[Hashable] = Counter()
    dealt = []
    for item in items:
        dealt.append((turns[kind(item)], item))
        turns[kind(item)] += 1
    return [item for _, item in sorted(dealt, key=lambda pair: pair[0])]
