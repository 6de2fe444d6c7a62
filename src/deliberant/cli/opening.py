"""The run that a verb is given, and the work of one stage of it."""

from datetime import timedelta
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from deliberant.run.arms import ARMS
from deliberant.util.errors import UserError
from deliberant.util.processes import is_leader, join

if TYPE_CHECKING:
    from deliberant.run.run import Run

RUNS = Path("runs")


def find_run(where: Path, overrides: list[str] | None = None, root: Path = RUNS, make: bool = True) -> "Run":
    """The run of a recipe, its folder made unless `make` says no, or an existing run folder."""
    from deliberant.cli.console import RichProgress
    from deliberant.run.loader import load_recipe
    from deliberant.run.opening import open_run
    from deliberant.run.run import Run
    from deliberant.util.progress import NullProgress

    join()
    progress = RichProgress() if is_leader() else NullProgress()
    if not where.exists() and where.suffix not in (".yaml", ".yml"):
        runs = sorted(each.parent.name for each in where.parent.glob("*/run.json"))
        raise UserError(f"{where}: there is no such run folder; {where.parent} has {', '.join(runs) or 'none'}")
    if not where.is_dir():
        return open_run(load_recipe(where, overrides or []), root, progress, make)
    if overrides:
        raise UserError(
            f"{where}: a run's recipe is settled; give --set together with the recipe for a new run (--from likewise)"
        )
    return Run.reopen(where, progress)


def work(run: "Run", stage: str) -> None:
    """Run one stage, which returns at once where it has already finished; of several processes the leader does.

    All take part in training.
    """
    arm = ARMS.get(stage)
    if not (arm or is_leader()):
        return
    name, _, evaluated = (str(arm.stage), "", stage) if arm else stage.partition("/")
    function = getattr(import_module(f"deliberant.stages.{name}"), name)
    function(*((run, evaluated) if evaluated else (run,)))


def show_yield(run: "Run", stage: str) -> None:
    """A line on stderr about a finished stage: what was kept, why the rest was not, and what nothing teaches."""
    from deliberant.run.folder import read_manifest

    manifest = read_manifest(run.root / stage)
    if manifest is None:
        return
    counts, took = manifest["counts"], timedelta(seconds=round(manifest["seconds"]))
    line = f"{stage}: done in {took}"
    if "kept" in counts:
        reasons = {name.partition("/")[2]: n for name, n in counts.items() if name.startswith("rejected/") and n}
        why = ", ".join(f"{n} {reason}" for reason, n in sorted(reasons.items(), key=lambda each: -each[1]))
        line += f", {counts['kept']} of {counts['samples']} samples kept" + (f" ({why})" if why else "")
    if stage == "filter":
        from deliberant.stages.coverage import coverage

        untaught = [row.name for row in coverage(run.root).thin(1) if row.total.samples or not run.world]
        line += f"; nothing teaches {', '.join(untaught)}" if untaught else ""
    typer.echo(line, err=True)
