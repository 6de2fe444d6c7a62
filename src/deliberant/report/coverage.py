"""Which clauses the data teaches: prompts, samples and accept rates per clause, framing and source.

A sample belongs to every clause its reasoning cites, once each; what cites none, or one that the policy lacks, has rows
of its own. A clause has one response style, so style is a property of its row. Accept rates have Wilson's interval.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from deliberant.evals import wilson
from deliberant.util.errors import RunError

NO_CLAUSE, UNKNOWN, ALL = "no clause", "unknown clause", "all samples"
UNSTATED = "not stated"
"""The framing or source of prompts that state none."""


@dataclass(frozen=True)
class Tally:
    """Distinct `prompts` with a sample here, `samples` and how many of them were `kept`."""

    prompts: int = 0
    samples: int = 0
    kept: int = 0

    def row(self) -> dict[str, Any]:
        """As a JSON object: the counts and the accept rate with its interval, fractions, None without samples."""
        value = self.kept / self.samples if self.samples else None
        low, high = (None, None) if value is None else wilson(value, self.samples)
        return {**vars(self), "value": value, "low": low, "high": high}


@dataclass(frozen=True)
class ClauseRow:
    """One clause (or `NO_CLAUSE`, `UNKNOWN`, `ALL`, whose category and style are None): in all, and by column."""

    name: str
    category: str | None
    style: str | None
    total: Tally
    cells: dict[tuple[str, str], Tally]

    def tallies(self, columns: Sequence[tuple[str, str]]) -> list[Tally]:
        """One for each column, empty where no sample falls, and the total."""
        return [*(self.cells.get(column, Tally()) for column in columns), self.total]


@dataclass(frozen=True)
class Coverage:
    """`columns` are (framing, source) pairs; a cell that no sample falls into is absent."""

    columns: tuple[tuple[str, str], ...]
    rows: tuple[ClauseRow, ...]

    def clauses(self) -> list[ClauseRow]:
        """The rows that are clauses of the policy."""
        return [row for row in self.rows if row.category is not None]

    def thin(self, least: int) -> list[ClauseRow]:
        """Clauses with fewer kept samples than `least`."""
        return [row for row in self.clauses() if row.total.kept < least]

    def check(self, least: int) -> None:
        """RunError naming every clause with fewer kept samples than `least`."""
        if thin := self.thin(least):
            named = ", ".join(f"{row.name} ({row.total.kept})" for row in thin)
            raise RunError(
                f"coverage: {len(thin)} of {len(self.clauses())} clauses have fewer than {least} kept samples: "
                f"{named}; add prompts that they decide, or raise generate.samples"
            )

    def json(self) -> list[dict[str, Any]]:
        """Rows as JSON objects, each with its cells."""
        return [
            {
                "clause": row.name,
                "category": row.category,
                "style": row.style,
                **row.total.row(),
                "cells": [
                    {"framing": framing, "source": source, **row.cells[framing, source].row()}
                    for framing, source in self.columns
                    if (framing, source) in row.cells
                ],
            }
            for row in self.rows
        ]


def add_tallies(cells: Iterable[Tally]) -> Tally:
    """Cells of one row together; a prompt has one framing and one source, so it is in one cell only."""
    parts = list(cells)
    return Tally(*(sum(getattr(cell, name) for cell in parts) for name in ("prompts", "samples", "kept")))


def titles(columns: Sequence[tuple[str, str]]) -> list[str]:
    """What the columns are called: framing and source, or the one of them that differs."""
    framings, sources = ({column[side] for column in columns} for side in (0, 1))
    if len(sources) <= 1:
        return [framing for framing, _ in columns]
    if len(framings) <= 1:
        return [source for _, source in columns]
    return [f"{framing}, {source}" for framing, source in columns]
