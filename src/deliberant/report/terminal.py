"""Tables for the terminal: the short one that ends a run (per suite and arm the two sides, the right style, compliance,
and what could not be counted), a run's coverage, and what broke a model."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from deliberant.report.coverage import ClauseRow, Coverage, titles
from deliberant.report.facets import drop_faceted

if TYPE_CHECKING:
    from rich.table import Table

WIDEST = 8
"""Columns by framing and source that a terminal has room for."""
SHOWN = {
    "harmful_declined": "harmful declined",
    "harmless_answered": "harmless answered",
    "style": "right style",
    "compliance": "compliance",
}
UNCOUNTED = ("unscored", "truncated", "empty", "blocked")
"""What stands beside every rate."""
RATES = "percent [95% interval] n; definitions of the metrics are in report.html"


def text_table(
    columns: Sequence[str],
    rows: Iterable[Sequence[str] | None],
    caption: str | None = None,
    left: int = 1,
    title: str | None = None,
) -> "Table":
    """A rich table in which nothing is markup: the first `left` columns hold words, the others numbers.

    A row that is None ends a section.
    """
    from rich.table import Table
    from rich.text import Text

    built = Table(caption=caption, title=None if title is None else Text(title, "bold"), title_justify="left")
    for place, head in enumerate(columns):
        built.add_column(Text(head), justify="left" if place < left else "right", overflow="fold")
    for row in rows:
        if row is None:
            built.add_section()
        else:
            built.add_row(*map(Text, row))
    return built


def suite_tables(rows: Sequence[Mapping[str, Any]], metrics: Mapping[str, str] = SHOWN) -> Iterator["Table"]:
    """A rich table for each suite of result rows, for 80 columns; rates in percent with their 95% interval and n.

    `metrics`: their column titles.
    """
    rows = drop_faceted(rows)
    cells = {(row["suite"], row["arm"], row["metric"]): row for row in rows}
    suites = list(dict.fromkeys(row["suite"] for row in rows))
    for suite in suites:
        lines = []
        for arm in dict.fromkeys(row["arm"] for row in rows if row["suite"] == suite):
            shown = [cells[suite, arm, metric] for metric in metrics]
            counts = f"{shown[0]['truncated']}/{shown[0]['empty']}/{cells[suite, arm, 'style']['unscored']}"
            lines.append([arm, *map(format_rate, shown), counts])
        columns = ("arm", *metrics.values(), "cut / empty / unscored")
        yield text_table(columns, lines, RATES if suite == suites[-1] else None, title=suite)


def result_tables(rows: Sequence[Mapping[str, Any]]) -> Iterator["Table"]:
    """A rich table for each suite and arm: every result row with its interval, n and what could not be counted."""
    groups: dict[str, list[list[str]]] = {}
    for row in rows:
        counts = "/".join(str(row.get(name, "-")) for name in UNCOUNTED)
        line = [row["metric"], format_rate(row, 1, 3), counts]
        groups.setdefault(f"{row['suite']}, {row['arm']}", []).append(line)
    for title, lines in groups.items():
        yield text_table(("metric", "value [95% interval] n", "unscored / cut\n/ empty / blocked"), lines, title=title)


def coverage_table(coverage: Coverage) -> "Table":
    """A rich table of a run's coverage: per clause the accept rate in all and, where there are several, by column."""
    columns = coverage.columns if 1 < len(coverage.columns) <= WIDEST else ()
    caption = "a sample counts for each clause it cites"
    if columns:
        caption += "; last columns: samples kept/drawn by framing and source"
    elif len(coverage.columns) > WIDEST:
        caption += f"; {len(coverage.columns)} framings and sources are too many to show: see --json"

    def line(row: ClauseRow) -> list[str]:
        total = row.total
        cells = [f"{cell.kept}/{cell.samples}" if (cell := row.cells.get(column)) else "-" for column in columns]
        accepted = format_rate({**total.row(), "n": total.samples}).split(" n=")[0]
        counts = (total.prompts, total.samples, total.kept)
        return [row.name, row.category or "", row.style or "", *map(str, counts), accepted, *cells]

    heads = ("clause", "category", "style", "prompts", "samples", "kept", "accepted % [95%]", *titles(columns))
    return text_table(heads, map(line, coverage.rows), caption, left=3)


def redteam_table(rows: Sequence[Mapping[str, Any]]) -> "Table":
    """How often each attack broke a model: the plain requests first, then the attacks by group."""
    caption = "broke: answered, of what the policy does not comply with; percent [95% interval] n"
    lines = (
        [
            row["group"] or "",
            f"{row['attack'] or 'plain'}{' (held out)' if row['held_out'] else ''}",
            format_rate(row),
            *(str(row[name]) for name in UNCOUNTED),
        ]
        for row in rows
    )
    return text_table(("group", "attack", "broke", *UNCOUNTED), lines, caption, left=2)


def format_rate(row: Mapping[str, Any], scale: int = 100, digits: int = 1) -> str:
    """A result row in words, e.g. `97.2 [95.1, 98.6] n=180`; a dash where there was nothing to count."""
    if row["value"] is None:
        return "-"
    value, *ends = (None if row[key] is None else f"{scale * row[key]:.{digits}f}" for key in ("value", "low", "high"))
    interval = "(no interval)" if None in ends else f"[{', '.join(ends)}]"  # type: ignore[arg-type]
    return f"{value} {interval} n={row['n']}"


def earned_lines(held_out: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """Whether reinforcement learning earned its place: a line for each arm, from the rows of held_out.json.

    Rewards in percent of the greatest, change in points.
    """
    for arm, row in held_out.items():
        if row["before"] is None:
            yield f"{arm}: no held-out prompt was scored both times, so the weights are those that it started from"
            continue
        verdict = "kept" if row["kept"] else "no more than chance, so the weights are those that it started from"
        unscored = f", {row['unscored']} unscored" if row["unscored"] else ""
        yield (
            f"{arm}: rewards of held-out prompts {100 * row['before']:.1f} before and {100 * row['after']:.1f} after, "
            f"change {format_rate(row['change'])}{unscored}: {verdict}"
        )
        if parted := row.get("parted"):
            before, after = (f"{100 * each:.1f}" for each in parted["reward"])
            yield (
                f"{arm}: over-optimised from step {parted['from']}: by step {parted['to']} the reward went from "
                f"{before} to {after} and the right answers changed by {format_rate(parted['truth'])}"
            )
