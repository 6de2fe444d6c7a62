"""`deliberant plan`: what a recipe will take, and what a run took."""

from typing import TYPE_CHECKING, Any

import typer

from deliberant.cli.opening import find_run
from deliberant.cli.options import AsJson, Overrides, Where, print_json

if TYPE_CHECKING:
    from rich.table import Table

    from deliberant.stages.plan import Plan


def plan(
    where: Where,
    overrides: Overrides = None,
    as_json: AsJson = False,
) -> None:
    """Print what a recipe will take by stage: calls, tokens, dollars, hours; of a run, what it took beside that.

    Nothing is loaded or spent. Hours are those of the speed that `deliberant doctor` measured.

    \b
    deliberant plan recipes/micro.yaml
    deliberant plan runs/micro-1a2b3c4d --json
    """
    from deliberant.cli.console import print_table
    from deliberant.models.cost import read_speeds
    from deliberant.run.loader import load_recipe
    from deliberant.run.sources import load_named_policy, prompt_sets
    from deliberant.stages.plan import compare_with_plan
    from deliberant.stages.plan import plan as plan_of

    run = find_run(where, overrides) if where.is_dir() else None
    if run and (rows := compare_with_plan(run)):
        return print_json(rows) if as_json else print_table(_beside(rows))
    recipe = run.recipe if run else load_recipe(where, overrides or [])
    policy = load_named_policy(recipe.policy)
    world = run.world if run else None
    planned = plan_of(recipe, policy, prompt_sets(recipe, policy), read_speeds(), world)
    if as_json:
        return print_json(planned.as_json())
    print_table(_table(planned))
    for note in planned.notes:
        typer.echo(note)


def _table(planned: "Plan") -> "Table":
    from deliberant.report.templates import figure
    from deliberant.report.terminal import text_table

    lines: list[list[str] | None] = []
    for each in planned.works:
        usage = each.usage
        steps = f"{each.steps:,} steps" if each.steps and not each.calls else f"{each.calls:,}"
        share = f"{usage.cached / usage.input:.0%}" if usage.input else ""
        name = each.model if len(each.model) <= 40 else f"…{each.model[-39:]}"
        cells = (steps, f"{usage.input:,}", share, f"{usage.output:,}", figure(each.dollars, 2), _time(each.hours))
        lines.append([each.stage, each.role, name, *cells])
    total = planned.as_json()["total"]
    hours = [each.hours for each in planned.works if each.hours is not None]
    share = f"{total['cached'] / max(1, total['input']):.0%}"
    counts = (f"{total['calls']:,}", f"{total['input']:,}", share, f"{total['output']:,}")
    last = ["all", "", "", *counts, figure(total["dollars"], 2), _time(sum(hours) if hours else None)]
    columns = ("stage", "role", "model", "calls", "tokens in", "cached", "tokens out", "dollars", "time")
    return text_table(columns, [*lines, None, last], left=3)


def _beside(rows: list[dict[str, Any]]) -> "Table":
    from deliberant.report.templates import figure
    from deliberant.report.terminal import text_table

    lines = []
    for row in rows:
        counts = (figure(value) for key in ("calls", "output") for value in row[key])
        dollars = (figure(value, 2) for value in row["dollars"])
        lines.append([row["stage"], *counts, *dollars, *map(_time, row["hours"])])
    titles = ("calls", "tokens out", "dollars", "time")
    return text_table(["stage", *(name for title in titles for name in (f"{title}\nplanned", "\nactual"))], lines)


def _time(hours: float | None) -> str:
    return "" if hours is None else f"{hours:.1f} h" if hours >= 1 else f"{60 * hours:.1f} min"
