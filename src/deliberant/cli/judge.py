"""The `deliberant judge` verbs: is a run's judge to be trusted? Heavy imports are inside the verbs."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deliberant.cli.options import AsJson, parse_pairs, print_json
from deliberant.util.errors import UserError
from deliberant.util.names import one_line

if TYPE_CHECKING:
    from deliberant.review.calibrate import Calibration

judge_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Hold a run's judge against people.")


@judge_app.command()
def calibrate(
    where: Annotated[
        Path, typer.Argument(metavar="RUN", help="A run folder, or a policy author's golden set.", show_default=False)
    ],
    labels: Annotated[
        list[Path] | None, typer.Option(metavar="FILE", help="Labels from a file, too; may be repeated.")
    ] = None,
    answers: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Hold the judge that evaluates against a table of answers; made if not there."
        ),
    ] = None,
    number: Annotated[int, typer.Option("--n", min=1, help="Answers in a new table.")] = 120,
    k: Annotated[
        int | None, typer.Option("--k", min=1, help="Read labelled samples again, this often; default: as recorded.")
    ] = None,
    wrong_hints: Annotated[
        bool,
        typer.Option("--wrong-hints", help="Read them again with right and wrong hints, of styles and of clauses."),
    ] = False,
    policy: Annotated[str | None, typer.Option(help="Of a golden set: a policy folder, or micro, default.")] = None,
    with_: Annotated[
        str | None, typer.Option("--with", metavar="MODEL", help="Of a golden set: the judge to be held against it.")
    ] = None,
    templates: Annotated[str | None, typer.Option(help="Of that judge: its prompt files.")] = None,
    mapped: Annotated[
        list[str] | None,
        typer.Option("--map", metavar="FIELD=COLUMN", help="Of a golden set: where text, answer and label stand."),
    ] = None,
    skip_lines: Annotated[int, typer.Option(min=0, help="Lines above the header of a golden set.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Compare the judge's verdicts with people's labels: agreement, the effect of k, the effect of wrong hints.

    Labels are those of `deliberant review`, and of files with columns sample_id and decision (accept,
    reject), optionally reviewer and clause; without a reviewer, the file's name is one. Without --k and
    --wrong-hints no model is loaded.

    --answers is about what the arms answered when they were evaluated: the first call writes a table, you fill
    in its column decision, the same command then compares. The run's next report says what came of it.

    A golden set is a table of requests, replies and a label of each reply: a clause's id, or what the ids of
    several begin with. Where these say comply the reply keeps the policy.

    \b
    deliberant judge calibrate runs/micro-1a2b3c4d
    deliberant judge calibrate runs/micro-1a2b3c4d --labels labels.csv --json
    deliberant judge calibrate runs/micro-1a2b3c4d --k 5 --wrong-hints
    deliberant judge calibrate runs/mine-1a2b3c4d --answers answers.csv
    deliberant judge calibrate golden.csv --skip-lines 1 --policy my-policy/ --with MODEL
    """
    if where.is_file():
        return _golden(where, policy, with_, templates, mapped, skip_lines, k, as_json)
    if stray := [name for name, given in (("--policy", policy), ("--with", with_), ("--map", mapped)) if given]:
        raise UserError(f"{stray[0]}: is for golden sets, and {where} is no file")
    if answers is not None:
        return _answers(where, answers, number, as_json)
    from deliberant.cli.console import RichProgress, print_table
    from deliberant.review import Labels, Samples, read_labels, select_news
    from deliberant.review.calibrate import calibrate as calibrate_run
    from deliberant.review.people import gather_people
    from deliberant.review.tables import count_lines, hinted_table

    samples = Samples(where)
    stored = Labels(samples).read()
    unnamed: dict[str, Path] = {}
    for file in labels or ():
        read = read_labels(file, samples, file.stem)
        if read.unnamed and (other := unnamed.setdefault(file.stem.strip(), file)) is not file:
            raise UserError(
                f"--labels {file}: its reviewer would be '{file.stem}', as of {other}; rename one of the two, or add a "
                "column reviewer"
            )
        new, older = select_news(stored, read.labels)
        stored += new
        if older:
            typer.echo(one_line(f"{file}: {older} labels left out: their reviewer has said otherwise since"), err=True)
        if read.unused:
            typer.echo(one_line(f"{file}: columns left out: {', '.join(read.unused)}"), err=True)
    people = gather_people(samples, stored)
    readings = effects = None
    if k is not None or wrong_hints:
        from deliberant.review.hinted import measure_hints
        from deliberant.review.readings import read_again
        from deliberant.run.run import Run

        run = Run.reopen(where, RichProgress())
        judged = [each for each in people.read if each.entry.judged]
        if k is not None and judged:
            readings = read_again(run, "again", judged, k, run.recipe.seed)
        if wrong_hints:
            effects = measure_hints(run, samples, people, k or samples.k)
    calibration = calibrate_run(samples, people, RichProgress(), readings)
    _show(calibration, count_lines(calibration.counts), {"hints": effects and effects.json()}, as_json)
    if effects and not as_json:
        print_table(hinted_table(effects))


