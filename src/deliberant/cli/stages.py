"""The verbs that run stages: all of them in turn, or one; each returns at once where it has already finished.

Everything heavy is imported inside the verbs.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deliberant.cli.opening import RUNS, find_run, show_yield, work
from deliberant.cli.options import Overrides, Root, Where, check_choice
from deliberant.run.arms import ARMS, final_of, trained_by
from deliberant.util.memory import release_memory
from deliberant.util.processes import is_leader

if TYPE_CHECKING:
    pass


def run_all(
    where: Where,
    overrides: Overrides = None,
    old: Annotated[
        Path | None,
        typer.Option("--from", metavar="OLD_RUN", help="Continue this finished run after an edit (key from_run)."),
    ] = None,
    root: Root = RUNS,
    no_doctor: Annotated[bool, typer.Option("--no-doctor", help="Do not probe the models first.")] = False,
    jobs: Annotated[int, typer.Option("--jobs", "-j", min=1, help="Arms trained and evaluated side by side.")] = 1,
) -> None:
    """Run every stage that the recipe's arms need, then print the results and where the report is.

    With --jobs, arms that do not need each other are trained and evaluated side by side, each on its share of the
    cores, at the price of a model in memory for each.

    With --from, only what the edit of the policy touches is generated, judged and trained on anew, from the old run's
    checkpoints; at the end stand what moved and what it cost against a full run.

    \b
    deliberant run recipes/micro.yaml
    deliberant run recipes/micro.yaml --set seed=1 --set rl.steps=5
    deliberant run recipes/micro.yaml --jobs 2
    deliberant run recipes/micro.yaml --set policy=my-policy --from runs/micro-1a2b3c4d
    """
    from deliberant.cli.console import print_table
    from deliberant.cli.doctor import check_keys, check_models
    from deliberant.cli.jobs import run_side_by_side
    from deliberant.report import earned_lines, suite_tables
    from deliberant.run.folder import read_manifest
    from deliberant.run.run import list_stages
    from deliberant.stages.doctor import speeds_of
    from deliberant.stages.evaluate import results
    from deliberant.stages.plan import keep_plan
    from deliberant.stages.report import describe_judge
    from deliberant.training.held_out import read_gains

    if old is not None:
        overrides = [*(overrides or []), f"from_run={json.dumps(str(old.absolute()))}"]
    run = find_run(where, overrides, root)
    if is_leader():
        typer.echo(f"run folder: {run.root}", err=True)
        if not no_doctor:
            check_models(run)
        elif not any(run.root.glob("*/manifest.json")):
            check_keys(run)
        keep_plan(run, speeds_of(run))
    for stage in list_stages(run.recipe.evaluate.arms):
        if jobs > 1 and stage in (*ARMS, "evaluate"):
            run_side_by_side(run, jobs)
            jobs = 1  # what is left is to look at
        finished = read_manifest(run.root / stage) is not None
        work(run, stage)
        if is_leader() and not finished:
            show_yield(run, stage)
        release_memory()
    if not is_leader():
        return
    for table in suite_tables(results(run.root)):
        print_table(table)
    for line in [*describe_judge(run), *earned_lines(read_gains(run.root))]:
        typer.echo(line)
    _show_moves(run.root)
    typer.echo(run.root / "report.html")


def _show_moves(root: Path) -> None:
    """What an incremental run moved, in its last arm, and what it cost; nothing of any other run."""
    from deliberant.cli.console import print_table
    from deliberant.report import cost_lines, moved_lines, moved_table
    from deliberant.stages.moved import compare_cost, read_moved

    moved, spent = read_moved(root), compare_cost(root)
    if moved is None or spent is None:
        return
    for line in moved_lines(moved):
        typer.echo(line)
    arms = [row["arm"] for row in moved["moves"]]
    print_table(moved_table(moved, [final_of(arms)]))
    typer.echo(", ".join(cost_lines(spent)))


STAGES = {
    "documents": """Have the base model write about the policy, with it in view: what arm midtrained starts with.

    \b
    deliberant documents recipes/micro.yaml
    """,
    "helpful": """Complete harmless prompts without the policy, to keep capability in the training mix.

    \b
    deliberant helpful recipes/micro.yaml
    """,
    "generate": """Sample reasoning and answers from the base model with the policy in view.

    \b
    deliberant generate recipes/micro.yaml
    """,
    "filter": """Let the judge read the samples; keep the good ones, and the others with their reasons.

    \b
    deliberant filter runs/micro-1a2b3c4d
    """,
    "sft": """Fine-tune the base model on the kept samples, the policy removed from the prompt.

    \b
    deliberant sft runs/micro-1a2b3c4d
    deliberant sft runs/micro-1a2b3c4d --arm no-cot
    """,
    "rl": """Train with rewards from a judge that sees answers and never the reasoning.

    \b
    deliberant rl runs/micro-1a2b3c4d
    deliberant rl runs/micro-1a2b3c4d --arm rl
    """,
    "evaluate": """Measure every arm of the recipe on the held-out cases.

    \b
    deliberant evaluate runs/micro-1a2b3c4d
    """,
    "report": """Write report.html from what the other stages left; prints its path.

    \b
    deliberant report runs/micro-1a2b3c4d
    """,
}
"""The stages that have a verb, in their order, with its help."""
TRAINED = {
    "sft": ("sft", "sft, no-cot (no reasoning), midtrained, or midtrained+sft."),
    "rl": ("sft+rl", "sft+rl, or rl (from the base model)."),
}
"""Of the stages that train one arm: the default arm, and the help of --arm."""


def stage_verb(stage: str) -> Callable[..., None]:
    """The verb that runs one stage; that of the report prints where it is."""

    def run_stage(where: Where, overrides: Overrides = None, root: Root = RUNS) -> None:
        run = find_run(where, overrides, root)
        work(run, stage)
        if stage == "report" and is_leader():
            typer.echo(run.root / "report.html")

    if stage not in TRAINED:
        return run_stage
    default, about = TRAINED[stage]

    def train(
        where: Where,
        arm: Annotated[str, typer.Option(help=about)] = default,
        overrides: Overrides = None,
        root: Root = RUNS,
    ) -> None:
        work(find_run(where, overrides, root), check_choice("--arm", arm, tuple(trained_by(stage))))

    return train
