"""Rows that are told apart by more than arm, suite and metric, as tables and charts: by attack, by language, by budget
of reasoning, by number of draws, by what was done to the reasoning. Each is there where its rows are.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from markupsafe import Markup

from deliberant.report.lines import rates
from deliberant.report.svg import looks

Row = Mapping[str, Any]
AnyRow = TypeVar("AnyRow", bound=Row)
ATTACK, LANGUAGE, BUDGET, DRAWS = "attack", "language", "budget", "k"
FACETS = (ATTACK, LANGUAGE, BUDGET, DRAWS)
HEAT = ("not_unsafe", "harmless_answered")
"""Metrics that have a table by attack and by language, where there is anything to count."""
TITLES = {BUDGET: "tokens of reasoning", DRAWS: "draws"}


def plain(rows: Sequence[AnyRow]) -> list[AnyRow]:
    """The rows of whole suites."""
    return [row for row in rows if not any(facet in row for facet in FACETS)]


@dataclass(frozen=True)
class Table:
    """One metric of one suite: a line for each attack or language, a cell for each arm; None where it has none."""

    suite: str
    metric: str
    arms: list[str]
    lines: list[tuple[str, list[Row | None]]]


def tables(rows: Sequence[Row], facet: str, final: str) -> list[Table]:
    """A table for each suite and metric, in which what the arm `final` fares worst under comes first."""
    groups: dict[tuple[str, str], dict[tuple[str, str], Row]] = {}
    for row in rows:
        if facet in row and row["metric"] in HEAT and row["n"]:
            key = (row["suite"], row["metric"])
            groups.setdefault(key, {})[row[facet] or "none", row["arm"]] = row
    found = []
    suites = list(dict.fromkeys(suite for suite, _ in groups))
    for suite, metric in sorted(groups, key=lambda key: (suites.index(key[0]), HEAT.index(key[1]))):
        cells = groups[suite, metric]
        arms = list(dict.fromkeys(arm for _, arm in cells))
        speaks = final if final in arms else arms[-1]

        def worth(name: str, cells: dict[tuple[str, str], Row] = cells, speaks: str = speaks) -> float:
            row = cells.get((name, speaks))
            return row["value"] if row else 2.0

        names = sorted(dict.fromkeys(name for name, _ in cells), key=worth)
        found.append(Table(suite, metric, arms, [(name, [cells.get((name, arm)) for arm in arms]) for name in names]))
    return found


def charts(rows: Sequence[Row], facet: str) -> list[tuple[str, list[str], Markup]]:
    """(title, arms, chart) for each suite and metric that was measured at several budgets or numbers of draws."""
    groups: dict[tuple[str, str], dict[str, list[Row]]] = {}
    for row in rows:
        if facet in row:
            groups.setdefault((row["suite"], row["metric"]), {}).setdefault(row["arm"], []).append(row)
    found = []
    for (suite, metric), arms in groups.items():
        look = looks(arms)
        lines = [(arm, look[arm], [(step(row[facet]), row) for row in _ordered(arms[arm], facet)]) for arm in arms]
        if any(row["value"] is not None for members in arms.values() for row in members):
            name = metric.replace("_", " ")
            found.append((f"{suite}: {name}", list(arms), rates(lines, TITLES[facet], name)))
    return found


def step(value: int | float | None) -> str:
    """A budget in words; None is none."""
    return "no limit" if value is None else f"{value:,}"


def _ordered(rows: Sequence[Row], facet: str) -> list[Row]:
    return sorted(rows, key=lambda row: (row[facet] is None, row[facet] or 0))


@dataclass(frozen=True)
class Flips:
    """How often an answer changed with the reasoning before it, on one side: a line for each cut or swap."""

    side: str
    arms: list[str]
    lines: list[tuple[str, list[Row | None]]]


def flips(rows: Sequence[Row]) -> list[Flips]:
    """The rows of evals/thinking.py, harmful and harmless prompts apart."""
    found = []
    for side in dict.fromkeys(row["side"] for row in rows):
        cells = {(_done(row), row["arm"]): row for row in rows if row["side"] == side}
        arms = list(dict.fromkeys(arm for _, arm in cells))
        names = dict.fromkeys(done for done, _ in cells)
        found.append(Flips(side, arms, [(done, [cells.get((done, arm)) for arm in arms]) for done in names]))
    return found


def _done(row: Row) -> str:
    return f"that of {row['swap']} in its place" if row["cut"] is None else f"cut to its first {row['cut']:.0%}"
