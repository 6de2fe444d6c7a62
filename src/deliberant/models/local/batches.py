"""Which prompts travel together: batches of groups, each group sharing a prompt prefix.

All requests of a pipeline open with the same instructions and many with the same spec view. Sharing is found in
the token ids, so callers owe the sampler nothing but a list of prompts.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

Tokens = tuple[int, ...]

SHARING = 512
"""A prefix is worth a group of its own when it spares at least this many cached positions."""


@dataclass(frozen=True)
class Group:
    """Prompts `prefix + suffixes[i]`, no suffix empty; `rows[i]` is the prompt's place in the caller's list."""

    prefix: Tokens
    suffixes: tuple[Tokens, ...]
    rows: tuple[int, ...]


def plan(prompts: Sequence[Tokens], room: int, batch_tokens: int, batch_rows: int) -> list[list[Group]]:
    """Batches of groups that hold every prompt once, however long it is.

    `room`: new tokens to come per row. A batch holds at most `batch_rows` rows and `batch_tokens` cached positions
    (rows times longest suffix plus room; one row may exceed it). Rows of like suffix length travel together.
    """
    order = sorted(range(len(prompts)), key=lambda row: prompts[row])
    groups = _groups(prompts, order)
    places = sorted(
        (len(prompts[row]) - shared, number, row) for number, (shared, rows) in enumerate(groups) for row in rows
    )
    batches: list[list[tuple[int, int, int]]] = []
    for place in places:
        width = place[0] + room
        if not batches or len(batches[-1]) == batch_rows or (len(batches[-1]) + 1) * width > batch_tokens:
            batches.append([])
        batches[-1].append(place)
    return [_batch(prompts, groups, batch) for batch in batches]


def _batch(
    prompts: Sequence[Tokens], groups: list[tuple[int, list[int]]], places: list[tuple[int, int, int]]
) -> list[Group]:
    members: dict[int, list[int]] = {}
    for _, number, row in places:
        members.setdefault(number, []).append(row)
    batch = []
    for number, rows in sorted(members.items()):
        shared = groups[number][0]
        rows.sort(key=lambda row: (prompts[row], row))
        batch.append(Group(prompts[rows[0]][:shared], tuple(prompts[row][shared:] for row in rows), tuple(rows)))
    return batch


def _groups(prompts: Sequence[Tokens], order: list[int]) -> list[tuple[int, list[int]]]:
    """(length of the shared prefix, rows) by descent in the prefix tree; `order` sorts the prompts."""
    if not order:
        return []
    # a group's prefix leaves at least one token of each prompt
    neighbours = [common(prompts[a][:-1], prompts[b][:-1]) for a, b in pairwise(order)]
    groups: list[tuple[int, list[int]]] = []
    pending = [(0, len(order))]
    while pending:
        start, end = pending.pop()
        shared = min([*neighbours[start : end - 1], len(prompts[order[start]]) - 1])
        cuts = [i + 1 for i in range(start, end - 1) if neighbours[i] == shared]
        loose: list[int] = []
        for first, last in zip([start, *cuts], [*cuts, end], strict=True):
            depth = min([*neighbours[first : last - 1], len(prompts[order[first]]) - 1])
            if cuts and (last - first - 1) * (depth - shared) >= SHARING:
                pending.append((first, last))
            else:
                loose += order[first:last]
        if loose:
            groups.append((shared, loose))
    return sorted(groups, key=lambda group: prompts[group[1][0]][: group[0]])


def common(a: Tokens, b: Tokens) -> int:
    """Length of the common prefix."""
    limit = min(len(a), len(b))
    if a[:limit] == b[:limit]:  # one comparison for what is mostly so
        return limit
    return next(i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y)
