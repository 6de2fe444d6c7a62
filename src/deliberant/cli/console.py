"""What the command line shows: progress on stderr, tables and streamed answers. Imported inside the verbs."""

import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from deliberant.models.formats import Parts
from deliberant.util.names import one_line
from deliberant.util.progress import Bar, NullProgress

if TYPE_CHECKING:
    from deliberant.generators import Settled
    from deliberant.judge.labelling import Labelled
    from deliberant.micro.measure import Figure
    from deliberant.policy.outline import Outline
    from deliberant.prompts.census import Census
    from deliberant.prompts.dedupe import DedupeCounts
    from deliberant.prompts.importing import Import
    from deliberant.prompts.split import SplitCounts
    from deliberant.review.hints import Account

LATE = 1.0
"""Seconds after which a brief piece of work gets a bar."""
SHOWN = 20
"""Skipped rows that are shown; the file lists them all."""
FIGURE_LINE = "{:46} {:>7}  {:>14} {:>6} {:>8}  {}"


class StepProgress:
    """Progress that tells `show` of every step: the label, the label's total, and the steps done since."""

    def __init__(self, show: Callable[[str, int, int], None], label: str = "", total: int = 0) -> None:
        self.show, self.label, self.total = show, label, total

    def __call__(self, label: str, total: int, brief: bool = False) -> AbstractContextManager[Bar]:
        if brief:
            return nullcontext(NullProgress())
        bar = StepProgress(self.show, label, total)
        bar.advance(0)
        return nullcontext(bar)

    def advance(self, n: int = 1) -> None:
        self.show(self.label, self.total, n)


class RichProgress:
    """Progress bars on stderr. A brief one stands below the others from its second second on, and goes at its end.

    No terminal, no brief ones: a log would get their empty lines.
    """

    def __init__(self) -> None:
        self._console = Console(stderr=True)

    @contextmanager
    def __call__(self, label: str, total: int, brief: bool = False) -> Iterator[Bar]:
        if brief and not self._console.is_terminal:
            yield NullProgress()
            return
        bars = bars_on(self._console, transient=brief)
        task, began = bars.add_task(label, total=total), time.monotonic()

        def show() -> None:
            bars.start()
            bars.refresh()

        class Shown:
            def advance(self, n: int = 1) -> None:
                bars.advance(task, n)
                if not bars.live.is_started and time.monotonic() - began > LATE:
                    show()

        if not brief or total == 1:
            show()
        try:
            yield Shown()
        finally:
            bars.stop()


