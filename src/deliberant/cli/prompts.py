"""The `deliberant prompts` verbs: what happens to prompt files before a run reads them."""

from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from deliberant.cli.generate import generate_app
from deliberant.cli.options import (
    AsJson,
    Chunk,
    Model,
    NewTokens,
    PolicyName,
    Readings,
    Seed,
    Temperature,
    TemplatesOf,
    parse_pairs,
    print_json,
)
from deliberant.util.errors import UserError
from deliberant.util.names import one_line

prompts_app = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="Import, check, clean, split, label and generate prompts."
)
prompts_app.add_typer(generate_app, name="generate")

Threshold = Annotated[
    float, typer.Option(min=0.5, max=1.0, help="Jaccard similarity from which on two prompts are near-duplicates.")
]
Pairs = list[str] | None


@prompts_app.command("import")
def import_file(
    file: Annotated[
        str,
        typer.Argument(help="A .jsonl, .json, .csv, .tsv, .xlsx or .parquet file, a set of `data list`, or a Hub id."),
    ],
    to: Annotated[Path, typer.Option(help="The JSONL file to write; how it was read is kept beside it.")],
    mapped: Annotated[
        Pairs, typer.Option("--map", metavar="FIELD=COLUMN", help="Or FIELD='{COLUMN} {COLUMN}'; may be repeated.")
    ] = None,
    constants: Annotated[
        Pairs, typer.Option("--set", metavar="FIELD=VALUE", help="The same value for every prompt; may be repeated.")
    ] = None,
    values: Annotated[
        Pairs,
        typer.Option(metavar="FIELD:VALUE=OURS", help="What a value means, or a YAML file of such; may be repeated."),
    ] = None,
    separator: Annotated[str | None, typer.Option(help="Between several categories in one text; default is ;")] = None,
    skip_lines: Annotated[int | None, typer.Option(min=1, help="Lines above the header of a CSV file.")] = None,
    cases: Annotated[bool, typer.Option("--cases", help="Rows have a truth: write cases to measure on.")] = False,
    preset: Annotated[
        str | None, typer.Option(help="A known set (xstest, harmbench, ...), or the file kept of an earlier import.")
    ] = None,
    policy: Annotated[str | None, typer.Option(help="Whose categories and clauses are named; label needs it.")] = None,
    split: Annotated[str | None, typer.Option(help="Of a data set; default is train.")] = None,
    config: Annotated[str | None, typer.Option(help="Of a data set that has several.")] = None,
    as_json: AsJson = False,
) -> None:
    """Turn other people's rows into prompts or cases; lists what it skips, and what it leaves out.

    \b
    Fields: id, text, system, messages, category, categories, family, source,
    licence, framing, hints, hint, hint_source, hint_clause, confidence, label;
    of cases truth, truth_clause, harmful, suite, plain. A column that bears a
    field's name needs no --map; conversations (ShareGPT) and instruction with
    input (Alpaca) are known.

    \b
    deliberant prompts import xstest --to cases.jsonl
    deliberant prompts import xstest.csv --to cases.jsonl --preset xstest
    deliberant prompts import pairs.csv --to cases.jsonl --cases --map text=prompt --map truth=label --set suite=pairs
    deliberant prompts import hazards.csv --to a.jsonl --map text=ask --map category=hazard --values category:ncr=fraud
    deliberant prompts import context.csv --to a.jsonl --map text='{Behavior}\\n\\n{ContextString}'
    deliberant prompts import array.json --to a.jsonl --map text=question
    deliberant prompts import chats.json --to a.jsonl
    deliberant prompts import flags.jsonl --to a.jsonl --map text=prompt
    deliberant prompts import joined.jsonl --to a.jsonl --map text=prompt --map categories=violated --separator ,
    deliberant prompts import golden.csv --to c.jsonl --skip-lines 1 --cases --map text=Ex --map label=Class --policy p/
    deliberant prompts import languages.csv --to a.jsonl --map text=scenario --map family=id
    deliberant prompts import next.csv --to b.jsonl --preset a.import.yaml
    deliberant prompts import owner/name --to set.jsonl --split test --set source=name --set licence=MIT
    """
    from deliberant.cli.console import RichProgress, import_lines
    from deliberant.prompts import write_cases, write_prompts
    from deliberant.prompts.importing import Import, Rule, import_cases, import_prompts
    from deliberant.prompts.plan import Plan, read_plan, read_values, write_plan
    from deliberant.prompts.sets import choose, is_set, open_set
    from deliberant.prompts.tables import open_table
    from deliberant.run.sources import load_named_policy
    from deliberant.util.files import check_outputs, name_beside, write_rows

    public = choose(file) if is_set(file) else None
    if public and (split or config):
        raise UserError(f"{file}: --split and --config are for data sets of the Hub; leave them out for a public set")
    preset = preset or (public.data.preset if public else None)
    account, plan = Import(), read_plan(preset) if preset else Plan()
    plan.map |= {name: text.replace("\\n", "\n") for name, text in parse_pairs("--map", mapped, "FIELD=COLUMN").items()}
    plan.set |= parse_pairs("--set", constants, "FIELD=VALUE")
    for given in values or ():
        maps = read_values(Path(given)) if given.endswith((".yaml", ".yml")) else _value(given)
        for name, known in maps.items():
            plan.values.setdefault(name, {}).update(known)
    plan.separator, plan.skip_lines = separator or plan.separator, skip_lines or plan.skip_lines
    plan.cases |= cases
    skipped, kept = name_beside(to, "skipped.jsonl"), name_beside(to, "import.yaml")
    check_outputs([to, skipped, kept], [file])
    table = open_set(public, RichProgress()) if public else open_table(file, split, config, plan.skip_lines)
    names, clauses = None, None
    if policy:
        loaded = load_named_policy(policy)
        names = [each.id for each in loaded.categories]
        clauses = {id: Rule(clause.category, clause.style) for id, clause in loaded.clauses.items()}
    if plan.cases:
        write_cases(to, import_cases(table, plan, account, names, clauses))
    else:
        write_prompts(to, import_prompts(table, plan, account, names, clauses))
    write_plan(kept, plan)
    if account.skipped:
        write_rows(skipped, ({"at": at, "why": why} for at, why in account.skipped))
    else:
        skipped.unlink(missing_ok=True)
    _show(account.row(), import_lines(account, to, skipped), as_json)
    if not account.prompts:
        raise typer.Exit(1)


