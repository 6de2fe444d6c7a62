"""The `deliberant prompts generate` verbs: prompts made of prompts, or of clauses, each with its yield.

Everything heavy is imported inside the verbs.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

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
    TopP,
    check_choice,
    expand_groups,
    print_json,
)
from deliberant.util.errors import UserError

if TYPE_CHECKING:
    from deliberant.generators import Job, Settled
    from deliberant.policy import Policy
    from deliberant.prompts import Prompt
    from deliberant.templates import Templates

generate_app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Make prompts of prompts, or of clauses.",
)

File = Annotated[Path, typer.Argument(help="A JSONL file of prompts.")]
To = Annotated[Path, typer.Option(help="The JSONL file to write.")]
AnyPolicy = Annotated[
    str | None, typer.Option("--policy", help="A policy folder, or micro, default: are the categories its own?")
]
Only = Annotated[list[str] | None, typer.Option(help="Only this one, by name; may be repeated.")]
Each = Annotated[int | None, typer.Option(min=1, help="How many each prompt gets, drawn by the seed; default is all.")]
Data = Annotated[Path | None, typer.Option(help="A data file of your own in place of the built-in one.")]
Alike = Annotated[
    float, typer.Option("--threshold", min=0.5, max=1.0, help="Jaccard similarity from which on two are duplicates.")
]
CHECKING = 0.7
"""Temperature at which categories are read."""


@dataclass(frozen=True)
class Output:
    """Options of where prompts go and which of them are duplicates."""

    to: To
    seed: Seed = 0
    threshold: Alike = 1.0
    rejected: Annotated[Path | None, typer.Option(help="Write what was not kept to this file, with reasons.")] = None
    as_json: AsJson = False

    def keep_apart(self, *read: Path | None) -> None:
        from deliberant.util.files import check_outputs

        check_outputs([self.to, self.rejected], read)

    def write(self, settled: "Settled") -> None:
        """Write what was kept and, where wanted, what was not; then the journals have done their work."""
        from deliberant.cli.console import print_table, settled_lines
        from deliberant.generators import forget_journals
        from deliberant.prompts import write_prompts
        from deliberant.report.yields import yields, yields_table
        from deliberant.util.files import write_rows

        if self.rejected is not None:
            write_rows(self.rejected, settled.rejected)
        write_prompts(self.to, settled.kept)
        forget_journals(self.to)
        rows = yields(settled)
        if self.as_json:
            row = {"yields": rows, "hints_dropped": settled.hints, "not_compared": settled.skipped}
            return print_json(row, None)
        print_table(yields_table(rows))
        for line in settled_lines(settled, self.to, self.rejected):
            typer.echo(line)


@dataclass(frozen=True)
class OutputOfClauses(Output):
    threshold: Alike = 0.8


@dataclass(frozen=True)
class Asking:
    """Options of how the models are asked that write prompts and check their categories."""

    check_with: Annotated[
        str | None,
        typer.Option(
            "--check-with", metavar="MODEL", help="Who checks the category; default is --with (multi-turn: nobody)."
        ),
    ] = None
    templates: TemplatesOf = None
    temperature: Temperature = 1.0
    top_p: TopP = 1.0
    max_new_tokens: NewTokens = 1024
    readings: Readings = 3
    chunk: Chunk = 64

    def write(
        self,
        writer: str,
        jobs: "Callable[[Templates, str], list[Job]]",
        policy: "Policy | None",
        known: "Sequence[Prompt]",
        output: Output,
    ) -> None:
        """Have the writer do the jobs, the checker read what it wrote, and write what is left. No policy, no check."""
        from deliberant.cli.console import RichProgress
        from deliberant.generators import write
        from deliberant.judge.labelling import Labeller
        from deliberant.models import Sampling
        from deliberant.models.open import open_model
        from deliberant.run.sources import templates_named

        sampler = open_model(writer, "writer")
        todo = jobs(templates_named(self.templates, writer), sampler.identity)
        labeller = None
        if policy is not None:
            checker = self.check_with or writer
            reader = sampler if checker == writer else open_model(checker, "writer")
            files, reading = templates_named(self.templates, checker), Sampling(CHECKING, 1.0, self.max_new_tokens)
            labeller = Labeller(reader, files, reading, policy, self.readings, output.seed)
        sampling = Sampling(self.temperature, self.top_p, self.max_new_tokens)
        made = (output.threshold, output.to, self.chunk, output.seed, RichProgress())
        output.write(write(todo, sampler, sampling, labeller, known, *made))


WRAPPING = {
    "framings": """The same request, put otherwise: fiction, role-play, research, urgent, authority, ...

    Family, licence and categories stay; hints where the framing asks the same.

    \b
    deliberant prompts generate framings train.jsonl --to framed.jsonl --each 2
    deliberant prompts generate framings train.jsonl --to framed.jsonl --only fiction --only urgent
    """,
    "transform": """Transformation requests around the text of a prompt: translate, summarise, classify, ...

    How to answer them is the policy's to say (its transformation exception), so
    hints of the source are dropped, and counted.

    \b
    deliberant prompts generate transform train.jsonl --to transformed.jsonl --only translate
    """,
    "encode": """The request in lower case and encoded: rot13, caesar, atbash, leet, reversed, spaced.

    \b
    deliberant prompts generate encode train.jsonl --to encoded.jsonl --each 1
    """,
}


def _wrapping(kind: str) -> None:
    @generate_app.command(kind, help=WRAPPING[kind])
    @expand_groups
    def verb(
        file: File, output: Output, policy: AnyPolicy = None, only: Only = None, each: Each = None, data: Data = None
    ) -> None:
        from deliberant.run.sources import load_named_policy

        output.keep_apart(file, data)
        prompts = _prompts(file, load_named_policy(policy) if policy else None)
        _wrap(kind, prompts, only, each, data, output)


for _kind in WRAPPING:
    _wrapping(_kind)


@generate_app.command("multi-turn")
@expand_groups
def multi_turn(
    file: File,
    output: Output,
    asking: Asking,
    policy: AnyPolicy = None,
    only: Only = None,
    each: Each = None,
    data: Data = None,
    with_: Annotated[
        str | None, typer.Option("--with", metavar="MODEL", help="This model writes what leads to the request.")
    ] = None,
    turns: Annotated[int, typer.Option(min=1, help="With a model: user turns before the request.")] = 2,
) -> None:
    """Conversations that lead to the request over several turns: rapport, commitment, in-halves, ...

    With a model, turns about the request's own subject, one such conversation
    for each prompt unless --each says more. The request stays the last turn,
    word for word, and so do family, categories and hints. It resumes.

    \b
    deliberant prompts generate multi-turn train.jsonl --to turns.jsonl --each 1 --seed 1
    deliberant prompts generate multi-turn train.jsonl --to turns.jsonl --with Qwen/Qwen3-4B --top-p 0.95
    """
    from deliberant.generators import lead_up_jobs
    from deliberant.run.sources import load_named_policy

    output.keep_apart(file, data)
    loaded = load_named_policy(policy) if policy else None
    prompts = _prompts(file, loaded)
    checked = asking.check_with is not None
    if with_ is None:
        if checked:
            raise UserError("--check-with: texts of a file are not checked; name a writer with --with, or leave it out")
        return _wrap("multi-turn", prompts, only, each, data, output)
    if only or data is not None:
        raise UserError(
            "--only, --data: are about texts of a file; a model writes its own, so leave --with or these out"
        )
    if checked and policy is None:
        raise UserError("--check-with: a category is checked by its policy; name that with --policy")

    def jobs(templates: "Templates", model: str) -> "list[Job]":
        return lead_up_jobs(prompts, turns, each or 1, templates, model, output.seed)

    asking.write(with_, jobs, loaded if checked else None, prompts, output)


@generate_app.command()
@expand_groups
def twins(
    file: File,
    output: Output,
    policy: PolicyName,
    with_: Model,
    asking: Asking,
    towards: Annotated[str, typer.Option(help="harmless (of harmful prompts), or harmful.")] = "harmless",
) -> None:
    """Twins that share a prompt's words and not its intent, written by a model and checked by one.

    The writer names the twin's category, or none; a twin stays where the
    checker reads the same. The same command resumes.

    \b
    deliberant prompts generate twins harmful.jsonl --to twins.jsonl --policy default --with Qwen/Qwen3-4B
    """
    from deliberant.generators import TOWARDS, twin_jobs
    from deliberant.run.sources import load_named_policy

    check_choice("--towards", towards, TOWARDS)
    output.keep_apart(file)
    loaded = load_named_policy(policy)
    prompts = _prompts(file, loaded)

    def jobs(templates: "Templates", model: str) -> "list[Job]":
        return twin_jobs(prompts, loaded, templates, model, towards, output.seed)

    asking.write(with_, jobs, loaded, prompts, output)


@generate_app.command()
@expand_groups
def clauses(
    file: Annotated[
        Path, typer.Argument(help="A run folder, what `coverage RUN --json` printed (.json), or prompts (.jsonl).")
    ],
    output: OutputOfClauses,
    policy: PolicyName,
    with_: Model,
    asking: Asking,
    least: Annotated[int, typer.Option("--min", min=1, help="Clauses with fewer prompts than this get more.")] = 10,
    clause: Annotated[list[str] | None, typer.Option(help="Only this clause, by id; may be repeated.")] = None,
    existing: Annotated[list[Path] | None, typer.Option(help="Prompts that must not be repeated.")] = None,
) -> None:
    """Prompts for clauses that have too few, written by a model that is shown the clause, and checked by one.

    Of a run, prompts count whose samples cite the clause; of a prompt file,
    those that were made for it. The same command resumes.

    \b
    deliberant prompts generate clauses runs/mine-1a2b3c4d --to more.jsonl --policy default --with Qwen/Qwen3-4B
    deliberant prompts generate clauses more.jsonl --to yet-more.jsonl --policy default --with Qwen/Qwen3-4B --min 5
    """
    from deliberant.generators import clause_jobs, counts_of_coverage, counts_of_prompts
    from deliberant.generators.clauses import check_counts
    from deliberant.prompts import read_prompts
    from deliberant.run.sources import load_named_policy

    output.keep_apart(file, *(existing or ()))
    loaded = load_named_policy(policy)
    known = [prompt for path in existing or () for prompt in read_prompts(path)]
    if file.is_dir():
        from deliberant.run.folder import sft_file
        from deliberant.stages.coverage import coverage

        counts = check_counts({row.name: row.total.prompts for row in coverage(file).clauses()}, loaded, str(file))
        rl = file / "prompts" / "rl.jsonl"  # earlier versions had one file for both
        known += [*read_prompts(sft_file(file)), *(read_prompts(rl) if rl.exists() else ())]
    elif file.suffix == ".jsonl":
        prompts = _prompts(file, loaded)
        counts = counts_of_prompts(prompts, loaded)
        known += prompts
    else:
        counts = counts_of_coverage(file, loaded)

    def jobs(templates: "Templates", model: str) -> "list[Job]":
        return clause_jobs(loaded, counts, least, clause or (), templates, model, output.seed)

    asking.write(with_, jobs, loaded, known, output)


@generate_app.command()
def documents(
    to: To,
    policy: PolicyName,
    each: Annotated[int | None, typer.Option(min=1, help="Of a clause, drawn by the seed; default is all.")] = None,
    data: Data = None,
    seed: Seed = 0,
) -> None:
    """Questions about every clause, whose answers are documents about the policy (stage documents).

    As prompts they may join those of sft or rl, or be answered by any model.

    \b
    deliberant prompts generate documents --policy shop --to documents.jsonl --each 2
    """
    from deliberant.generators import ask_about_clauses as questions_of
    from deliberant.prompts import write_prompts
    from deliberant.run.sources import load_named_policy

    questions = questions_of(load_named_policy(policy), each, seed, data)
    write_prompts(to, questions)
    typer.echo(f"{to}: {len(questions)} questions")


def _wrap(
    kind: str,
    prompts: "Sequence[Prompt]",
    only: list[str] | None,
    each: int | None,
    data: Path | None,
    output: Output,
) -> None:
    """Write the prompts as the texts of a file put them."""
    from deliberant.generators import load_wrappers, settle, wrap
    from deliberant.prompts.encodings import ANY_SCRIPT, has_other_letters

    strange = sum(has_other_letters(prompt.messages[-1]["content"]) for prompt in prompts) if kind == "encode" else 0
    if strange:
        what = f"{strange} of {len(prompts)} prompts have letters of other scripts than a to z"
        typer.echo(f"{what}: only {' and '.join(ANY_SCRIPT)} take them, the other encodings leave them out", err=True)
    made = wrap(prompts, load_wrappers(kind, only or (), data), each, output.seed)
    output.write(settle(made, prompts, output.threshold))


def _prompts(file: Path, policy: "Policy | None") -> "list[Prompt]":
    from deliberant.prompts import read_prompts
    from deliberant.run.sources import list_names

    return read_prompts(file, *list_names(policy))
