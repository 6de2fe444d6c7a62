import re

import pytest

from deliberant.report import render
from deliberant.report.coverage import ALL, NO_CLAUSE, ClauseRow, Coverage, Tally, add_tallies, titles
from deliberant.report.terminal import coverage_table
from deliberant.util.errors import RunError
from tests.report.test_page import HOSTILE, Tags, both, evidence

PLAIN, FICTION = ("plain", "xstest"), ("fiction", "xstest")
CELLS = {PLAIN: Tally(3, 8, 6), FICTION: Tally(1, 2, 0)}
FOUND = Coverage(
    (FICTION, PLAIN),
    (
        ClauseRow("F1", "fire", "refuse", add_tallies(CELLS.values()), CELLS),
        ClauseRow("F2", "fire", "safe_complete", Tally(), {}),
        ClauseRow(NO_CLAUSE, None, None, Tally(1, 1, 0), {PLAIN: Tally(1, 1, 0)}),
        ClauseRow(ALL, None, None, Tally(4, 11, 6), {PLAIN: Tally(3, 9, 6), FICTION: Tally(1, 2, 0)}),
    ),
)


def test_a_tally_has_its_rate_and_interval() -> None:
    row = Tally(3, 8, 6).row()
    assert (row["prompts"], row["samples"], row["kept"], row["value"]) == (3, 8, 6, 0.75)
    assert row["low"] == pytest.approx(0.4093, abs=1e-3) and row["high"] == pytest.approx(0.9285, abs=1e-3)
    assert Tally().row()["value"] is None
    assert FOUND.rows[0].total == Tally(4, 10, 6)


def test_thin_clauses_are_named_and_other_rows_are_not() -> None:
    assert [row.name for row in FOUND.thin(7)] == ["F1", "F2"]
    with pytest.raises(RunError, match=r"coverage: 1 of 2 clauses have fewer than 6 kept samples: F2 \(0\); add"):
        FOUND.check(6)
    Coverage(FOUND.columns, FOUND.rows[:1]).check(6)


def test_columns_are_called_by_what_differs() -> None:
    assert titles([PLAIN, FICTION]) == ["plain", "fiction"]
    assert titles([PLAIN, ("plain", "mine")]) == ["xstest", "mine"]
    assert titles([PLAIN, ("fiction", "mine")]) == ["plain, xstest", "fiction, mine"]


def test_json_has_every_row_with_its_cells() -> None:
    rows = FOUND.json()
    assert [row["clause"] for row in rows] == ["F1", "F2", "no clause", "all samples"]
    assert rows[0]["style"] == "refuse" and rows[0]["kept"] == 6
    assert [(cell["framing"], cell["samples"]) for cell in rows[0]["cells"]] == [("fiction", 2), ("plain", 8)]
    assert rows[1]["cells"] == [] and rows[1]["value"] is None


def test_the_table_shows_counts_rates_and_cells() -> None:
    from rich.console import Console

    console = Console(width=160)
    with console.capture() as caught:
        console.print(coverage_table(FOUND))
    text = caught.get()
    line = next(line for line in text.splitlines() if "F1" in line)
    assert re.findall(r"[\w./-]+(?: \[[\d., ]+\])?", line)[0] == "F1"
    assert "60.0 [31.3, 83.2]" in line and "6/8" in line and "0/2" in line


def test_too_many_columns_are_left_to_json_and_said_so() -> None:
    columns = tuple(("plain", f"source {number}") for number in range(9))
    table = coverage_table(Coverage(columns, FOUND.rows))
    assert len(table.columns) == 7
    assert "9 framings and sources are too many to show: see --json" in str(table.caption)


def map_of(coverage: Coverage) -> Tags:
    html = render(evidence({"sft": both()}, coverage=coverage))
    return Tags(html[html.index('<section id="coverage">') : html.index('<section id="samples">')])


def test_the_map_says_in_numbers_what_it_shades() -> None:
    page = map_of(FOUND)
    assert page.text.count("6/8") == 1 and page.text.count("6/10") == 1
    cells = [dict(at) for tag, at in page.tags if tag == "td"]
    shades = [str(at["style"]) for at in cells if "style" in at]
    assert len(cells) == 4 * 3 and len(shades) == 2 + 1 + 1 + 1 + 2 + 1
    assert max(int(shade.removeprefix("--kept:").removesuffix("%")) for shade in shades) <= 60, "legible on it"
    assert page.text.count("\N{EN DASH}") == 4


def test_names_in_the_map_are_escaped() -> None:
    column = (HOSTILE, HOSTILE)
    page = map_of(
        Coverage((column,), (ClauseRow(HOSTILE, "fire", "refuse", Tally(1, 1, 1), {column: Tally(1, 1, 1)}),))
    )
    assert not {tag for tag, _ in page.tags} & {"script", "img"} and page.text.count(HOSTILE) == 2
