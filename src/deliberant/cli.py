"""The `deliberant` command: one verb per stage, and what reads a finished run.

Answers go to stdout, everything else to stderr. Exit 2 means a mistake in what was given, 1 a run that had to stop.
Everything heavy is imported inside the verbs, so that `--help` is immediate.
"""

import json
import os
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from deliberant.data_cli import data_app
from deliberant.errors import DeliberantError, UserError
from deliberant.judge_cli import judge_app
from deliberant.memory import give_back
from deliberant.policy_cli import policy_app
from deliberant.prompts_cli import prompts_app
from deliberant.review_cli import review

if TYPE_CHECKING:
    from deliberant.run import Run


class Verbs(TyperGroup):
    """Turns the errors we raise on purpose, and Ctrl-C, into one line and an exit code."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            typer.echo("stopped; the same command resumes", err=True)
            raise typer.Exit(130) from None
        except DeliberantError as error:
            if ctx.params.get("debug"):
                traceback.print_exc()
            typer.echo(f"error: {error}", err=True)
            raise typer.Exit(2 if isinstance(error, UserError) else 1) from None


app = typer.Typer(cls=Verbs, no_args_is_help=True, rich_markup_mode=None, add_completion=False)
micro_app = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="Rebuild and measure the built-in base model."
)
app.add_typer(policy_app, name="policy")
app.add_typer(prompts_app, name="prompts")
app.add_typer(judge_app, name="judge")
app.add_typer(data_app, name="data")
app.add_typer(micro_app, name="micro")

app.command()(review)

Where = Annotated[Path, typer.Argument(metavar="RUN", help="A run folder, or a recipe (.yaml).", show_default=False)]
Overrides = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override one recipe key; may be repeated.")
]
Root = Annotated[Path, typer.Option("--root", help="Where a recipe's run folder is, or is made.")]
RUNS = Path("runs")


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
    os.environ.setdefault("INSPECT_TRACE_LEVEL", "CRITICAL")  # or it logs every event to the user's home


def open_run(where: Path, overrides: list[str] | None = None, root: Path = RUNS) -> "Run":
    """The run of a recipe, or an existing run folder."""
    from deliberant.console import RichProgress
    from deliberant.recipe import load_recipe
    from deliberant.run import Run

    if not where.is_dir():
        return Run.open(load_recipe(where, overrides or []), root, RichProgress())
    if overrides:
        raise UserError(
            f"{where}: a run's recipe is settled; give --set together with the recipe for a new run (--from likewise)"
        )
    return Run.reopen(where, RichProgress())


def work(run: "Run", stage: str) -> None:
    """Run one stage, which returns at once where it has already finished."""
    match stage:
        case "helpful":
            from deliberant.stages.helpful import helpful

            helpful(run)
        case "generate":
            from deliberant.stages.generate import generate

            generate(run)
        case "filter":
            from deliberant.stages.filter import filter

            filter(run)
        case "sft" | "no-cot":
            from deliberant.stages.sft import sft

            sft(run, stage)
        case "rl" | "sft+rl":
            from deliberant.stages.rl import rl

            rl(run, stage)
        case "evaluate":
            from deliberant.stages.evaluate import evaluate

            evaluate(run)
        case "report":
            from deliberant.stages.report import report

            report(run)
        case _:
            raise AssertionError(stage)


@app.command("run")
def run_all(
    where: Where,
    overrides: Overrides = None,
    old: Annotated[
        Path | None,
        typer.Option("--from", metavar="OLD_RUN", help="Continue this finished run after an edit (key from_run)."),
    ] = None,
    root: Root = RUNS,
) -> None:
    """Run every stage that the recipe's arms need, then print the results and where the report is.

    With --from, only what the edit of the policy touches is generated, judged and trained on anew, from the old run's
    checkpoints; at the end stand what moved and what it cost against a full run.

    \b
    deliberant run recipes/micro.yaml
    deliberant run recipes/micro.yaml --set seed=1 --set rl.steps=5
    deliberant run recipes/micro.yaml --set policy=my-policy --from runs/micro-1a2b3c4d
    """
    from deliberant.console import print_table
    from deliberant.report import table
    from deliberant.run import plan
    from deliberant.stages.evaluate import results

    if old is not None:
        overrides = [*(overrides or []), f"from_run={json.dumps(str(old.absolute()))}"]
    run = open_run(where, overrides, root)
    typer.echo(f"run folder: {run.root}", err=True)
    for stage in plan(run.recipe.evaluate.arms):
        work(run, stage)
        give_back()
    print_table(table(results(run.root)))
    _show_moves(run.root)
    typer.echo(run.root / "report.html")


def _show_moves(root: Path) -> None:
    """What an incremental run moved, in its last arm, and what it cost; nothing of any other run."""
    from deliberant.console import print_table
    from deliberant.report import cost_lines, moved_lines, moved_table
    from deliberant.stages.moved import cost, read_moved

    moved, spent = read_moved(root), cost(root)
    if moved is None or spent is None:
        return
    for line in moved_lines(moved):
        typer.echo(line)
    arms = [row["arm"] for row in moved["moves"]]
    print_table(moved_table(moved, ["sft+rl"] if "sft+rl" in arms else arms[-1:]))
    typer.echo(", ".join(cost_lines(spent)))


@app.command()
def helpful(where: Where, overrides: Overrides = None, root: Root = RUNS) -> None:
    """Complete harmless prompts without the policy, to keep capability in the training mix.

    \b
    deliberant helpful recipes/micro.yaml
    """
    work(open_run(where, overrides, root), "helpful")


@app.command()
def generate(where: Where, overrides: Overrides = None, root: Root = RUNS) -> None:
    """Sample reasoning and answers from the base model with the policy in view.

    \b
    deliberant generate recipes/micro.yaml
    """
    work(open_run(where, overrides, root), "generate")


@app.command()
def filter(where: Where, overrides: Overrides = None, root: Root = RUNS) -> None:
    """Let the judge read the samples; keep the good ones, and the others with their reasons.

    \b
    deliberant filter runs/micro-1a2b3c4d
    """
    work(open_run(where, overrides, root), "filter")


@app.command()
def sft(
    where: Where,
    arm: Annotated[str, typer.Option(help="sft, or no-cot (the reasoning left out).")] = "sft",
    overrides: Overrides = None,
    root: Root = RUNS,
) -> None:
    """Fine-tune the base model on the kept samples, the policy removed from the prompt.

    \b
    deliberant sft runs/micro-1a2b3c4d
    deliberant sft runs/micro-1a2b3c4d --arm no-cot
    """
    work(open_run(where, overrides, root), choice(arm, ["sft", "no-cot"]))


@app.command()
def rl(
    where: Where,
    arm: Annotated[str, typer.Option(help="sft+rl, or rl (from the base model).")] = "sft+rl",
    overrides: Overrides = None,
    root: Root = RUNS,
) -> None:
    """Train with rewards from a judge that sees answers and never the reasoning.

    \b
    deliberant rl runs/micro-1a2b3c4d
    deliberant rl runs/micro-1a2b3c4d --arm rl
    """
    work(open_run(where, overrides, root), choice(arm, ["rl", "sft+rl"]))


@app.command()
def evaluate(where: Where, overrides: Overrides = None, root: Root = RUNS) -> None:
    """Measure every arm of the recipe on the held-out cases.

    \b
    deliberant evaluate runs/micro-1a2b3c4d
    """
    work(open_run(where, overrides, root), "evaluate")


@app.command()
def report(where: Where, overrides: Overrides = None, root: Root = RUNS) -> None:
    """Write report.html from what the other stages left; prints its path.

    \b
    deliberant report runs/micro-1a2b3c4d
    """
    run = open_run(where, overrides, root)
    work(run, "report")
    typer.echo(run.root / "report.html")


@app.command()
def results(
    where: Where, as_json: Annotated[bool, typer.Option("--json", help="A JSON list instead of a table.")] = False
) -> None:
    """Print every measured rate with its 95% interval, n and what could not be scored.

    \b
    deliberant results runs/micro-1a2b3c4d
    deliberant results runs/micro-1a2b3c4d --json | jq '.[] | select(.metric == "compliance")'
    """
    from deliberant.stages.evaluate import results as read_results

    rows = read_results(where if where.is_dir() else open_run(where).root)
    if as_json:
        typer.echo(json.dumps(rows, ensure_ascii=False, indent=1))
    else:
        from deliberant.console import print_results

        print_results(rows)


@app.command()
def coverage(
    where: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.", show_default=False)],
    least: Annotated[
        int | None, typer.Option("--min", min=1, help="Fewer kept samples than this for a clause are an error.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="A JSON list instead of a table.")] = False,
) -> None:
    """Print which clauses the data teaches: prompts, samples and accept rates by style, framing and source.

    \b
    deliberant coverage runs/micro-1a2b3c4d
    deliberant coverage runs/micro-1a2b3c4d --min 20
    """
    from deliberant.stages.coverage import coverage as covered

    found = covered(where)
    if as_json:
        typer.echo(json.dumps(found.json(), ensure_ascii=False, indent=1))
    else:
        from deliberant.console import print_table
        from deliberant.report import coverage_table

        print_table(coverage_table(found))
    if least is not None:
        found.check(least)


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
    import gc

    gc.disable()  # to look through all that is being imported, time and again, takes a third of a second
    from deliberant.chat import answer, reply
    from deliberant.prompts import Message

    run = open_run(where)
    arm = arm or next(
        (each for each in ("sft+rl", "rl", "sft") if (run.root / each / "manifest.json").exists()), "base"
    )
    typer.echo(f"arm: {arm}", err=True)
    run.sampler(arm)
    gc.freeze()
    gc.enable()

    def say(turns: list[Message]) -> str:
        if not as_json:
            return answer(run, arm, turns)
        row = reply(run, arm, turns)
        typer.echo(json.dumps(row, ensure_ascii=False))
        return str(row["answer"])

    if prompt is not None:
        say([Message(role="user", content=prompt)])
        return
    turns: list[Message] = []
    while said := _ask():
        turns.append(Message(role="user", content=said))
        turns.append(Message(role="assistant", content=say(turns)))


@micro_app.command()
def pretrain(
    out: Annotated[Path, typer.Option(help="Folder of the checkpoint; a partial one is resumed.")],
    tokens: Annotated[int | None, typer.Option(min=1, help="Tokens to read; default is the built-in model's.")] = None,
    seed: Annotated[int | None, typer.Option(help="Of weights and rows; default is the built-in model's.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Progress as one JSON object per line, on stdout.")] = False,
) -> None:
    """Train the built-in base model from scratch.

    \b
    deliberant micro pretrain --out build/micro
    deliberant micro pretrain --out build/short --tokens 2000000 --seed 1
    """
    from deliberant.console import pretraining_line
    from deliberant.micro.pretrain import Plan
    from deliberant.micro.pretrain import pretrain as train

    given = {"tokens": tokens, "seed": seed}
    plan = Plan(**{name: value for name, value in given.items() if value is not None})

    def show(row: dict[str, Any]) -> None:
        typer.echo(json.dumps(row) if as_json else pretraining_line(row, plan.tokens), err=not as_json)

    train(out, plan, show)


@micro_app.command()
def measure(
    model: Annotated[Path | None, typer.Option(help="A checkpoint folder; default is the built-in model.")] = None,
    n: Annotated[int, typer.Option(min=1, help="Cases per figure.")] = 1000,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object per line.")] = False,
) -> None:
    """Measure what the base must be: helpful-only, able to follow any policy, to decode and to judge.

    \b
    deliberant micro measure
    deliberant micro measure --model build/micro --n 200 --json
    """
    from dataclasses import asdict

    from deliberant.console import figure_lines
    from deliberant.micro.measure import measure as measured

    figures = measured(model, n)
    for line in (json.dumps(asdict(figure)) for figure in figures) if as_json else figure_lines(figures):
        typer.echo(line)


def choice(value: str, known: list[str]) -> str:
    """The value, if it is a known one."""
    if value not in known:
        from deliberant.names import nearest

        raise UserError(f"--arm: unknown value '{value}'; {nearest(value, known)}")
    return value


def _ask() -> str:
    """One line from the user, "" at the end of the conversation."""
    typer.echo("> ", err=True, nl=False)
    return sys.stdin.readline().strip()
