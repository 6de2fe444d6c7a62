"""The short table that ends a run: per suite and arm the two sides, compliance, and what could not be counted."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.table import Table

SHOWN = {"harmful_declined": "harmful declined", "harmless_answered": "harmless answered", "compliance": "compliance"}


def table(rows: Sequence[dict[str, Any]]) -> "Table":
    """A rich table of result rows; rates in percent with their 95% interval and n."""
    from rich.table import Table
    from rich.text import Text

    found = {(row["suite"], row["arm"], row["metric"]): row for row in rows}
    built = Table(caption="percent [95% interval] n; definitions of the metrics are in report.html")
    built.add_column("suite")
    built.add_column("arm", no_wrap=True)
    for title in SHOWN.values():
        built.add_column(title, justify="right")
    built.add_column("cut/empty/unscored", justify="right")
    for suite in dict.fromkeys(row["suite"] for row in rows):
        arms = dict.fromkeys(row["arm"] for row in rows if row["suite"] == suite)
        for place, arm in enumerate(arms):
            shown = [found[suite, arm, metric] for metric in SHOWN]
            counts = f"{shown[0]['truncated']}/{shown[0]['empty']}/{found[suite, arm, 'style']['unscored']}"
            name = "" if place else suite
            built.add_row(Text(name), arm, *(Text(rate(row)) for row in shown), counts)
        built.add_section()
    return built


def rate(row: dict[str, Any]) -> str:
    """A result row in words, e.g. `97.2 [95.1, 98.6] n=180`; a dash where there was nothing to count."""
    if row["value"] is None:
        return "-"
    value, low, high = (100 * row[key] for key in ("value", "low", "high"))
    return f"{value:.1f} [{low:.1f}, {high:.1f}] n={row['n']}"
