"""What an incremental run moved, in words and as a table: for the terminal, and rows for the page."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from deliberant.report.terminal import format_rate, text_table

if TYPE_CHECKING:
    from rich.table import Table

Row = dict[str, Any]


def move_rows(moved: Row) -> list[Row]:
    """One row for each arm, suite and part, its metrics side by side: {arm, suite, part, unscored, style, compliance}.

    `unscored` is that of the style.
    """
    lines: dict[tuple[str, str, str], Row] = {}
    for row in moved["moves"]:
        key = {name: row[name] for name in ("arm", "suite", "part")}
        lines.setdefault(tuple(key.values()), {**key, "unscored": row["unscored"]})[row["metric"]] = row
    return list(lines.values())


def moved_lines(moved: Row) -> Iterator[str]:
    """The edit, what it touched and what was reused."""
    yield f"moved since {moved['from']}:"
    yield from (f"  {line}" for line in moved["policy"] or ["the policy is the same"])
    prompts = moved["prompts"]
    more = "".join(f", {prompts[name]} {name}" for name in ("added", "removed") if prompts[name])
    yield f"prompts touched: {prompts['touched']} of {prompts['touched'] + prompts['untouched']}{more}"
    rows = (f"{stage} {part['reused']} and {part['made']}" for stage, part in moved["rows"].items())
    yield f"rows reused and made: {', '.join(rows)}"
    if left := moved["cases"]["not compared"]:
        yield f"cases that the old run has not, or has otherwise: {left}, not compared"


def cost_lines(cost: Row) -> list[str]:
    """What the run took, against the last full run: its same stages, and all of them."""
    lines = [f"took {cost['seconds']:.0f} s over its stages"]
    for name, words in (("same", "the same stages"), ("whole", "all stages")):
        if cost[name]:
            share = f"{100 * cost['seconds'] / cost[name]:.0f}%"
            lines.append(f"{share} of the {cost[name]:.0f} s that {words} of {cost['full']} took")
    return lines


def moved_table(moved: Row, arms: Sequence[str]) -> "Table":
    """A rich table of the moves of some arms; rates in percent, changes in points, with their 95% intervals and n."""
    caption = (
        "percent [95% interval] n, and points; both runs by the policy as it is now. asked anew: the policy now asks "
        "another style or clause; touched: others of the edited categories"
    )
    columns = ("arm", "suite", "cases", "style, old run", "style, this run", "change", "compliance, change", "unscored")
    lines = []
    for row in move_rows(moved):
        if row["arm"] in arms:
            style = row["style"]
            rates = (style["old"], style["new"], style["change"], row["compliance"]["change"])
            lines.append([row["arm"], row["suite"], row["part"], *map(format_rate, rates), str(row["unscored"])])
    return text_table(columns, lines, caption, left=3)
