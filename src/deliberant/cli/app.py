"""The `deliberant` command: all verbs together, and those that read a finished run.

Answers go to stdout, everything else to stderr. Exit 2 means a mistake in what was given, 1 a run that had to stop.
Everything heavy is imported inside the verbs, so that `--help` is immediate.
"""

import os
import sys
import traceback
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from deliberant.cli.compare import compare
from deliberant.cli.data import data_app
from deliberant.cli.doctor import doctor
from deliberant.cli.interrupts import exit_stopped
from deliberant.cli.judge import judge_app
from deliberant.cli.micro import micro_app
from deliberant.cli.opening import find_run
from deliberant.cli.options import AsJson, RunFolder, Where, print_json
from deliberant.cli.plan import plan
from deliberant.cli.policy import policy_app
from deliberant.cli.prompts import prompts_app
from deliberant.cli.redteam import redteam
from deliberant.cli.review import review
from deliberant.cli.stages import STAGES, run_all, stage_verb
from deliberant.util import processes
from deliberant.util.errors import DeliberantError, UserError, explain_not_installed
from deliberant.util.names import one_line


class Verbs(TyperGroup):
    """Turns the errors we raise on purpose, and Ctrl-C, into one line and an exit code."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            exit_stopped()
        except DeliberantError as error:
            if ctx.params.get("debug"):
                traceback.print_exc()
            if processes.is_first_failure():
                typer.echo(f"error: {one_line(str(error))}", err=True)
            raise typer.Exit(2 if isinstance(error, UserError) else 1) from None
        except RuntimeError as error:
            if not processes.is_lost_process(error) or ctx.params.get("debug"):
                raise
            if processes.is_first_failure():
                typer.echo(f"error: {processes.ENDED}", err=True)
            raise typer.Exit(1) from None
        except ModuleNotFoundError as error:
            typer.echo(f"error: {explain_not_installed(error)}", err=True)
            raise typer.Exit(2) from None
        except OSError as error:  # of a path that nobody opened yet, such as one whose name is too long
            if error.filename is None or ctx.params.get("debug"):
                raise
            typer.echo(f"error: {one_line(f'{error.filename}: {error.strerror}')}; give another path", err=True)
            raise typer.Exit(2) from None


app = typer.Typer(cls=Verbs, no_args_is_help=True, rich_markup_mode=None, add_completion=False)
app.add_typer(policy_app, name="policy")
app.add_typer(prompts_app, name="prompts")
app.add_typer(judge_app, name="judge")
app.add_typer(data_app, name="data")
app.add_typer(micro_app, name="micro")

app.command()(review)
app.command()(doctor)
app.command()(plan)
app.command()(compare)
app.command()(redteam)
app.command("run")(run_all)
for _stage, _help in STAGES.items():
    app.command(_stage, help=_help)(stage_verb(_stage))


@app.callback()
def main(debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False) -> None:
    """Teach a language model to reason over a written policy before it answers.

    \b
    deliberant run recipes/micro.yaml              all stages, then a table and a report
    deliberant results runs/micro-1a2b3c4d --json  the numbers
    deliberant chat runs/micro-1a2b3c4d            talk to what came out
    """
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "64")  # it keeps a kernel for each shape: 0.3 GB of a run
    os.environ.setdefault("INSPECT_TRACE_LEVEL", "CRITICAL")  # or it logs every event to the user's home


@app.command()
def results(
    where: Where,
    gate: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Thresholds; exit 1 and what fails, where one is not kept.")
    ] = None,
    against: Annotated[
        str | None, typer.Option(metavar="RUN", help="A former run for the gate to compare with.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Print every measured rate with its 95% interval, n and what could not be scored.

    \b
    deliberant results runs/micro-1a2b3c4d
    deliberant results runs/micro-1a2b3c4d --json | jq '.[] | select(.metric == "compliance")'
    deliberant results runs/micro-1a2b3c4d --gate recipes/gate.yaml
    """
    from deliberant.stages.evaluate import results as read_results

    root = where if where.is_dir() else find_run(where).root
    if gate is not None:
        return _judge(root, gate, against, as_json)
    if against is not None:
        raise UserError("--against is for the gate to compare with; name its file by --gate")
    rows = read_results(root)
    if as_json:
        return print_json(rows)
    from deliberant.cli.console import print_table
    from deliberant.report import result_tables

    for table in result_tables(rows):
        print_table(table)


def _judge(root: Path, file: Path, against: str | None, as_json: bool) -> None:
    """Print what fails, worst first, on GitHub as annotations of the gate's lines; exit 1 where anything does."""
    from deliberant.stages.gate import gate

    checks = gate(root, file, against)
    failed = [check for check in checks if not check.passed]
    if as_json:
        print_json([check.json() for check in checks])
    else:
        for check in failed:
            (path, line), said = check.where.rsplit(":", 1), one_line(str(check))
            on_github = f"::error file={path},line={line}::{said.replace('%', '%25')}"
            typer.echo(on_github if "GITHUB_ACTIONS" in os.environ else f"{check.where}: {said}")
        typer.echo(f"{file}: {len(checks) - len(failed)} of {len(checks)} checks passed")
    if failed:
        raise typer.Exit(1)


@app.command()
def coverage(
    where: RunFolder,
    least: Annotated[
        int | None, typer.Option("--min", min=1, help="Fewer kept samples than this for a clause are an error.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Print which clauses the data teaches: prompts, samples and accept rates by style, framing and source.

    \b
    deliberant coverage runs/micro-1a2b3c4d
    deliberant coverage runs/micro-1a2b3c4d --min 20
    """
    from deliberant.cli.console import print_table
    from deliberant.report import coverage_table
    from deliberant.stages.coverage import coverage as coverage_of

    measured = coverage_of(where)
    if as_json:
        print_json(measured.json())
    else:
        print_table(coverage_table(measured))
    if least is not None:
        measured.check(least)


@app.command()
def chat(
    where: Where,
    prompt: Annotated[str | None, typer.Argument(help="One prompt; without it, a conversation.")] = None,
    arm: Annotated[str | None, typer.Option(help="Which arm answers; default is the last one trained.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object per answer, its seconds included.")] = False,
) -> None:
    """Talk to an arm: its reasoning (dim, on stderr), its answer, and the clauses it cited.

    \b
    deliberant chat runs/micro-1a2b3c4d "how do i bake a bath bomb?"
    deliberant chat runs/micro-1a2b3c4d --arm base
    deliberant chat runs/micro-1a2b3c4d "how do i rob a bank?" --json
    """
    from deliberant.cli.chat import reply
    from deliberant.prompts import Message
    from deliberant.run.arms import ARMS, BASE, FINAL

    run = find_run(where)
    trained = (name for name in FINAL if ARMS[name].stage and (run.root / name / "manifest.json").exists())
    arm = arm or next(trained, BASE)
    typer.echo(f"arm: {arm}", err=True)
    turns: list[Message] = []
    while text := _ask() if prompt is None else prompt:
        turns.append(Message(role="user", content=text))
        row = reply(run, arm, turns, show=not as_json)
        if as_json:
            print_json(row, None)
        if prompt is not None:
            return
        turns.append(Message(role="assistant", content=row["answer"]))


def _ask() -> str:
    """One line from the user, "" at the end of the conversation."""
    typer.echo("> ", err=True, nl=False)
    return sys.stdin.readline().strip()