@prompts_app.command()
def check(
    file: Annotated[Path, typer.Argument(help="A JSONL file of prompts or of cases.")],
    policy: Annotated[
        str | None, typer.Option(help="A policy folder, or a word (micro, default): are its names right?")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check every row of a prompt file and count what it holds.

    \b
    deliberant prompts check train.jsonl
    deliberant prompts check cases.jsonl --policy my-policy/
    """
    from deliberant.cli.console import census_lines
    from deliberant.prompts import holds_cases, read_cases
    from deliberant.prompts.census import count_prompts
    from deliberant.run.checks import check_truths
    from deliberant.run.sources import list_names, load_named_policy

    loaded = load_named_policy(policy) if policy else None
    counts = count_prompts(file, *list_names(loaded))
    if loaded is not None and holds_cases(file):
        check_truths(read_cases(file), loaded, file)
    _show(vars(counts), census_lines(counts), as_json)


@prompts_app.command()
def dedupe(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="JSONL files of prompts.", show_default=False)],
    to: Annotated[Path, typer.Option(help="The JSONL file to write; the list of removed rows goes beside it.")],
    against: Annotated[
        list[Path] | None, typer.Option(help="Prompts or cases of an evaluation: what is near them goes, too.")
    ] = None,
    threshold: Threshold = 0.8,
    as_json: AsJson = False,
) -> None:
    """Remove duplicates, near-duplicates and what the evaluation asks, and list each with what it was like.

    \b
    deliberant prompts dedupe train.jsonl more.jsonl --to clean.jsonl
    deliberant prompts dedupe train.jsonl --against cases.jsonl --to clean.jsonl --threshold 0.7
    """
    from deliberant.cli.console import deduped_lines
    from deliberant.prompts.dedupe import dedupe as dedupe_files

    counts = dedupe_files(files, against or [], to, threshold)
    _show(asdict(counts), deduped_lines(counts), as_json)


@prompts_app.command()
def split(
    file: Annotated[Path, typer.Argument(help="A JSONL file of prompts.")],
    to: Annotated[Path, typer.Option(help="The folder for train.jsonl, held-out.jsonl and split.json.")],
    held_out: Annotated[float, typer.Option(help="Share of the prompts to hold out, above 0 and below 1.")] = 0.2,
    seed: Annotated[int, typer.Option(min=0, help="Another seed is another split.")] = 0,
    threshold: Threshold = 0.8,
    as_json: AsJson = False,
) -> None:
    """Split a prompt file for training and measuring; families and near-duplicates stay together.

    \b
    deliberant prompts split clean.jsonl --to sets --held-out 0.2 --seed 0
    """
    from deliberant.cli.console import split_lines
    from deliberant.prompts.split import split as split_file

    counts = split_file(file, to, held_out, seed, threshold)
    _show(asdict(counts), split_lines(counts, to), as_json)


@prompts_app.command()
def hints(
    file: Annotated[Path, typer.Argument(metavar="PROMPTS", help="A JSONL file of prompts.", show_default=False)],
    run: Annotated[Path, typer.Option("--from", metavar="RUN", help="The run whose samples people have labelled.")],
    to: Annotated[Path, typer.Option(help="The JSONL file to write.")],
    least: Annotated[
        float,
        typer.Option("--min-share", min=0.5, max=1.0, help="Share of a prompt's reviewers that have to say its style."),
    ] = 1.0,
    as_json: AsJson = False,
) -> None:
    """Give prompts the response style and clause that people found right, as a hint for the judge of a later run.

    The hint's source is review:NAME, its confidence the share of all who labelled a sample of the
    prompt. There is none where too few say one style (half is too few), and it names no clause
    where they name several; how many, and why, is counted.

    \b
    deliberant prompts hints train.jsonl --from runs/micro-1a2b3c4d --to hinted.jsonl
    deliberant prompts hints train.jsonl --from runs/micro-1a2b3c4d --to hinted.jsonl --min-share 0.6
    """
    from deliberant.cli.console import hint_lines
    from deliberant.prompts import read_prompts, write_prompts
    from deliberant.review import Labels, Samples
    from deliberant.review.hints import Account, with_hints
    from deliberant.util.files import check_outputs

    check_outputs([to], [file, run])
    samples, account = Samples(run), Account()
    labels = Labels(samples).read()
    write_prompts(to, with_hints(read_prompts(file), samples, labels, account, least))
    _show(vars(account), hint_lines(account, to), as_json)


@prompts_app.command()
def label(
    file: Annotated[Path, typer.Argument(help="A JSONL file of prompts; category may be left out.")],
    policy: PolicyName,
    with_: Model,
    to: Annotated[Path, typer.Option(help="The JSONL file to write; the readings go beside it.")],
    check: Annotated[bool, typer.Option("--check", help="Read the labelled ones, too, and compare.")] = False,
    keep_none: Annotated[
        bool, typer.Option("--keep-none", help="A blank category is a label, too: outside every category.")
    ] = False,
    readings: Readings = 3,
    templates: TemplatesOf = None,
    temperature: Temperature = 0.7,
    max_new_tokens: NewTokens = 1024,
    chunk: Chunk = 64,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Let a model name the categories of prompts that have none; labels that are there stay.

    It reads each prompt several times; a label is what more than half of the
    readings say. What gets none is not in the output but in a file beside it.
    The same command resumes.

    \b
    deliberant prompts label new.jsonl --policy my-policy/ --with Qwen/Qwen3-4B --to labelled.jsonl
    deliberant prompts label train.jsonl --policy micro --with micro --to checked.jsonl --check
    """
    from deliberant.cli.console import RichProgress, label_lines, print_table
    from deliberant.judge.labelling import Labeller, readings_file, unlabelled_file
    from deliberant.judge.labelling import label as labelled
    from deliberant.models import Sampling
    from deliberant.models.open import open_model
    from deliberant.report.confusion import confusion, matrix_table, rates_table
    from deliberant.run.sources import load_named_policy, templates_named
    from deliberant.util.files import check_outputs

    check_outputs([to, readings_file(to), unlabelled_file(to)], [file])
    loaded, sampling = load_named_policy(policy), Sampling(temperature, 1.0, max_new_tokens)
    files = templates_named(templates, with_)
    labeller = Labeller(open_model(with_, "writer"), files, sampling, loaded, readings, seed)
    result = labelled(file, to, labeller, with_, check=check, keep_none=keep_none, chunk=chunk, progress=RichProgress())
    report = confusion(result.checked, labeller.rule.menu) if check else None
    row: dict[str, Any] = {"rows": result.rows, "kept": result.kept, "labelled": len(result.labels) - result.unlabelled}
    row |= {"unlabelled": result.unlabelled, "confusion": report.json() if report else None}
    _show(row, label_lines(result, to), as_json)
    if report is not None and not as_json:
        print_table(matrix_table(report))
        print_table(rates_table(report))


def _value(given: str) -> dict[str, dict[str, str]]:
    name, colon, pair = given.partition(":")
    value, equals, ours = pair.rpartition("=")
    if not (name and colon and value and equals):
        raise UserError(f"--values {given}: write it as FIELD:VALUE=OURS, or name a .yaml file")
    return {name: {value: ours}}


def _show(row: dict[str, Any], lines: Iterable[str], as_json: bool) -> None:
    if as_json:
        return print_json(row, None)
    for line in lines:
        typer.echo(one_line(line))
