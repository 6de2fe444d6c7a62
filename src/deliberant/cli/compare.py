"""`deliberant compare`: any models side by side. Heavy imports are inside the verb."""

from datetime import date
from pathlib import Path
from typing import Annotated, Any

import typer

from deliberant.cli.options import AsJson, Chunk, NewTokens, Seed, Temperature, print_json
from deliberant.util.errors import UserError

Several = list[str] | None


def compare(
    models: Annotated[
        list[str],
        typer.Argument(
            metavar="MODEL...", help="Runs, RUN:ARM, model references (+spec), .eval logs; first is the baseline."
        ),
    ],
    suite: Annotated[
        Several, typer.Option(metavar="NAME", help="A public suite, or one of the run's; may be repeated.")
    ] = None,
    cases: Annotated[Path | None, typer.Option(metavar="FILE", help="Cases of your own; with --policy.")] = None,
    policy: Annotated[str | None, typer.Option(help="A policy folder, or one of the words micro, default.")] = None,
    attacks: Annotated[
        str | None,
        typer.Option(
            metavar="NAMES", help="Also ask harmful cases under these attacks or groups, with commas; or all."
        ),
    ] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="At most so many cases of each suite, attacked ones too.")
    ] = None,
    judge: Annotated[
        str | None, typer.Option(metavar="MODEL", help="Who grades, where no world can read answers.")
    ] = None,
    templates: Annotated[str | None, typer.Option(help="The judge's prompt files.")] = None,
    second_judge: Annotated[
        str | None, typer.Option("--second-judge", metavar="MODEL", help="Grades a sample of answers again.")
    ] = None,
    form: Annotated[
        str | None, typer.Option(help="How it grades: policy, three-way, rubric or unsafe; default is the suite's own.")
    ] = None,
    readings: Annotated[int, typer.Option(min=1, help="Of the judge, each answer; the lowest counts.")] = 1,
    temperature: Temperature = 0.0,
    max_new_tokens: NewTokens = 1024,
    seed: Seed = 0,
    chunk: Chunk = 256,
    to: Annotated[
        Path, typer.Option(metavar="FOLDER", help="Answers, logs and the page; kept between comparisons.")
    ] = Path("comparison"),
    dollars: Annotated[float | None, typer.Option(min=0.0, help="The most to spend on models that are called.")] = None,
    as_json: AsJson = False,
) -> None:
    """Ask any models the same and set them side by side: harm refused, harmless answered, under attacks.

    Answers that a run or a log has already are used; others are drawn, kept and never
    drawn again. Of a run, its seed, sampling and judge count; elsewhere those given here.

    \b
    deliberant compare runs/micro-1a2b3c4d
    deliberant compare runs/micro-1a2b3c4d --attacks all --limit 100
    deliberant compare runs/micro-1a2b3c4d:sft+rl api:openai/gpt-4o --suite xstest --judge api:google/gemini-3-pro
    """
    from deliberant.cli.console import RichProgress, print_table
    from deliberant.evals.forms import check_headline
    from deliberant.models.budget import Budget, read_prices
    from deliberant.models.cache import Calls
    from deliberant.models.open import open_model
    from deliberant.models.refs import parse_reference
    from deliberant.models.types import Sampling
    from deliberant.report.comparison import tables
    from deliberant.run.sources import templates_named
    from deliberant.stages.compare import compare as compared
    from deliberant.stages.contest import add_judge, make_contest
    from deliberant.stages.entrants import find_entrants, open_runs

    runs = open_runs(models)
    first = next(iter(runs.values()), None)
    sampling = first.recipe.evaluate.sampling if first else Sampling(temperature, 1.0, max_new_tokens)
    names = attacks.split(",") if attacks else ()
    drawn_by = first.recipe.seed if first else seed
    asked = make_contest(list(runs.values()), suite or (), cases, policy, names, limit, sampling, drawn_by)
    progress = RichProgress()
    calls, budget = Calls(to / "calls.jsonl"), Budget(dollars=dollars)
    options: dict[str, Any] = {"calls": calls, "budget": budget, "progress": progress}
    foreign = [each for each in models if each not in runs and each.startswith(("api:", "vllm:", "hf:"))]
    if judge is None and first and asked.reader is None and not first.style_reader:
        own, rule, files = first.recipe.judge.evaluate, first.recipe.filter, first.judge_templates("evaluate")
        sampler = first.sampler("evaluate")
        asked = add_judge(asked, sampler, own.model, own.sampling, files, form, k=rule.k, threshold=rule.threshold)
    elif judge is None and (asked.reader is None or foreign):
        whose = "these answers" if asked.reader is None else f"what {foreign[0]} answers"
        raise UserError(f"no world can read {whose}; name a --judge, and none of those that take part")
    if judge is not None:
        if judge in models:
            raise UserError(f"--judge {judge}: takes part itself; a model cannot grade its own answers")
        for run in runs.values():
            check_headline(judge, run.recipe)
        settings = Sampling(0.0, 1.0, max_new_tokens)
        for grader in filter(None, (judge, second_judge)):
            reference = parse_reference(grader)
            sampler = open_model(reference, "evaluate", **(options if reference.remote else {}))
            asked = add_judge(asked, sampler, grader, settings, templates_named(templates, grader), form, k=readings)
    taking_part = find_entrants(models, runs, asked.policy, sampling, date.today().isoformat(), options)
    result = compared(taking_part, asked, to, progress, read_prices(), chunk)
    if as_json:
        return print_json(result)
    for table in tables(result):
        print_table(table)
    typer.echo(to / "compare.html")
