"""The `deliberant prompts generate` verbs: prompts made of prompts, or of clauses, each with its yield.

Everything heavy is imported inside the verbs.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deliberant.cli.options import (
    Chunk,
    Model,
    NewTokens,
    PolicyName,
    Readings,
    Seed,
    Temperature,
    TemplatesOf,
    TopP,
    choice,
)
from deliberant.util.errors import UserError

if TYPE_CHECKING:
    from deliberant.generators import Job, Settled
    from deliberant.judge.labelling import Labeller
    from deliberant.models import Sampler
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
Rejected = Annotated[Path | None, typer.Option(help="Write what was not kept to this file, with reasons.")]
AnyPolicy = Annotated[
    str | None, typer.Option("--policy", help="A policy folder, or micro, default: are the categories its own?")
]
Checker = Annotated[
    str | None, typer.Option("--check-with", metavar="MODEL", help="Who checks the category; default is --with.")
]
Only = Annotated[list[str] | None, typer.Option(help="Only this one, by name; may be repeated.")]
Each = Annotated[int | None, typer.Option(min=1, help="How many each prompt gets, drawn by the seed; default is all.")]
Data = Annotated[Path | None, typer.Option(help="A data file of your own in place of the built-in one.")]
Alike = Annotated[
    float, typer.Option("--threshold", min=0.5, max=1.0, help="Jaccard similarity from which on two are duplicates.")
]
CHECKING = 0.7
"""Temperature at which categories are read."""
AsJson = Annotated[bool, typer.Option("--json", help="The yields as one JSON object.")]


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
    def verb(
        file: File,
        to: To,
        policy: AnyPolicy = None,
        only: Only = None,
        each: Each = None,
        data: Data = None,
        seed: Seed = 0,
        threshold: Alike = 1.0,
        rejected: Rejected = None,
        as_json: AsJson = False,
    ) -> None:
        from deliberant.run.sources import policy_named
        from deliberant.util.files import apart

        apart([to, rejected], [file, data])
        prompts = _prompts(file, policy_named(policy) if policy else None)
        _finish(_wrapped(kind, prompts, only, each, data, seed, threshold), to, rejected, as_json)


for _kind in WRAPPING:
    _wrapping(_kind)


@generate_app.command("multi-turn")
def multi_turn(
    file: File,
    to: To,
    policy: AnyPolicy = None,
    only: Only = None,
    each: Each = None,
    data: Data = None,
    with_: Annotated[
        str | None, typer.Option("--with", metavar="MODEL", help="This model writes what leads to the request.")
    ] = None,
    turns: Annotated[int, typer.Option(min=1, help="With a model: user turns before the request.")] = 2,
    check_with: Annotated[
        str | None, typer.Option("--check-with", metavar="MODEL", help="Who checks the category; needs --policy.")
    ] = None,
    templates: TemplatesOf = None,
    temperature: Temperature = 1.0,
    top_p: TopP = 1.0,
    max_new_tokens: NewTokens = 1024,
    readings: Readings = 3,
    chunk: Chunk = 64,
    seed: Seed = 0,
    threshold: Alike = 1.0,
    rejected: Rejected = None,
    as_json: AsJson = False,
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
    from deliberant.run.sources import policy_named
    from deliberant.util.files import apart

    apart([to, rejected], [file, data])
    loaded = policy_named(policy) if policy else None
    prompts = _prompts(file, loaded)
    if with_ is None:
        if check_with is not None:
            raise UserError(
                "--check-with: texts of a file are not checked; name who writes with --with, or leave it out"
            )
        _finish(_wrapped("multi-turn", prompts, only, each, data, seed, threshold), to, rejected, as_json)
        return
    if only or data is not None:
        raise UserError(
            "--only, --data: are about texts of a file; a model writes its own, so leave --with or them out"
        )
    if check_with is not None and policy is None:
        raise UserError("--check-with: a category is checked by its policy; name that with --policy")

    def jobs(templates: "Templates", model: str) -> "list[Job]":
        return lead_up_jobs(prompts, turns, each or 1, templates, model, seed)

    models = _Models(with_, check_with, templates, temperature, top_p, max_new_tokens, readings, chunk, seed)
    _finish(
        models.write(jobs, loaded if check_with is not None else None, prompts, threshold, to), to, rejected, as_json
    )


@generate_app.command()
def twins(
    file: File,
    to: To,
    policy: PolicyName,
    with_: Model,
    towards: Annotated[str, typer.Option(help="harmless (of harmful prompts), or harmful.")] = "harmless",
    check_with: Checker = None,
    templates: TemplatesOf = None,
    temperature: Temperature = 1.0,
    top_p: TopP = 1.0,
    max_new_tokens: NewTokens = 1024,
    readings: Readings = 3,
    chunk: Chunk = 64,
    seed: Seed = 0,
    threshold: Alike = 1.0,
    rejected: Rejected = None,
    as_json: AsJson = False,
) -> None:
    """Twins that share a prompt's words and not its intent, written by a model and checked by one.

    The writer names the twin's category, or none; a twin stays where the
    checker reads the same. The same command resumes.

    \b
    deliberant prompts generate twins harmful.jsonl --to twins.jsonl --policy default --with Qwen/Qwen3-4B
    """
    from deliberant.generators import TOWARDS, twin_jobs
    from deliberant.run.sources import policy_named
    from deliberant.util.files import apart

    choice("--towards", towards, TOWARDS)
    apart([to, rejected], [file])
    loaded = policy_named(policy)
    prompts = _prompts(file, loaded)

    def jobs(templates: "Templates", model: str) -> "list[Job]":
        return twin_jobs(prompts, loaded, templates, model, towards, seed)

    models = _Models(with_, check_with, templates, temperature, top_p, max_new_tokens, readings, chunk, seed)
    _finish(models.write(jobs, loaded, prompts, threshold, to), to, rejected, as_json)


@generate_app.command()
def clauses(
    file: Annotated[
        Path, typer.Argument(help="A run folder, what `coverage RUN --json` printed (.json), or prompts (.jsonl).")
    ],
    to: To,
    policy: PolicyName,
    with_: Model,
    least: Annotated[int, typer.Option("--min", min=1, help="Clauses with fewer prompts than this get more.")] = 10,
    clause: Annotated[list[str] | None, typer.Option(help="Only this clause, by id; may be repeated.")] = None,
    existing: Annotated[list[Path] | None, typer.Option(help="Prompts that must not be repeated.")] = None,
    check_with: Checker = None,
    templates: TemplatesOf = None,
    temperature: Temperature = 1.0,
    top_p: TopP = 1.0,
    max_new_tokens: NewTokens = 1024,
    readings: Readings = 3,
    chunk: Chunk = 64,
    seed: Seed = 0,
    threshold: Alike = 0.8,
    rejected: Rejected = None,
    as_json: AsJson = False,
) -> None:
    """Prompts for clauses that have too few, written by a model that is shown the clause, and checked by one.

    Of a run, prompts count whose samples cite the clause; of a prompt file,
    those that were made for it. The same command resumes.

    \b
    deliberant prompts generate clauses runs/mine-1a2b3c4d --to more.jsonl --policy default --with Qwen/Qwen3-4B
    deliberant prompts generate clauses more.jsonl --to yet-more.jsonl --policy default --with Qwen/Qwen3-4B --min 5
    """
    from deliberant.generators import clause_jobs, counts_of_coverage, counts_of_prompts
    from deliberant.generators.clauses import of_policy
    from deliberant.prompts import read_prompts
    from deliberant.run.sources import policy_named
    from deliberant.util.files import apart

    apart([to, rejected], [file, *(existing or ())])
    loaded = policy_named(policy)
    known = [prompt for path in existing or () for prompt in read_prompts(path)]
    if file.is_dir():
        from deliberant.run.folder import sft_file
        from deliberant.stages.coverage import coverage

        found = {row.name: row.total.prompts for row in coverage(file).clauses()}
        counts = of_policy(found, loaded, str(file))
        rl = file / "prompts" / "rl.jsonl"  # earlier versions had one file for both
        known += [*read_prompts(sft_file(file)), *(read_prompts(rl) if rl.exists() else ())]
    elif file.suffix == ".jsonl":
        prompts = _prompts(file, loaded)
        counts = counts_of_prompts(prompts, loaded)
        known += prompts
    else:
        counts = counts_of_coverage(file, loaded)

    def jobs(templates: "Templates", model: str) -> "list[Job]":
        return clause_jobs(loaded, counts, least, clause or (), templates, model, seed)

    models = _Models(with_, check_with, templates, temperature, top_p, max_new_tokens, readings, chunk, seed)
    _finish(models.write(jobs, loaded, known, threshold, to), to, rejected, as_json)


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
    from deliberant.generators import documents as asked
    from deliberant.prompts import write_prompts
    from deliberant.run.sources import policy_named

    found = asked(policy_named(policy), each, seed, data)
    write_prompts(to, found)
    typer.echo(f"{to}: {len(found)} questions")


@dataclass(frozen=True)
class _Models:
    """The options of the verbs that ask a model. Without a policy nothing is checked."""

    writer: str
    checker: str | None
    templates: str | None
    temperature: float
    top_p: float
    max_new_tokens: int
    readings: int
    chunk: int
    seed: int

    def write(
        self,
        jobs: "Callable[[Templates, str], list[Job]]",
        policy: "Policy | None",
        known: "Sequence[Prompt]",
        threshold: float,
        to: Path,
    ) -> "Settled":
        from deliberant.cli.console import RichProgress
        from deliberant.generators import write
        from deliberant.models import Sampling
        from deliberant.models.open import open_model
        from deliberant.run.sources import templates_named

        sampler = open_model(self.writer, "writer")
        todo = jobs(templates_named(self.templates, self.writer), sampler.identity)
        labeller = self._labeller(policy, sampler) if policy is not None else None
        sampling = Sampling(self.temperature, self.top_p, self.max_new_tokens)
        progress = RichProgress()
        return write(todo, sampler, sampling, labeller, known, threshold, to, self.chunk, self.seed, progress)

    def _labeller(self, policy: "Policy", writer: "Sampler") -> "Labeller":
        from deliberant.judge.labelling import Labeller
        from deliberant.models import Sampling
        from deliberant.models.open import open_model
        from deliberant.run.sources import templates_named

        checker = self.checker or self.writer
        reader = writer if checker == self.writer else open_model(checker, "writer")
        reading = Sampling(CHECKING, 1.0, self.max_new_tokens)
        return Labeller(reader, templates_named(self.templates, checker), reading, policy, self.readings, self.seed)


def _wrapped(
    kind: str,
    prompts: "Sequence[Prompt]",
    only: list[str] | None,
    each: int | None,
    data: Path | None,
    seed: int,
    threshold: float,
) -> "Settled":
    from deliberant.generators import load_wrappers, settle, wrap
    from deliberant.prompts.encodings import ANY_SCRIPT, foreign

    strange = sum(foreign(prompt.messages[-1]["content"]) for prompt in prompts) if kind == "encode" else 0
    if strange:
        what = f"{strange} of {len(prompts)} prompts have letters of other scripts than a to z"
        typer.echo(f"{what}: only {' and '.join(ANY_SCRIPT)} take them, the other encodings leave them out", err=True)
    return settle(wrap(prompts, load_wrappers(kind, only or (), data), each, seed), prompts, threshold)


def _prompts(file: Path, policy: "Policy | None") -> "list[Prompt]":
    from deliberant.prompts import read_prompts
    from deliberant.run.sources import names_in

    return read_prompts(file, *names_in(policy))


def _finish(found: "Settled", to: Path, rejected: Path | None, as_json: bool) -> None:
    """Write what was kept and, where wanted, what was not; then the journals have done their work."""
    from deliberant.cli.console import print_table, settled_lines
    from deliberant.generators import forget_journals
    from deliberant.prompts import write_prompts
    from deliberant.report.yields import yields, yields_table
    from deliberant.util.files import write_rows

    if rejected is not None:
        write_rows(rejected, found.rejected)
    write_prompts(to, found.kept)
    forget_journals(to)
    rows = yields(found)
    if as_json:
        row = {"yields": rows, "hints_dropped": found.hints, "not_compared": found.skipped}
        typer.echo(json.dumps(row, ensure_ascii=False))
        return
    print_table(yields_table(rows))
    for line in settled_lines(found, to, rejected):
        typer.echo(line)
