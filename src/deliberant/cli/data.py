"""The `deliberant data` verbs: what leaves a run. Answers go to stdout, counts to stderr."""

import json
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from deliberant.util.errors import UserError

data_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Take a run's training data elsewhere.")
HUB = "hub"


@data_app.command()
def export(
    where: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder whose sft has finished.")],
    to: Annotated[str, typer.Option(help="A folder, or the word hub, or hub:OWNER/NAME.")],
    name: Annotated[str | None, typer.Option(metavar="OWNER/NAME", help="Of the data set, with --to hub.")] = None,
    rejected: Annotated[bool, typer.Option("--rejected", help="Also what was rejected, with reasons.")] = False,
    public: Annotated[bool, typer.Option("--public", help="On the Hub: for all to see; default is private.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace an export that is there already.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Where it is and its rows, as a JSON object.")] = False,
) -> None:
    """Write the SFT rows and the RL prompts as Parquet with a data set card, to a folder or to the Hub.

    \b
    deliberant data export runs/micro-1a2b3c4d --to my-data
    deliberant data export runs/micro-1a2b3c4d --to my-data --rejected --force
    deliberant data export runs/micro-1a2b3c4d --to hub:me/my-data
    """
    from deliberant.cli.console import RichProgress
    from deliberant.run.run import Run
    from deliberant.stages.export import export as write
    from deliberant.stages.hub import check, push

    word, colon, given = to.partition(":")
    online = word == HUB
    if online and bool(name) == bool(colon):
        raise UserError(f"--to {to}: name the data set once, as --to hub:OWNER/NAME or --to hub --name OWNER/NAME")
    if not online and (name or public):
        raise UserError(f"--to {to}: --name and --public are for the Hub; say --to hub")
    run = Run.reopen(where, RichProgress())
    if online:
        dataset = name or given
        check(dataset)
        with tempfile.TemporaryDirectory() as folder:
            done = write(run, Path(folder), rejected)
            place = push(done.folder, dataset, public, force)
    else:
        done = write(run, Path(to), rejected, force)
        place = to
    counts = ", ".join(f"{rows} {config}" for config, rows in done.rows.items())
    typer.echo(f"rows: {counts}", err=True)
    typer.echo(json.dumps({"to": place, "rows": done.rows}) if as_json else place)
