"""The `deliberant judge` verbs: is a run's judge to be trusted? Heavy imports are inside the verbs."""

import json
from pathlib import Path
from typing import Annotated

import typer

from deliberant.cli.options import RunFolder
from deliberant.util.errors import UserError
from deliberant.util.names import one_line

judge_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Hold a run's judge against people.")


@judge_app.command()
def calibrate(
    where: RunFolder,
    labels: Annotated[
        list[Path] | None, typer.Option(metavar="FILE", help="Labels from a file, too; may be repeated.")
    ] = None,
    k: Annotated[
        int | None, typer.Option("--k", min=1, help="Read labelled samples again, this often; default: as recorded.")
    ] = None,
    wrong_hints: Annotated[
        bool,
        typer.Option("--wrong-hints", help="Read them again with right and wrong hints, of styles and of clauses."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Compare the judge's verdicts with people's labels: agreement, the effect of k, the effect of wrong hints.

    Labels are those of `deliberant review`, and of files with columns sample_id and decision (accept,
    reject), optionally reviewer and clause; without a reviewer, the file's name is one. Without --k and
    --wrong-hints no model is loaded.

    \b
    deliberant judge calibrate runs/micro-1a2b3c4d
    deliberant judge calibrate runs/micro-1a2b3c4d --labels labels.csv --json
    deliberant judge calibrate runs/micro-1a2b3c4d --k 5 --wrong-hints
    """
    from deliberant.cli.console import RichProgress, print_table
    from deliberant.review import Labels, Samples, news, read_labels
    from deliberant.review.calibrate import calibrate as calibrated
    from deliberant.review.people import people_of
    from deliberant.review.tables import calibration_tables, count_lines, hinted_table

    samples = Samples(where)
    found = Labels(samples).read()
    unnamed: dict[str, Path] = {}
    for file in labels or ():
        read = read_labels(file, samples, file.stem)
        if read.unnamed and (other := unnamed.setdefault(file.stem.strip(), file)) is not file:
            raise UserError(
                f"--labels {file}: its reviewer would be '{file.stem}', as of {other}; rename one of the two, or add a "
                "column reviewer"
            )
        new, older = news(found, read.labels)
        found += new
        if older:
            typer.echo(one_line(f"{file}: {older} labels left out: their reviewer has said otherwise since"), err=True)
        if read.unused:
            typer.echo(one_line(f"{file}: columns left out: {', '.join(read.unused)}"), err=True)
    people = people_of(samples, found)
    readings = effects = None
    if k is not None or wrong_hints:
        from deliberant.review.hinted import hinted
        from deliberant.review.readings import read_again
        from deliberant.run.run import Run

        run = Run.reopen(where, RichProgress())
        judged = [each for each in people.read if each.entry.judged]
        if k is not None and judged:
            prompts = {each.prompt.id: each.prompt for each in judged}
            readings = read_again(run, "again", [each.row for each in judged], prompts, k, run.recipe.seed)
        if wrong_hints:
            effects = hinted(run, samples, people, k or samples.k)
    calibration = calibrated(samples, people, RichProgress(), readings)
    if as_json:
        shown = {**calibration.json(), "hints": effects and effects.json()}
        typer.echo(json.dumps(shown, ensure_ascii=False, indent=1))
        return
    for line in count_lines(calibration.counts):
        typer.echo(line)
    for table in calibration_tables(calibration):
        print_table(table)
    if effects:
        print_table(hinted_table(effects))
