"""The `deliberant data` verbs: public sets, and what leaves a run. Answers go to stdout, the rest to stderr."""

import tempfile
from pathlib import Path
from typing import Annotated

import typer

from deliberant.cli.options import AsJson, print_json
from deliberant.util.errors import UserError

data_app = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="Fetch public prompt sets; take a run's training data elsewhere."
)


@data_app.command("list")
def list_sets(as_json: AsJson = False) -> None:
    """Show the public sets that evaluation knows: licence, size, and whether they are on this machine.

    \b
    deliberant data list
    deliberant data list --json | jq '.[] | select(.here) | .name'
    """
    from deliberant.prompts.sets import account

    rows = account()
    if as_json:
        return print_json(rows)
    for row in rows:
        state = "here" if row["here"] else f"click: {row['click']}" if row["click"] else "to fetch"
        size = f"{row['bytes'] / 1000:,.0f} kB" if row["bytes"] else "-"
        more = f" in {', '.join(row['languages'])}" if row["languages"] else ""
        typer.echo(f"{row['name']:20} {state:9} {size:>9}  {row['licence']}; {row['title']}{more}")


@data_app.command()
def fetch(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="NAME...", help="Sets, such as xstest or xsafety:fr.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every set whose licence asks for no click.")] = False,
    as_json: AsJson = False,
) -> None:
    """Download public sets at pinned revisions, check size and sha256, and print where they are.

    They go to the cache of this machine. DELIBERANT_DATA names a folder of your own copies, which come first.

    \b
    deliberant data fetch xstest simplesafetytests
    deliberant data fetch --all
    """
    from deliberant.cli.console import RichProgress
    from deliberant.prompts import sets

    if bool(names) == everything:
        raise UserError("name the sets to fetch, or say --all; `deliberant data list` shows them")
    chosen = [sets.choose(name) for name in names or [each for each, data in sets.sets().items() if data.base]]
    rows = []
    for each in chosen:
        paths = sets.fetch(each, RichProgress())
        rows.append({"name": each.name, "files": [str(path) for path in paths], "licence": each.data.licence})
        typer.echo(f"{each.name}: licence {each.data.licence}, {each.data.home}", err=True)
        if not as_json:
            typer.echo("\n".join(map(str, paths)))
    if as_json:
        print_json(rows)


@data_app.command()
def export(
    where: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder whose sft has finished.")],
    to: Annotated[str, typer.Option(help="A folder, or hub:OWNER/NAME.")],
    rejected: Annotated[bool, typer.Option("--rejected", help="Also what was rejected, with reasons.")] = False,
    public: Annotated[bool, typer.Option("--public", help="On the Hub: for all to see; default is private.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace an export that is there already.")] = False,
    as_json: AsJson = False,
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

    place, _, dataset = to.partition(":")
    online = place == "hub"
    if public and not online:
        raise UserError(f"--to {to}: --public is for the Hub; say --to hub:OWNER/NAME")
    run = Run.reopen(where, RichProgress())
    if online:
        check(dataset)
        with tempfile.TemporaryDirectory() as folder:
            rows = write(run, Path(folder), rejected)
            to = push(Path(folder), dataset, public, force)
    else:
        rows = write(run, Path(to), rejected, force)
    counts = ", ".join(f"{number} {config}" for config, number in rows.items())
    typer.echo(f"rows: {counts}", err=True)
    if as_json:
        return print_json({"to": to, "rows": rows}, None)
    typer.echo(to)
