"""The run of a recipe: reopened where its folder is there, else checked and made."""

from pathlib import Path

from deliberant.run.checks import check, check_shares
from deliberant.run.recipe import Recipe
from deliberant.run.run import NOTE, Run, list_stages
from deliberant.util.errors import UserError
from deliberant.util.files import read_json
from deliberant.util.processes import is_leader, leader_first, rank
from deliberant.util.progress import NullProgress, Progress


def open_run(recipe: Recipe, root: Path | None = None, progress: Progress | None = None, make: bool = True) -> Run:
    """The run of a recipe in the folder `root` (default `runs`), made where it is not there yet, if `make` says so.

    UserError for a mistake in what the recipe points to, RunError where the folder cannot be written.
    """
    run = Run(recipe, root or Path("runs"), progress or NullProgress(), None)
    check_shares(recipe, list_stages(recipe.evaluate.arms))
    with leader_first():
        if (run.root / NOTE).exists():
            note = read_json(run.root / NOTE, "delete it, and it is written anew")
            run.date, run.identities = note["date"], note["identities"]  # of the day on which it was made
        elif not is_leader():
            raise UserError(f"process {rank()} sees no {run.root}; put it where every machine of the launch sees it")
        else:
            check(run, list_stages(recipe.evaluate.arms))
            if make:
                run.write()
    return run
