"""What became of the prompts that generators were asked for: counts, and the share that was kept with its interval."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from deliberant.evals.statistics import Tally, rate
from deliberant.generators.types import DUPLICATE, KEPT, MALFORMED, OFF_CATEGORY, OUTCOMES, UNSCORED, Settled
from deliberant.report.terminal import format_rate as in_words
from deliberant.report.terminal import text_table

if TYPE_CHECKING:
    from rich.table import Table

ALL = "all"
TITLES = ("asked", "made", MALFORMED, DUPLICATE, OFF_CATEGORY, UNSCORED, KEPT)


def yields(settled: Settled) -> list[dict[str, Any]]:
    """A row for each generator, then one for all: {generator, asked, made, malformed, ..., kept, value, low, high, n}.

    asked = malformed + made, made = duplicate + off-category + unscored + kept. `value` is kept of asked, its interval
    95%, families resampled.
    """
    everything = [outcome for outcomes in settled.outcomes.values() for outcome in outcomes]
    return [_row(name, outcomes) for name, outcomes in {**settled.outcomes, ALL: everything}.items()]


def _row(name: str, outcomes: Sequence[tuple[str, str]]) -> dict[str, Any]:
    counts = {outcome: sum(each == outcome for each, _ in outcomes) for outcome in OUTCOMES}
    share = rate([Tally(int(outcome == KEPT), 1) for outcome, _ in outcomes], [family for _, family in outcomes])
    row = {"generator": name, "asked": len(outcomes), "made": len(outcomes) - counts[MALFORMED], **counts}
    assert row["made"] == sum(counts[outcome] for outcome in OUTCOMES if outcome != MALFORMED)
    return {**row, **asdict(share)}


def yields_table(rows: Sequence[dict[str, Any]]) -> "Table":
    """A rich table of the rows, which end with those of all generators."""
    lines = [[row["generator"], *(str(row[title]) for title in TITLES), in_words(row)] for row in rows]
    columns = ("generator", *TITLES, "yield")
    return text_table(columns, [*lines[:-1], None, lines[-1]], "kept of asked in percent [95% interval]")
