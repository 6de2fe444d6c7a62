import io
from collections.abc import Iterable

from rich.console import Console
from rich.table import Table

from deliberant.evals import rows
from deliberant.report import result_tables, suite_tables
from tests.evals.scored import POLICY, case, cut, scored


def show(built: Iterable[Table], width: int = 160) -> str:
    console = Console(width=width, record=True, file=io.StringIO())
    console.print(*built)
    return console.export_text()


def test_every_rate_has_its_interval_n_and_what_was_not_counted() -> None:
    harmless = case("ok", style="comply", clause=None, harmful=False)
    samples = [
        scored("refuse", cited=("F1",)),
        cut(name="cut"),
        scored("comply", of=harmless),
        scored(None, name="odd"),
    ]
    text = show(suite_tables(rows(samples, POLICY, resamples=20)))
    line = next(line for line in text.splitlines() if "sft" in line)
    assert "50.0 [" in line
    assert "n=2" in line
    assert "1/1/1" in line


def test_a_rate_of_nothing_is_a_dash_and_names_are_not_markup() -> None:
    odd = scored("comply", suite="[bold]", style="comply", harmful=False)
    text = show(suite_tables(rows([odd], POLICY, resamples=20)))
    assert "[bold]" in text
    assert " - " in text


def test_names_and_rates_stand_whole_in_80_columns() -> None:
    measured = rows([scored("refuse", cited=("F1",)), cut(name="cut")], POLICY, resamples=20)
    text = show(result_tables(measured), 80)
    for row in measured:
        assert f"│ {row['metric']} " in text
    assert "unseen, sft" in text and "0.500 [0." in text
    assert max(map(len, show(suite_tables(measured), 80).splitlines())) <= 80
