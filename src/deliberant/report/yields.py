"""What became of the prompts that generators were asked for: counts, and the share that was kept with its interval."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from deliberant.evals.statistics import Tally, rate
from deliberant.generators.types import DUPLICATE, KEPT, MALFORMED, OFF_CATEGORY, OUTCOMES, UNSCORED, Settled

if TYPE_CHECKING:
    from rich.table import Table

ALL = "all"
TITLES = ("asked", "made", MALFORMED, DUPLICATE, OFF_CATEGORY, UNSCORED, KEPT)


def yields(found: Settled) -> list[dict[str, Any]]:
    """A row for each generator, then one for all: {generator, asked, made, malformed, ..., kept, value, low, high, n}.

    asked = malformed + made, made = duplicate + off-category + unscored + kept. `value` is kept of asked, its interval
    95%, families resampled.
    """
    everything = [each for outcomes in found.outcomes.values() for each in outcomes]
    return [_row(name, outcomes) for name, outcomes in {**found.outcomes, ALL: everything}.items()]


def _row(name: str, outcomes: Sequence[tuple[str, str]]) -> dict[str, Any]:
    counts = {outcome: sum(each == outcome for each, _ in outcomes) for outcome in OUTCOMES}
    share = rate([Tally(int(outcome == KEPT), 1) for outcome, _ in outcomes], [family for _, family in outcomes])
    row = {"generator": name, "asked": len(outcomes), "made": len(outcomes) - counts[MALFORMED], **counts}
    assert row["made"] == sum(counts[outcome] for outcome in OUTCOMES if outcome != MALFORMED)
    return {**row, **asdict(share)}


def yields_table(rows: Sequence[dict[str, Any]]) -> "Table":
    """A rich table of the rows."""
    from rich.table import Table
    from rich.text import Text

    from deliberant.report.terminal import rate as words

    built = Table(caption="kept of asked in percent [95% interval]")
    for title in ("generator", *TITLES, "yield"):
        built.add_column(title, justify="left" if title == "generator" else "right", no_wrap=True)
    for row in rows:
        if row["generator"] == ALL:
            built.add_section()
        built.add_row(Text(row["generator"]), *(str(row[title]) for title in TITLES), Text(words(row)))
    return built
