"""Rows that are told apart by more than arm, suite and metric, as tables and charts: by attack, by language, by budget
of reasoning, by number of draws, by what was done to the reasoning. Each is there where its rows are.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from markupsafe import Markup

from deliberant.report.lines import draw_rates
from deliberant.report.svg import assign_looks

Row = Mapping[str, Any]
AnyRow = TypeVar("AnyRow", bound=Row)
ATTACK, LANGUAGE, BUDGET, DRAWS = "attack", "language", "budget", "k"
FACETS = (ATTACK, LANGUAGE, BUDGET, DRAWS)
HEAT = ("not_unsafe", "harmless_answered")
"""Metrics that have a table by attack and by language, where there is anything to count."""
TITLES = {BUDGET: "tokens of reasoning", DRAWS: "draws"}


def drop_faceted(rows: Sequence[AnyRow]) -> list[AnyRow]:
    """The rows of whole suites."""
    return [row for row in rows if not any(facet in row for facet in FACETS)]


@dataclass(frozen=True)
class Table:
    """One metric of one suite: a line for each attack or language, a cell for each arm; None where it has none.

    Of what was done to the reasoning, `suite` is the side that was asked: harmful or harmless prompts.
    """

    suite: str
    metric: str
    arms: list[str]
    lines: list[tuple[str, list[Row | None]]]


def tabulate_facets(rows: Sequence[Row], facet: str, final: str) -> list[Table]:
    """A table for each suite and metric, in which what the arm `final` fares worst under comes first."""
    groups: dict[tuple[str, str], dict[tuple[str, str], Row]] = {}
    for row in rows:
        if facet in row and row["metric"] in HEAT and row["n"]:
            groups.setdefault((row["suite"], row["metric"]), {})[row[facet] or "none", row["arm"]] = row
    suites = list(dict.fromkeys(suite for suite, _ in groups))
    ordered = sorted(groups, key=lambda key: (suites.index(key[0]), HEAT.index(key[1])))
    return [_table(*key, groups[key], final) for key in ordered]


def _table(suite: str, metric: str, cells: Mapping[tuple[str, str], Row], final: str | None = None) -> Table:
    """Of cells by line and arm; the lines by the rate of `final`, or of the last arm, where a final arm is named."""
    arms = list(dict.fromkeys(arm for _, arm in cells))
    names = list(dict.fromkeys(name for name, _ in cells))
    if final is not None:
        speaks = final if final in arms else arms[-1]
        names.sort(key=lambda name: cells[name, speaks]["value"] if (name, speaks) in cells else 2.0)
    return Table(suite, metric, arms, [(name, [cells.get((name, arm)) for arm in arms]) for name in names])


def draw_charts(rows: Sequence[Row], facet: str) -> list[tuple[str, list[str], Markup]]:
    """(title, arms, chart) for each suite and metric that was measured at several budgets or numbers of draws."""
    groups: dict[tuple[str, str], dict[str, list[Row]]] = {}
    for row in rows:
        if facet in row:
            groups.setdefault((row["suite"], row["metric"]), {}).setdefault(row["arm"], []).append(row)
    drawn = []
    for (suite, metric), arms in groups.items():
        look, name = assign_looks(arms), metric.replace("_", " ")
        lines = [(arm, look[arm], [(name_step(row[facet]), row) for row in _ordered(arms[arm], facet)]) for arm in arms]
        if any(row["value"] is not None for members in arms.values() for row in members):
            drawn.append((f"{suite}: {name}", list(arms), draw_rates(lines, TITLES[facet], name)))
    return drawn


def name_step(value: int | float | None) -> str:
    """A budget in words; None is none."""
    return "no limit" if value is None else f"{value:,}"


def _ordered(rows: Sequence[Row], facet: str) -> list[Row]:
    return sorted(rows, key=lambda row: (row[facet] is None, row[facet] or 0))


def tabulate_flips(rows: Sequence[Row]) -> list[Table]:
    """How often an answer changed with the reasoning before it: the rows of evals/thinking.py, by side."""
    return [
        _table(side, "flips", {(_done(row), row["arm"]): row for row in rows if row["side"] == side})
        for side in dict.fromkeys(row["side"] for row in rows)
    ]


def _done(row: Row) -> str:
    return f"that of {row['swap']} in its place" if row["cut"] is None else f"cut to its first {row['cut']:.0%}"