def _show(calibration: "Calibration", lines: Iterable[str], more: dict[str, Any], as_json: bool) -> None:
    """The lines and the tables, or one JSON object with what it has `more`."""
    from deliberant.cli.console import print_table
    from deliberant.review.tables import calibration_tables

    if as_json:
        return print_json({**calibration.json(), **more})
    for line in lines:
        typer.echo(line)
    for table in calibration_tables(calibration):
        print_table(table)


def _answers(where: Path, file: Path, number: int, as_json: bool) -> None:
    from deliberant.review.answers import calibrate_answers, write_answers
    from deliberant.run.run import Run
    from deliberant.stages.report import CALIBRATION
    from deliberant.util.files import write_json

    run = Run.reopen(where)
    if not file.exists():
        typer.echo(f"{file}: {write_answers(run, file, number)} answers; write accept or reject into column decision")
        return
    calibration = calibrate_answers(run, file)
    write_json(run.root / "evaluate" / CALIBRATION, calibration.json())
    counts = calibration.counts
    line = f"{counts['samples']} labelled answers; {counts['without_decision']} have no decision"
    _show(calibration, [line], {}, as_json)


def _golden(
    file: Path,
    policy: str | None,
    model: str | None,
    templates: str | None,
    mapped: list[str] | None,
    skip_lines: int,
    k: int | None,
    as_json: bool,
) -> None:
    if policy is None or model is None:
        raise UserError(f"{file}: a golden set needs the policy that it is of and a judge; say --policy and --with")
    from deliberant.judge import Judge
    from deliberant.models.open import open_model
    from deliberant.review.golden import COLUMNS, calibrate_golden, read_golden
    from deliberant.run.recipe import Filter
    from deliberant.run.roles import JudgeModel
    from deliberant.run.sources import load_named_policy, templates_named
    from deliberant.util.names import suggest_name

    columns = COLUMNS | parse_pairs("--map", mapped, "FIELD=COLUMN")
    if strange := sorted(columns.keys() - COLUMNS.keys()):
        raise UserError(f"--map {strange[0]}: unknown field '{strange[0]}'; {suggest_name(strange[0], COLUMNS)}")
    rows, without = read_golden(file, load_named_policy(policy), columns, skip_lines)
    judge = Judge(open_model(model, "evaluate"), templates_named(templates, model), JudgeModel(model=model).sampling)
    calibration = calibrate_golden(rows, judge, k or Filter().k, Filter().threshold, 0)
    counts = calibration.counts
    line = (
        f"{counts['samples']} labelled replies, {counts['readings']} readings of the judge, "
        f"{counts['readings_unscored']} unscored; {without} rows left out: no reply, or no label of it"
    )
    _show(calibration, [line], {"rows_left_out": without}, as_json)
