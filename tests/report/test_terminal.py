from rich.console import Console

from deliberant.evals import rows
from deliberant.report import table
from tests.evals.scored import POLICY, case, cut, scored


def show(built: object) -> str:
    console = Console(width=160, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    console.print(built)
    return console.export_text()


def test_every_rate_has_its_interval_n_and_what_was_not_counted() -> None:
    harmless = case("ok", style="comply", clause=None, harmful=False)
    samples = [
        scored("refuse", cited=("F1",)),
        cut(name="cut"),
        scored("comply", of=harmless),
        scored(None, name="odd"),
    ]
    text = show(table(rows(samples, POLICY, resamples=20)))
    line = next(line for line in text.splitlines() if "unseen" in line)
    assert "50.0 [" in line
    assert "n=2" in line
    assert "1/1/1" in line


def test_a_rate_of_nothing_is_a_dash_and_names_are_not_markup() -> None:
    text = show(table(rows([scored("comply", suite="[bold]", style="comply", harmful=False)], POLICY, resamples=20)))
    assert "[bold]" in text
    assert " - " in text
