"""The `deliberant review` verb: people read a run's samples. The page's address goes to stdout, the rest to stderr."""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from getpass import getuser
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deliberant.cli.options import RunFolder
from deliberant.util.errors import UserError
from deliberant.util.names import one_line

if TYPE_CHECKING:
    from deliberant.review import Samples


OF_THE_PAGE = {"sample": "--sample", "seed": "--seed", "blind": "--blind", "port": "--port", "open_browser": "--open"}
"""Options, by their parameters, that say nothing where no page is served."""


def review(
    context: typer.Context,
    where: RunFolder,
    reviewer: Annotated[str | None, typer.Option(help="Whose labels these are; default is your login name.")] = None,
    sample: Annotated[
        int | None, typer.Option(min=1, help="Read this many, drawn evenly over category by kept and rejected.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of that draw, and of the order.")] = 0,
    blind: Annotated[bool, typer.Option(help="Hide the judge's verdict until you have decided.")] = True,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Of the page; 0 is any free one.")] = 0,
    open_browser: Annotated[bool, typer.Option("--open/--no-open", help="Open the page in a browser.")] = True,
    import_: Annotated[
        Path | None, typer.Option("--import", metavar="FILE", help="Add the labels of a file; serve no page.")
    ] = None,
    export: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the labels that count as JSONL; serve no page.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The labels so far in counts; serve no page.")] = False,
) -> None:
    """Read a run's samples in a local web page: accept, reject, correct the clause, comment.

    Labels are stored in RUN/review/labels.jsonl, each as soon as it is made. A file to import is CSV,
    TSV, JSONL or Parquet with columns sample_id and decision (accept, reject); reviewer, clause and
    comment are optional. One whose time is before that of the reviewer's stored label is left out.

    \b
    deliberant review runs/micro-1a2b3c4d --sample 200 --reviewer ana
    deliberant review runs/micro-1a2b3c4d --import labels.csv --reviewer ben
    deliberant review runs/micro-1a2b3c4d --export labels.jsonl
    deliberant review runs/micro-1a2b3c4d --json
    """
    from deliberant.review import Labels, Samples, check_reviewer, read_labels, select_current, summary
    from deliberant.util.files import check_outputs, write_rows

    if no_page := [name for name, value in (("--import", import_), ("--export", export), ("--json", as_json)) if value]:
        idle = OF_THE_PAGE if import_ else {**OF_THE_PAGE, "reviewer": "--reviewer"}
        if stray := [option for name, option in idle.items() if _is_given(context, name)]:
            raise UserError(f"{stray[0]}: says nothing to {no_page[0]}, which serves no page; leave one of the two out")
    samples = Samples(where)
    store = Labels(samples)
    check_outputs([export], [store.path, where, import_])
    if import_ is not None:
        read = read_labels(import_, samples, check_reviewer(_whose(reviewer)))
        new, older = store.add(read.labels)
        known = len(read.labels) - new - older
        typer.echo(f"{len(read.labels)} labels read, {new} added, {known} known before", err=True)
        if older:
            typer.echo(f"{older} labels left out: their reviewer has said otherwise since", err=True)
        if read.unused:
            typer.echo(one_line(f"columns left out: {', '.join(read.unused)}"), err=True)
    labels = store.read()
    counted, stale = select_current(labels, samples)
    if export is not None:
        write_rows(export, counted.values())
        left = f", {stale} of other texts left out" if stale else ""
        typer.echo(f"{len(counted)} labels in {export}{left}", err=True)
    if import_ is None and export is None and not as_json:
        _serve(samples, _whose(reviewer), sample, seed, blind, port, open_browser)
        labels = store.read()
    counts = summary(samples, labels)
    for line in [json.dumps(counts, ensure_ascii=False)] if as_json else _lines(counts):
        typer.echo(line, err=not as_json)


def _is_given(context: typer.Context, name: str) -> bool:
    return getattr(context.get_parameter_source(name), "name", "DEFAULT") != "DEFAULT"


def _whose(reviewer: str | None) -> str:
    """The name given, or the user's login name. UserError where the system knows none, as in some containers."""
    try:
        return getuser() if reviewer is None else reviewer
    except (KeyError, OSError, ImportError):
        raise UserError("--reviewer: you have no login name here; say whose labels these are") from None


def _serve(
    samples: "Samples", reviewer: str, n: int | None, seed: int, blind: bool, port: int, open_browser: bool
) -> None:
    """Serve the page until Ctrl-C."""
    import webbrowser

    from deliberant.review import Labels, draw
    from deliberant.review.server import Server
    from deliberant.review.session import Session

    drawn = draw(samples.entries, n, seed)
    if n is not None and n > len(drawn):
        typer.echo(f"--sample {n}: the run has {len(drawn)} samples, so all are shown", err=True)
    session = Session(samples, Labels(samples), drawn, reviewer, blind)
    with Server(session, port) as server:
        typer.echo(
            f"{session.reviewed} of {len(session.entries)} reviewed by {reviewer}; "
            f"labels go to {session.labels.path}; Ctrl-C ends",
            err=True,
        )
        typer.echo(server.url)
        sys.stdout.flush()
        # without a display Python would start a browser in this terminal
        if open_browser and (sys.platform == "darwin" or {"DISPLAY", "WAYLAND_DISPLAY"} & os.environ.keys()):
            webbrowser.open(server.url)
        with suppress(KeyboardInterrupt):
            server.serve_forever()
        typer.echo("", err=True)


def _lines(counts: dict[str, Any]) -> Iterator[str]:
    yield f"{counts['labelled']} of {counts['samples']} samples have a label"
    for name, mine in counts["reviewers"].items():
        yield f"  {name}: " + ", ".join(f"{value} {word.replace('_', ' ')}" for word, value in mine.items())
    for name in ("read_by_several", "conflicting", "replaced", "of_other_texts"):
        if counts[name]:
            yield f"{counts[name]} {name.replace('_', ' ')}"
