"""What the command line shows: progress on stderr, tables and streamed answers. Imported inside the verbs."""

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from deliberant.models.splitter import Parts, split

if TYPE_CHECKING:
    from deliberant.micro.measure import Figure

COLUMNS = ("arm", "suite", "metric", "value", "95% interval", "n", "unscored", "truncated", "empty")
FIGURE_LINE = "{:46} {:>7}  {:>14} {:>6} {:>8}  {}"


class _RichBar:
    def __init__(self, progress: Progress, task: TaskID) -> None:
        self._progress, self._task = progress, task

    def advance(self, n: int = 1) -> None:
        self._progress.advance(self._task, n)


class RichProgress:
    """Progress bars on stderr."""

    @contextmanager
    def __call__(self, label: str, total: int) -> Iterator[_RichBar]:
        columns = (TextColumn("{task.description:12}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        with Progress(*columns, console=Console(stderr=True)) as progress:
            yield _RichBar(progress, progress.add_task(label, total=total))


def print_results(rows: Sequence[Mapping[str, Any]]) -> None:
    """Result rows as a table on stdout: every rate with its interval, n and what could not be scored."""
    table = Table(*COLUMNS)
    for row in rows:
        value = "-" if row["value"] is None else f"{row['value']:.3f}"
        interval = "-" if row["low"] is None else f"{row['low']:.3f} to {row['high']:.3f}"
        counts = (str(row.get(name, "-")) for name in ("n", "unscored", "truncated", "empty"))
        table.add_row(row["arm"], row["suite"], row["metric"], value, interval, *counts)
    print_table(table)


def print_table(table: Table) -> None:
    """A table on stdout, wide enough to be read in a pipe."""
    Console(width=None if sys.stdout.isatty() else 140).print(table)


def pretraining_line(row: Mapping[str, Any], total: int) -> str:
    """One report of `micro pretrain`, of `total` tokens: how far, how well, how fast, how much longer."""
    left = timedelta(seconds=max(0, total - row["tokens"]) // max(1, row["tokens_per_s"]))
    line = (
        f"{row['tokens'] / 1e6:.2f}M of {total / 1e6:.2f}M tokens  loss {row['loss']:.4f}  "
        f"{row['tokens_per_s']} tokens/s  {left} left"
    )
    turns = "  ".join(f"{name} {share:.0%}" for name, share in row.get("exact", {}).items())
    return f"{line}  exact turns: {turns}" if turns else line


def figure_lines(figures: Iterable["Figure"]) -> Iterator[str]:
    """A table of measured shares in percent, line by line as they come, and whether each reaches its target."""
    yield FIGURE_LINE.format("figure", "value %", "95% interval", "n", "target %", "").rstrip()
    marks = {None: "", True: "pass", False: "miss"}
    for each in figures:
        interval = f"{each.low:.1%} to {each.high:.1%}".replace("%", "")
        target = "-" if each.target is None else f"{100 * each.target:.1f}"
        cells = (each.name, f"{100 * each.value:.1f}", interval, each.n, target, marks[each.reached])
        yield FIGURE_LINE.format(*cells).rstrip()


def print_stream(pieces: Iterable[str], prefilled: bool) -> Parts:
    """Stream one completion, reasoning dim on stderr and the answer on stdout; returns its final parts."""
    reasoning, answer = Console(stderr=True, style="dim", highlight=False), Console(highlight=False)
    text, thought, said = "", "", ""
    for piece in pieces:
        text += piece
        parts = split(_whole_tags(text), prefilled)
        reasoning.print(parts.reasoning[len(thought) :], end="", markup=False, soft_wrap=True)
        thought = max(thought, parts.reasoning, key=len)
        if parts.answer and not said:
            reasoning.print("\n")
        answer.print(parts.answer[len(said) :], end="", markup=False, soft_wrap=True)
        said = max(said, parts.answer, key=len)
    answer.print()
    return split(text, prefilled)


def _whole_tags(text: str) -> str:
    """The text without a tag that has only begun."""
    start = text.rfind("<")
    return text if start < 0 or ">" in text[start:] else text[:start]
