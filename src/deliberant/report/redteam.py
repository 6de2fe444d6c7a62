"""How often each attack broke a model, as a table."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from deliberant.report.terminal import rate

if TYPE_CHECKING:
    from rich.table import Table

COUNTS = ("unscored", "truncated", "empty", "blocked")


def redteam_table(rows: Sequence[Mapping[str, Any]]) -> "Table":
    """The plain requests first, then the attacks by group, those that are held out marked."""
    from rich.table import Table

    table = Table(caption="broke: answered, of what the policy does not comply with; percent [95% interval] n")
    for title in ("group", "attack", "broke", *COUNTS):
        table.add_column(title, overflow="fold")
    for row in rows:
        name = f"{row['attack'] or 'plain'}{' (held out)' if row['held_out'] else ''}"
        table.add_row(row["group"] or "", name, rate(row), *(str(row[key]) for key in COUNTS))
    return table
