"""`deliberant doctor`, and the same checks at the start of a run."""

from typing import TYPE_CHECKING

import typer

from deliberant.cli.opening import RUNS, find_run
from deliberant.cli.options import AsJson, Overrides, Root, Where, print_json
from deliberant.util.errors import UserError
from deliberant.util.names import one_line

if TYPE_CHECKING:
    from deliberant.models.preflight import Finding
    from deliberant.run.run import Run


def doctor(
    where: Where,
    overrides: Overrides = None,
    root: Root = RUNS,
    as_json: AsJson = False,
) -> None:
    """Probe the models of a recipe in their roles, and say what would go wrong and which key to change.

    Eight probes a role, a minute or two for a small model on a CPU. Exit code 2: nothing could come of the run.

    \b
    deliberant doctor recipes/micro.yaml
    deliberant doctor recipes/micro.yaml --set base.reasoning=prompted --json
    """
    from deliberant.stages.doctor import doctor as examine

    run = find_run(where, overrides, root, make=False)
    if as_json:
        checkup = examine(run)
        print_json(checkup.as_json())
    else:
        checkup = examine(run, lambda finding: typer.echo(_line(finding)))
    if checkup.stops:
        raise UserError("nothing can come of this run; mend what says stop")


def check_keys(run: "Run") -> None:
    """What `check_models` does first, for a run that leaves the rest out. UserError as there."""
    from deliberant.stages.doctor import check_remote
    from deliberant.stages.probes import Checkup

    checkup = Checkup()
    check_remote(run, list(run.models), checkup)
    if checkup.stops:
        raise UserError(f"nothing can come of this run: {checkup.stops[0].line}")


def check_models(run: "Run") -> None:
    """Examine a run that has not passed yet: what is not in order on stderr. UserError where nothing can come of it."""
    from deliberant.stages.doctor import doctor as examine
    from deliberant.stages.doctor import has_passed

    if has_passed(run):
        return
    checkup = examine(run, _warn)
    if checkup.stops:
        raise UserError(f"nothing can come of this run: {checkup.stops[0].line}")


def _warn(finding: "Finding") -> None:
    if finding.severity == "warn":
        typer.echo(_line(finding), err=True)


def _line(finding: "Finding") -> str:
    return f"{finding.severity:5}{one_line(finding.line)}"
