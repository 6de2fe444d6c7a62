"""The `deliberant redteam` verb. Everything heavy is imported inside it."""

from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deliberant.cli.options import AsJson, Chunk, NewTokens, PolicyName, Seed, TemplatesOf, print_json
from deliberant.util.errors import UserError

if TYPE_CHECKING:
    from deliberant.policy import Policy
    from deliberant.prompts import Prompt


def redteam(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A model reference, such as RUN/sft+rl/checkpoint.")],
    policy: PolicyName,
    to: Annotated[Path, typer.Option(help="The JSONL file to write: what broke the model, to train on.")],
    cases: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="Training prompts, their style as a hint; may be repeated. Not cases."),
    ] = None,
    attacks: Annotated[
        str | None, typer.Option(metavar="NAMES", help="Attacks or groups of them, with commas; default is all.")
    ] = None,
    judge: Annotated[str | None, typer.Option(metavar="MODEL", help="Who reads the answers outside the world.")] = None,
    templates: TemplatesOf = None,
    most: Annotated[int | None, typer.Option(min=1, help="So many harmful prompts at most.")] = None,
    max_new_tokens: NewTokens = 1024,
    chunk: Chunk = 64,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Ask a model a policy's harmful training prompts under attack; write what broke it as prompts to train on.

    Attacks that are held out are counted and never written. The next run trains on
    the file by the recipe key `more` (a path from the recipe). The same command resumes.

    \b
    deliberant redteam runs/micro-1a2b3c4d/sft+rl/checkpoint --policy micro --to recipes/found.jsonl
    deliberant redteam micro --policy micro --to found.jsonl --attacks plea,config --most 20 --json
    deliberant run recipes/micro.yaml --set more=found.jsonl --from runs/micro-1a2b3c4d
    """
    from deliberant.cli.console import RichProgress, print_table
    from deliberant.evals.attacks.decoding import FILE, WORLD_FILE, can_decode, codes_of, readable
    from deliberant.evals.attacks.static import attacks as general
    from deliberant.evals.attacks.static import attacks_named, world_attacks
    from deliberant.judge import Judge
    from deliberant.models import Sampling
    from deliberant.models.open import open_model
    from deliberant.report.terminal import redteam_table
    from deliberant.run.roles import JudgeModel
    from deliberant.run.settings import BUILT_IN
    from deliberant.run.sources import load_named_policy, right_style, style_reader, templates_named
    from deliberant.stages.redteam import hinted_style
    from deliberant.stages.redteam import redteam as attacked
    from deliberant.util.files import check_outputs

    world = policy == BUILT_IN
    loaded = load_named_policy(policy)
    check_outputs([to], cases or [])
    prompts = _prompts(cases, loaded, world, seed)
    known = world_attacks() if world else general()
    chosen = attacks_named(attacks.split(",") if attacks else known)
    if world:
        grader = None
    elif judge is None:
        raise UserError(f"--judge: who is to read the answers? Name a model; --policy {BUILT_IN} alone needs none")
    else:
        files = templates_named(templates, judge)
        grader = Judge(open_model(judge, "evaluate"), files, JudgeModel(model=judge).sampling)
    sampler = open_model(model, "target")
    decodes = can_decode(sampler, codes_of(chosen), WORLD_FILE if world else FILE)
    asked = readable(chosen, decodes)
    unread = [attack.name for attack in chosen if attack not in asked]
    outcome = attacked(
        sampler,
        loaded,
        prompts,
        asked,
        Sampling(0.0, 1.0, max_new_tokens),
        to,
        RichProgress(),
        reader=style_reader(policy),
        judge=grader,
        right_style=partial(right_style, policy, loaded) if world else hinted_style,
        most=most,
        chunk=chunk,
        seed=seed,
    )
    if as_json:
        return print_json({**asdict(outcome), "cannot_decode": unread})
    print_table(redteam_table(outcome.rows))
    if unread:
        typer.echo(f"left out, since the model cannot decode them: {', '.join(unread)}")
    if outcome.unknown:
        typer.echo(f"{outcome.unknown} prompts left out: no hint says which style the policy asks for")
    counts = outcome.written
    typer.echo(f"{to}: {counts['harmful']} prompts that broke it and {counts['harmless']} harmless ones beside them")


def _prompts(files: list[Path] | None, policy: "Policy", world: bool, seed: int) -> "list[Prompt]":
    from deliberant.prompts import holds_cases, read_prompts
    from deliberant.run.sources import list_names

    if files:
        for file in files:
            if holds_cases(file):
                raise UserError(f"{file}: holds evaluation cases, which must not be trained on; give training prompts")
        return [prompt for file in files for prompt in read_prompts(file, *list_names(policy))]
    if not world:
        raise UserError("--cases: which prompts are to be asked? Name a file of training prompts")
    from deliberant.micro.sets import prompt_sets

    sets = prompt_sets(policy, seed)
    return [*sets.sft, *sets.rl]