def bars_on(console: Console, transient: bool = False) -> Progress:
    columns = (TextColumn("{task.description:14}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=console, transient=transient)


@contextmanager
def show_bars() -> Iterator[Callable[[str, int, int], None]]:
    """Many bars on stderr at once: what it yields takes a label, the label's total, and the steps done since."""
    tasks: dict[str, TaskID] = {}
    with bars_on(Console(stderr=True)) as progress:

        def show(label: str, total: int, n: int) -> None:
            if label not in tasks:
                tasks[label] = progress.add_task(label, total=total)
            progress.advance(tasks[label], n)

        yield show


def print_table(table: Table) -> None:
    """A table on stdout, wide enough to be read in a pipe."""
    Console(width=None if sys.stdout.isatty() else 160).print(table)


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


ROLE_COLOURS = {
    "category": "bold cyan",
    "label": "magenta",
    "clause": "green",
    "examples": "yellow",
    "exclusions": "red",
}


def print_outline(outline: "Outline") -> None:
    """What stands where in a source, and what each part would become; `?` where no layout knows a heading."""
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 140)
    console.print(str(outline.file), style="bold", markup=False)
    for part in outline.root.walk():
        depth = sum(1 for _ in part.parents()) - 1
        above = next((each.role for each in part.parents() if each.role), "")
        role = part.role or f"of that {above}"
        named = part.kind in ("heading", "bold", "capitals") and role in ("text", "group") and not part.means.section
        what = " ".join(filter(None, [part.style or "", role, "?" if named else ""]))
        lines = f"{part.line}-{part.end}" if part.end > part.line else f"{part.line}"
        text = Text(f"{lines:>9}  {'  ' * depth}{one_line(part.title, 60) or part.kind}")
        text.append(f"  -> {what}", style=ROLE_COLOURS.get(part.role.split()[-1] if part.role else "", "dim"))
        console.print(text, overflow="ellipsis", no_wrap=True)


def import_lines(account: "Import", to: Path, skipped: Path) -> Iterator[str]:
    """What `prompts import` did: first what came of it, then what did not."""
    yield f"{account.prompts} prompts in {to}"
    if account.skipped:
        yield f"{len(account.skipped)} rows skipped, listed in {skipped}:"
        yield from (f"  {at}: {why}" for at, why in account.skipped[:SHOWN])
        if len(account.skipped) > SHOWN:
            yield f"  and {len(account.skipped) - SHOWN} more"
    notes = {"id": "numbered for want of an id", "family": "a family of their own"}
    notes |= {"category": "outside every category", "suite": "in a suite named after the file"}
    notes |= {"harmful": "harmful where the truth is refuse, for want of a column"}
    yield from (f"{count} {notes[name]}" for name, count in account.defaulted.items())
    yield from (f"{count} {what}" for what, count in account.left.items())
    yield from (f"{count} {what}" for what, count in account.read.items())
    if account.unmapped:
        listed = ", ".join(f"{value} {count}" for value, count in account.unmapped.most_common())
        yield f"values without a map, kept as they are: {listed}"
    if account.copies:
        yield f"{account.copies} copies of another prompt's text; `deliberant prompts dedupe` takes them out"
    if account.unused:
        yield f"columns left out: {', '.join(sorted(account.unused))}"


def census_lines(counts: "Census") -> Iterator[str]:
    """What `prompts check` counted."""
    yield f"{counts.prompts} prompts in {counts.families} families, no mistakes"
    several = {"of several turns": counts.several_turns, "with a system message": counts.with_system}
    several |= {"of several categories": counts.several_categories, "with hints": counts.hinted}
    several |= {"with the clause in a hint": counts.hinted_clause}
    several |= {"with control characters, kept as they are": counts.control}
    yield from (f"{count} {what}" for what, count in several.items() if count)
    for name in ("category", "source", "licence", "framing") if counts.prompts else ():
        yield f"{name}: " + ", ".join(f"{value} {count}" for value, count in getattr(counts, name).most_common())
    if counts.missing:
        yield f"categories without a prompt: {', '.join(counts.missing)}"


def deduped_lines(counts: "DedupeCounts") -> Iterator[str]:
    """What `prompts dedupe` removed."""
    yield f"{counts.kept} of {counts.rows} prompts stay"
    if counts.evaluation:
        yield f"{counts.contaminated} removed: like one of {counts.evaluation} texts of the evaluation"
    yield f"{counts.exact} removed: exact duplicates"
    yield f"{counts.near} removed: near-duplicates (similarity {counts.threshold:g} and more)"
    yield from _skipped(counts.skipped)
    yield f"removed prompts, and what each was like: {counts.removed}"


def split_lines(split: "SplitCounts", to: Path) -> Iterator[str]:
    """How `prompts split` divided."""
    yield f"{split.train} to train on, {split.held_out} held out ({split.held_out / split.rows:.1%}), in {to}"
    yield f"{split.families} families in {split.sets} sets that stay together, the largest of {split.largest} prompts"
    if split.joined:
        yield f"{split.joined} families share a set with near-duplicates of theirs in another one"
    yield from _skipped(split.skipped)


def hint_lines(account: "Account", to: Path) -> Iterator[str]:
    """What `prompts hints` did."""
    styles = ", ".join(f"{style} {count}" for style, count in account.styles.most_common()) or "none"
    yield f"{account.hinted} of {account.prompts} prompts have a hint of the review ({styles}), in {to}"
    if account.hinted:
        yield f"{account.with_clause} of the hints name a clause; for the others its reviewers name several"
    left = {
        "conflicting": "left out: too few reviewers say one style",
        "undecided": "left out: a reviewer says two styles",
    }
    left |= {"silent": "left out: no label tells a style", "other_text": "left out: another text was read"}
    yield from (f"{count} {what}" for name, what in left.items() if (count := getattr(account, name)))
    if account.stale:
        yield f"{account.stale} labels left out: of other texts than this run's"


def label_lines(result: "Labelled", to: Path) -> Iterator[str]:
    """What `prompts label` did."""
    from deliberant.judge.labelling import readings_file, unlabelled_file

    named = [label for label in result.labels.values() if label.categories is not None]
    yield f"{result.kept + len(named)} prompts in {to}: {result.kept} labelled before, {len(named)} by the model"
    if named:
        unanimous = sum(label.share == 1 for label in named)
        yield f"of those {len(named)}, all readings agree on {unanimous}; every reading: {readings_file(to)}"
    if result.unlabelled:
        reasons = Counter(label.unscored for label in result.labels.values() if label.categories is None)
        listed = ", ".join(f"{why} {count}" for why, count in reasons.most_common())
        yield f"{result.unlabelled} without a label ({listed}), in {unlabelled_file(to)}"


def settled_lines(settled: "Settled", to: Path, rejected: Path | None) -> Iterator[str]:
    """What a generator left, below its yields; `rejected`: the file that lists what was not kept, if one was wanted."""
    yield f"{len(settled.kept)} prompts in {to}"
    if settled.rejected:
        yield f"{len(settled.rejected)} rejected; " + (
            f"listed in {rejected}" if rejected else "list them with --rejected FILE"
        )
    if settled.hints:
        yield f"{settled.hints} hints of source prompts dropped: what is asked is something else now"
    if settled.skipped:
        yield f"{settled.skipped} prompts, in groups of many that look alike, were not compared with all of them"


def _skipped(count: int) -> Iterator[str]:
    if count:
        yield f"{count} prompts, in groups of many that look alike, were not compared with all of their group"


def print_stream(stream: Iterable[Parts]) -> Parts:
    """Stream one completion, reasoning dim on stderr and the answer on stdout; returns its final parts."""
    reasoning, answer = Console(stderr=True, style="dim", highlight=False), Console(highlight=False)
    parts, thought, said = Parts("", "", False), "", ""
    for parts in stream:
        settled = parts.reasoning if parts.complete else _without_half_tag(parts.reasoning)
        reasoning.print(settled[len(thought) :], end="", markup=False, soft_wrap=True)
        thought = max(thought, settled, key=len)
        if parts.answer and not said:
            reasoning.print("\n")
        answer.print(parts.answer[len(said) :], end="", markup=False, soft_wrap=True)
        said = max(said, parts.answer, key=len)
    reasoning.print(parts.reasoning[len(thought) :], end="" if said else "\n", markup=False, soft_wrap=True)
    answer.print()
    return parts


def _without_half_tag(text: str) -> str:
    """The text without a tag that has only begun."""
    start = max(text.rfind("<"), text.rfind("["))
    return text if start < 0 or any(end in text[start:] for end in ">]") else text[:start]
