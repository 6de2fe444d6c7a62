"""`deliberant plan`: what a recipe will take, and what a run took."""

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deliberant.cli.options import Where
from deliberant.cli.stages import Overrides, open_run

if TYPE_CHECKING:
    from rich.table import Table

    from deliberant.stages.plan import Plan


def plan(
    where: Where,
    overrides: Overrides = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead of a table.")] = False,
) -> None:
    """Print what a recipe will take by stage: calls, tokens, dollars, hours; of a run, what it took beside that.

    Nothing is loaded or spent. Hours are those of the speed that `deliberant doctor` measured.

    \b
    deliberant plan recipes/micro.yaml
    deliberant plan runs/micro-1a2b3c4d --json
    """
    from deliberant.cli.console import print_table
    from deliberant.stages.plan import compared

    if where.is_dir():
        run = open_run(where, overrides)
        if rows := compared(run):
            if as_json:
                typer.echo(json.dumps(rows, ensure_ascii=False, indent=1))
            else:
                print_table(_beside(rows))
            return
        found = _planned(run.recipe, run.world)
    else:
        from deliberant.run.loader import load_recipe

        found = _planned(load_recipe(where, overrides or []), None)
    if as_json:
        typer.echo(json.dumps(found.as_json(), ensure_ascii=False, indent=1))
        return
    print_table(_table(found))
    for note in found.notes:
        typer.echo(note)


def _planned(recipe: Any, world: str | None) -> "Plan":
    from deliberant.models.cost import known_speeds
    from deliberant.run.sources import policy_named, prompt_sets
    from deliberant.stages.plan import plan as planned

    policy = policy_named(recipe.policy)
    return planned(recipe, policy, prompt_sets(recipe, policy), known_speeds(), world)


def _table(found: "Plan") -> "Table":
    from rich.table import Table

    table = Table()
    for name in ("stage", "role", "model"):
        table.add_column(name, overflow="fold")
    for name in ("calls", "tokens in", "cached", "tokens out", "dollars", "hours"):
        table.add_column(name, justify="right")
    for each in found.works:
        usage = each.usage
        steps = f"{each.steps:,} steps" if each.steps and not each.calls else f"{each.calls:,}"
        share = f"{usage.cached / usage.input:.0%}" if usage.input else ""
        name = each.model if len(each.model) <= 40 else f"…{each.model[-39:]}"
        cells = (steps, f"{usage.input:,}", share, f"{usage.output:,}", _dollars(each.dollars), _hours(each.hours))
        table.add_row(each.stage, each.role, name, *cells)
    total = found.as_json()["total"]
    hours = [each.hours for each in found.works if each.hours is not None]
    share = f"{total['cached'] / max(1, total['input']):.0%}"
    table.add_section()
    table.add_row(
        *("all", "", "", f"{total['calls']:,}", f"{total['input']:,}", share, f"{total['output']:,}"),
        *(_dollars(total["dollars"]), _hours(sum(hours) if hours else None)),
    )
    return table


def _beside(rows: list[dict[str, Any]]) -> "Table":
    from rich.table import Table

    table = Table("stage")
    for name in ("calls", "tokens out", "dollars", "hours"):
        table.add_column(f"{name}\nplanned", justify="right")
        table.add_column("\nactual", justify="right")
    for row in rows:
        cells = [_whole(value) for key in ("calls", "output") for value in row[key]]
        cells += [_dollars(value) for value in row["dollars"]] + [_hours(value) for value in row["hours"]]
        table.add_row(row["stage"], *cells)
    return table


def _whole(value: float | None) -> str:
    return "" if value is None else f"{value:,.0f}"


def _dollars(value: float | None) -> str:
    return "" if value is None else f"{value:,.2f}"


def _hours(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}" if value >= 0.1 else f"{value:.4f}"
