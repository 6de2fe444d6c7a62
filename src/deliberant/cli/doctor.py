"""`deliberant doctor`, and the same checks at the start of a run."""

import json
from typing import TYPE_CHECKING, Annotated

import typer

from deliberant.cli.options import Where
from deliberant.cli.stages import RUNS, Overrides, Root, open_run
from deliberant.util.errors import UserError

if TYPE_CHECKING:
    from deliberant.models.preflight import Finding
    from deliberant.run.run import Run
    from deliberant.stages.probes import Checkup


def doctor(
    where: Where,
    overrides: Overrides = None,
    root: Root = RUNS,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead of lines.")] = False,
) -> None:
    """Probe the models of a recipe in their roles, and say what would go wrong and which key to change.

    Eight probes a role, a minute or two for a small model on a CPU. Exit code 2: nothing could come of the run.

    \b
    deliberant doctor recipes/micro.yaml
    deliberant doctor recipes/micro.yaml --set base.reasoning=prompted --json
    """
    from deliberant.stages.doctor import doctor as examine

    found = examine(open_run(where, overrides, root, make=False))
    if as_json:
        typer.echo(json.dumps(found.as_json(), ensure_ascii=False, indent=1))
    else:
        for each in found.findings:
            typer.echo(_line(each))
    _stop(found)


def _line(finding: "Finding") -> str:
    from deliberant.util.names import one_line

    return f"{finding.severity:5}{one_line(finding.line)}"


def _stop(found: "Checkup") -> None:
    if found.stops:
        raise UserError(f"nothing can come of this run: {found.stops[0].line}")


def examined(run: "Run") -> None:
    """Examine a run that has not passed yet: what is not in order on stderr. UserError where nothing can come of it."""
    from deliberant.stages.doctor import doctor as examine
    from deliberant.stages.doctor import passed

    if passed(run):
        return
    found = examine(run)
    for each in found.findings:
        if each.severity == "warn":
            typer.echo(_line(each), err=True)
    _stop(found)
