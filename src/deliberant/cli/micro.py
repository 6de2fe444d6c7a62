"""The `deliberant micro` verbs: the built-in base model, made and measured. Heavy imports are inside the verbs."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from deliberant.cli.options import AsJson

micro_app = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="Rebuild and measure the built-in base model."
)


@micro_app.command()
def pretrain(
    out: Annotated[Path, typer.Option(help="Folder of the checkpoint; a partial one is resumed.")],
    start: Annotated[
        Path | None, typer.Option("--from", help="Go on from this build (micro: the shipped one), in the last mix.")
    ] = None,
    tokens: Annotated[
        int | None, typer.Option(min=1, help="Tokens to read; default is the built-in model's, with --from 2000000.")
    ] = None,
    rate: Annotated[
        float | None, typer.Option(min=0, max=1, help="With --from: share of the full rates, falling to zero [0.05].")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Of weights and rows; default is the built-in model's.")] = None,
    as_json: AsJson = False,
) -> None:
    """Train the built-in base model from scratch, or train a build on.

    \b
    deliberant micro pretrain --out build/micro
    deliberant micro pretrain --out build/short --tokens 2000000 --seed 1
    deliberant micro pretrain --from micro --out build/more --tokens 2000000 --rate 0.05 --seed 1
    """
    from deliberant.cli.console import pretraining_line
    from deliberant.micro import MODEL_DIR
    from deliberant.micro.pretrain import CONTINUED_TOKENS, Plan
    from deliberant.micro.pretrain import pretrain as train
    from deliberant.util.errors import UserError

    if start is None and rate is not None:
        raise UserError("--rate goes with --from; training from scratch has its own rates")
    if start is not None:
        tokens = tokens or CONTINUED_TOKENS
        start = MODEL_DIR if str(start) == "micro" else start
    options: dict[str, Any] = {"tokens": tokens, "seed": seed, "start": start, "rate": rate}
    plan = Plan(**{name: value for name, value in options.items() if value is not None})

    def show(row: dict[str, Any]) -> None:
        typer.echo(json.dumps(row) if as_json else pretraining_line(row, plan.tokens), err=not as_json)

    train(out, plan, show)


@micro_app.command()
def measure(
    model: Annotated[Path | None, typer.Option(help="A checkpoint folder; default is the built-in model.")] = None,
    n: Annotated[int, typer.Option(min=1, help="Cases per figure.")] = 1000,
    as_json: AsJson = False,
) -> None:
    """Measure what the base must be: helpful-only, able to follow any policy, to decode and to judge.

    \b
    deliberant micro measure
    deliberant micro measure --model build/micro --n 200 --json
    """
    from dataclasses import asdict

    from deliberant.cli.console import figure_lines
    from deliberant.micro.measure import measure as measured

    figures = measured(model, n)
    for line in (json.dumps(asdict(figure)) for figure in figures) if as_json else figure_lines(figures):
        typer.echo(line)
