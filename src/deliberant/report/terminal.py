"""Tables for the terminal: the short one that ends a run (per suite and arm the two sides, the right
style, compliance, and what could not be counted), and a run's coverage."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.table import Table

    from deliberant.report.coverage import Coverage

WIDEST = 8
"""Columns by framing and source that a terminal has room for."""
SHOWN = {
    "harmful_declined": "harmful declined",
    "harmless_answered": "harmless answered",
    "style": "right style",
    "compliance": "compliance",
}


def table(rows: Sequence[Mapping[str, Any]], metrics: Mapping[str, str] = SHOWN) -> "Table":
    """A rich table of result rows; rates in percent with their 95% interval and n. `metrics`: their column titles."""
    from rich.table import Table
    from rich.text import Text

    from deliberant.report.facets import plain

    rows = plain(rows)
    found = {(row["suite"], row["arm"], row["metric"]): row for row in rows}
    built = Table(caption="percent [95% interval] n; definitions of the metrics are in report.html")
    built.add_column("suite")
    built.add_column("arm", no_wrap=True)
    for title in metrics.values():
        built.add_column(title, justify="right")
    built.add_column("cut/empty/unscored", justify="right")
    for suite in dict.fromkeys(row["suite"] for row in rows):
        arms = dict.fromkeys(row["arm"] for row in rows if row["suite"] == suite)
        for place, arm in enumerate(arms):
            shown = [found[suite, arm, metric] for metric in metrics]
            counts = f"{shown[0]['truncated']}/{shown[0]['empty']}/{found[suite, arm, 'style']['unscored']}"
            name = "" if place else suite
            built.add_row(Text(name), arm, *(Text(rate(row)) for row in shown), counts)
        built.add_section()
    return built


def coverage_table(coverage: "Coverage") -> "Table":
    """A rich table of a run's coverage: per clause the accept rate in all and, where there are several, by column."""
    from rich.table import Table
    from rich.text import Text

    from deliberant.report.coverage import titles

    shown = 1 < len(coverage.columns) <= WIDEST
    caption = "a sample counts for each clause it cites"
    if shown:
        caption += "; last columns: samples kept/drawn by framing and source"
    elif coverage.columns[WIDEST:]:
        caption += f"; {len(coverage.columns)} framings and sources are too many to show: see --json"
    built = Table(caption=caption)
    for title in ("clause", "category", "style"):
        built.add_column(title, no_wrap=True)
    for title in ("prompts", "samples", "kept", "accepted % [95%]"):
        built.add_column(title, justify="right", no_wrap=True)
    several = coverage.columns if shown else ()
    for title in titles(several):
        built.add_column(Text(title), justify="right")
    for row in coverage.rows:
        total = {**row.total.row(), "n": row.total.samples}
        cells = (row.cells.get(column) for column in several)
        built.add_row(
            *(Text(name or "") for name in (row.name, row.category, row.style)),
            *(str(total[name]) for name in ("prompts", "samples", "kept")),
            rate(total).split(" n=")[0],
            *(f"{cell.kept}/{cell.samples}" if cell else "-" for cell in cells),
        )
    return built


def rate(row: Mapping[str, Any]) -> str:
    """A result row in words, e.g. `97.2 [95.1, 98.6] n=180`; a dash where there was nothing to count."""
    if row["value"] is None:
        return "-"
    value, low, high = (100 * row[key] for key in ("value", "low", "high"))
    return f"{value:.1f} [{low:.1f}, {high:.1f}] n={row['n']}"
