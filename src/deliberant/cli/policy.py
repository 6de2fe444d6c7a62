"""The `deliberant policy` verbs: read, check, compare, convert. No verb needs a model, save with `--with`.

Answers go to stdout, counts and remarks to stderr. Everything heavy is imported inside the verbs.
"""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deliberant.cli.options import AsJson, PolicyName, check_choice, parse_pairs, print_json
from deliberant.util.errors import UserError
from deliberant.util.names import one_line

if TYPE_CHECKING:
    from deliberant.policy import Finding
    from deliberant.policy.importers import Imported, Wishes
    from deliberant.policy.tokens import TokenCounter

policy_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Read, check, compare and convert a policy.")

Tokenizer = Annotated[
    str | None,
    typer.Option(help="A tokenizer.json, a folder, a Hub id, or the word micro; without it, counts are estimated."),
]


@policy_app.command()
def show(
    categories: Annotated[
        list[str] | None, typer.Argument(metavar="CATEGORY", help="Show these in full, too.", show_default=False)
    ] = None,
    policy: PolicyName = "micro",
    compressed: Annotated[bool, typer.Option("--compressed", help="Their compressed text, not the full one.")] = False,
    tokenizer: Tokenizer = None,
    budget: Annotated[int | None, typer.Option(min=0, help="More tokens than this are an error.")] = None,
    as_json: AsJson = False,
) -> None:
    """Print what a model is shown of a policy: summaries, rules and styles, and each named category in full.

    \b
    deliberant policy show
    deliberant policy show weapons fraud --policy my-policy/
    deliberant policy show violence --policy default --tokenizer Qwen/Qwen3-0.6B --budget 8000
    deliberant policy show violence fraud --policy default --compressed --json | jq .tokens
    """
    from deliberant.policy import measure, spec_view, summary_view
    from deliberant.run.sources import load_named_policy

    loaded, names = load_named_policy(policy), list(dict.fromkeys(categories or []))
    view = spec_view(loaded, names, compressed)
    count, how = _counter(tokenizer)
    try:
        tokens = measure(view, count, budget)
    except UserError as error:
        raise UserError(f"{error} ({how})") from None
    common = count(summary_view(loaded))
    parts = {name: count(spec_view(loaded, [name], compressed)) - common for name in names}
    if as_json:
        shown = {
            "policy": {"name": loaded.name, "version": loaded.version, "hash": loaded.hash},
            "categories": names,
            "compressed": compressed,
            "tokens": {"view": tokens, "summaries, rules and styles": common, "categories": parts, "how": how},
            "view": view,
        }
        return print_json(shown)
    typer.echo(view)
    split = "".join(f", {name} {part}" for name, part in parts.items())
    typer.echo(f"{tokens} tokens: summaries, rules and styles {common}{split} ({how})", err=True)


@policy_app.command()
def lint(
    policy: PolicyName = "micro",
    tokenizer: Tokenizer = None,
    with_: Annotated[
        str | None, typer.Option("--with", metavar="MODEL", help="Also ask this model (a folder, a Hub id, or micro).")
    ] = None,
    category: Annotated[
        list[str] | None, typer.Option(help="The model reads only this category's pairs; may be repeated.")
    ] = None,
    max_new_tokens: Annotated[int, typer.Option(min=1, help="Of each of that model's readings.")] = 1024,
    fix: Annotated[bool, typer.Option("--fix", help="Mend in place what needs no decision, then check.")] = False,
    github: Annotated[bool, typer.Option("--github", help="As annotations of a GitHub workflow.")] = False,
    as_json: AsJson = False,
) -> None:
    """Check a policy: references to nothing, contradictions, vague words, clauses without examples, sizes.

    With a model, also conflicts and ambiguities between clauses of a category: it reads every pair of them.
    Exit 0: clean, or notes only. 1: errors or warnings. 2: a policy that cannot be loaded.

    \b
    deliberant policy lint
    deliberant policy lint --policy my-policy/ --tokenizer Qwen/Qwen3-0.6B
    deliberant policy lint --policy my-policy/ --with Qwen/Qwen3-4B --category weapons
    deliberant policy lint --policy my-policy/ --fix
    deliberant policy lint --policy my-policy/ --github
    deliberant policy lint --policy my-policy/ --json | jq '.[] | select(.severity == "error")'
    """
    from deliberant.policy import lint as check
    from deliberant.policy.lint import finding_of_load_error
    from deliberant.run.sources import load_named_policy, policy_folder

    folder, count = policy_folder(policy), _counter(tokenizer).count if tokenizer else None
    try:
        loaded = load_named_policy(policy)
    except UserError as error:
        _show_findings(folder, [finding_of_load_error(folder, error)], github, as_json)
        raise typer.Exit(2) from None
    findings = check(loaded, count, folder)
    if fix and policy in ("micro", "default"):
        raise UserError(f"--fix: {policy} is built in; name a folder of your own")
    if fix:
        from deliberant.policy.lint import fix as mend

        typer.echo(f"{mend(folder, loaded, findings)} places mended", err=True)
        loaded = load_named_policy(policy)
        findings = check(loaded, count, folder)
    for id in category or ():
        loaded.category(id)  # a slip is told before the model is loaded
    if category and with_ is None:
        raise UserError("--category: says what a model reads; name one with --with, or leave it out")
    if with_ is not None:
        from deliberant.cli.console import RichProgress
        from deliberant.judge.conflicts import find_conflicts
        from deliberant.models.open import open_model

        progress = RichProgress()
        asked = find_conflicts(
            loaded, open_model(with_, "writer"), max_new_tokens, only=category or (), progress=progress
        )
        findings += asked.findings
        counts = ", ".join(f"{asked.counts[name]} {name}" for name in ("conflict", "ambiguous", "clear", "unscored"))
        typer.echo(f"pairs read by the model: {asked.counts.total()} ({counts})", err=True)
    _show_findings(folder, findings, github, as_json)
    if any(finding.severity != "note" for finding in findings):
        raise typer.Exit(1)


def _show_findings(folder: Path, findings: "Sequence[Finding]", github: bool, as_json: bool) -> None:
    """As text, as lines that a GitHub workflow turns into annotations, or as JSON; how many there are on stderr."""
    if as_json:
        return print_json([vars(finding) for finding in findings])
    for finding in findings:
        file, severity = folder / finding.path, finding.severity
        line = f"{file}:{finding.line}: {severity}: {finding.message} [{finding.rule}]"
        if github:
            level, at = "notice" if severity == "note" else severity, max(finding.line, 1)
            line = f"::{level} file={file},line={at},title={finding.rule}::{finding.message}"
        typer.echo(one_line(line))
    counts = Counter(finding.severity for finding in findings)
    typer.echo(", ".join(f"{counts[name]} {name}s" for name in ("error", "warning", "note")), err=True)


@policy_app.command()
def new(
    name: Annotated[Path, typer.Argument(metavar="NAME", help="The folder to make.", show_default=False)],
) -> None:
    """Make a folder to start a policy from: a category with a clause of each style, and a README about it.

    \b
    deliberant policy new my-policy
    """
    from deliberant.policy.importers import new_policy

    new_policy(name)
    typer.echo(name)


@policy_app.command()
def diff(
    old: Annotated[str, typer.Argument(metavar="OLD", help="A policy folder, or the word micro or default.")],
    new: Annotated[str, typer.Argument(metavar="NEW", help="Likewise.")],
    prompts: Annotated[Path | None, typer.Option(help="Prompts (JSONL): which of them does the change touch?")] = None,
    as_json: AsJson = False,
) -> None:
    """Compare two policies: clauses, categories, summaries, styles, rules; with --prompts, which prompts it touches.

    \b
    deliberant policy diff micro my-policy/
    deliberant policy diff my-policy.old/ my-policy/ --prompts train.jsonl
    deliberant policy diff micro my-policy/ --json | jq .touched
    """
    from deliberant.policy import diff as compare
    from deliberant.run.sources import list_names, load_named_policy

    before, after = load_named_policy(old), load_named_policy(new)
    changes = compare(before, after)
    asked: dict[str, list[str]] = {"touched": [], "untouched": []}
    outside = 0
    if prompts is not None:
        from deliberant.prompts import read_prompts

        for prompt in read_prompts(prompts, *list_names(before, after)):
            hit = any(map(changes.touches, prompt.categories))
            asked["touched" if hit else "untouched"].append(prompt.id)
            outside += not prompt.categories
    if as_json:
        return print_json(changes.row() | ({"prompts": asked} if prompts else {}))
    for line in ["no difference"] if changes.empty else changes.lines():
        typer.echo(line)
    whole = " (all: every spec view holds summaries, rules and styles)" if changes.everywhere else ""
    typer.echo(f"views touched: {', '.join(changes.reached) or 'none'}{whole}")
    if prompts is not None:
        count = len(asked["touched"])
        viewless = f" (outside every category, so without a spec view: {outside})" if outside else ""
        typer.echo(f"prompts touched: {count} of {count + len(asked['untouched'])}{viewless}")
        typer.echo("".join(f"{id}\n" for id in asked["touched"]), nl=False)


Source = Annotated[Path, typer.Argument(metavar="FILE|FOLDER", help="A policy as people write it.", show_default=False)]
Labels = Annotated[
    list[str] | None,
    typer.Option(
        "--label",
        metavar="TITLE=MEANING",
        help="What a title means: a style (refuse, comply, safe_complete), or category, clause, group, definitions, "
        "examples, exclusions, why, aside, text; may be repeated.",
    ),
]
CategoryLevel = Annotated[int | None, typer.Option(min=1, max=6, help="Headings of this level are categories.")]
Layout = Annotated[
    str | None,
    typer.Option(help="model-spec, labelled, taxonomy, numbered or prose; without it, the content tells."),
]
StyleOfAll = Annotated[str | None, typer.Option(help="Style of all clauses, where the source has none.")]


@policy_app.command()
def outline(
    file: Source,
    label: Labels = None,
    category_level: CategoryLevel = None,
    layout: Layout = None,
    as_json: AsJson = False,
) -> None:
    """Show what `import` finds in a file, line by line, and what each part would become; ? marks what it does not know.

    \b
    deliberant policy outline policy.md
    deliberant policy outline policy.md --label 'Includes=refuse' --label 'Overview=aside' --category-level 2
    """
    from deliberant.cli.console import print_outline
    from deliberant.policy.importers import check_wishes, outline_sources

    sources, name = outline_sources(
        file, check_wishes(parse_pairs("--label", label, "TITLE=MEANING"), category_level, None), layout
    )
    if as_json:
        rows = [
            {"file": str(each.file), "line": part.line, "end": part.end, "kind": part.kind, "title": part.title}
            | {"is": part.role, "style": part.style}
            for each in sources
            for part in each.root.walk()
        ]
        return print_json({"layout": name, "parts": rows})
    for each in sources:
        print_outline(each)
    typer.echo(f"read as {name}; change it with --label, --category-level, --layout", err=True)


@policy_app.command("import")
def import_(
    file: Source,
    to: Annotated[Path, typer.Option(help="Folder of the policy; must not exist or be empty.")],
    label: Labels = None,
    category_level: CategoryLevel = None,
    style: StyleOfAll = None,
    layout: Layout = None,
    with_: Annotated[
        str | None, typer.Option("--with", metavar="MODEL", help="Have this model draft the clauses, for your review.")
    ] = None,
    max_new_tokens: Annotated[int, typer.Option(min=1, help="Of each of that model's answers.")] = 512,
    as_json: AsJson = False,
) -> None:
    """Make a policy of a file or folder as people write them: labelled sections, codes, taxonomies, numbers, prose,
    OpenAI's Model Spec, SpecBench's JSON, an exported policy; Markdown, text, Word or PDF.

    Says what was found and what imported, every line counted; `outline` shows it before. Where the source names no
    response style, --style gives all clauses one, --label says what a title means, or --with has a model draft the
    clauses: each quotes the source, and `lint` names it until it has been reviewed. Exit 1: something was left out, or
    not drafted, and is listed.

    \b
    deliberant policy import policy.md --to my-policy/
    deliberant policy import policies/ --to my-policy/
    deliberant policy import policy.md --to my-policy/ --label 'Includes=refuse' --label 'Excludes=comply'
    deliberant policy import hazards.md --to my-policy/ --style refuse
    deliberant policy import constitution.md --to my-policy/ --style safe_complete --category-level 2
    deliberant policy import model_spec/model_spec.md --to my-policy/ --style safe_complete
    deliberant policy import SpecBench/data --to my-policy/ --style comply
    deliberant policy import handbook.docx --to my-policy/ --with hf:Qwen/Qwen3-4B
    """
    from dataclasses import asdict

    from deliberant.policy.importers import check_wishes, import_policy, save_policy
    from deliberant.prompts.types import STYLES

    chosen = None if style is None else check_choice("--style", style, STYLES)
    wishes = check_wishes(parse_pairs("--label", label, "TITLE=MEANING"), category_level, chosen)
    if with_ is None:
        imported = import_policy(file, wishes, layout)
    else:
        if style or layout:
            raise UserError("--with: the model names styles and finds the rules; leave --style and --layout out")
        imported = _drafted(file, wishes, with_, max_new_tokens)
    save_policy(imported.policy, to)
    if as_json:
        row = {"policy": str(to), "hash": imported.policy.hash, "counts": [asdict(count) for count in imported.counts]}
        row |= {"notes": list(imported.remarks), "warnings": list(imported.warnings)}
        print_json(row)
        raise typer.Exit(1 if imported.warnings else 0)
    for count in imported.counts:
        typer.echo(f"{count.what}: {count.found} found, {count.imported} imported", err=True)
    for remark in imported.remarks:
        typer.echo(one_line(f"note: {remark}"), err=True)
    for warning in imported.warnings:
        typer.echo(one_line(f"warning: {warning}"), err=True)
    typer.echo(to)
    if imported.warnings:
        raise typer.Exit(1)


def _drafted(file: Path, wishes: "Wishes", model: str, max_new_tokens: int) -> "Imported":
    """What a model drafts; each clause is shown below the lines that it is made of, as a diff."""
    from deliberant.cli.console import RichProgress
    from deliberant.generators.drafts import draft_policy
    from deliberant.models.open import open_model

    sampler = open_model(model, "writer")
    imported = draft_policy(file, wishes, sampler, model, max_new_tokens, progress=RichProgress())
    for clause in imported.policy.clauses.values():
        lines = [clause.source, *(f"- {line}" for line in clause.text.splitlines())]
        lines += [f"+ {clause.title} [{clause.id}] {clause.style}", *(f"+   e.g. {each}" for each in clause.examples)]
        for line in lines:
            typer.echo(one_line(line), err=True)
    return imported


@policy_app.command()
def export(
    policy: PolicyName = "micro",
    to: Annotated[Path | None, typer.Option(help="File to write, which must not exist; default is stdout.")] = None,
) -> None:
    """Write a policy as one Markdown file in the form that gpt-oss-safeguard reads; `import` takes it back.

    \b
    deliberant policy export --policy my-policy/
    deliberant policy export --policy my-policy/ --to my-policy.md
    """
    from deliberant.policy.importers import export_policy
    from deliberant.policy.loader import refuse_policy_folder
    from deliberant.run.sources import load_named_policy

    if to is not None:
        refuse_policy_folder(to)
    text = export_policy(load_named_policy(policy))
    if to is None:
        typer.echo(text, nl=False)
        return
    if to.exists():
        raise UserError(f"{to}: is there already; name another file")
    from deliberant.util.files import write_atomically

    write_atomically(to, text.encode())
    typer.echo(to)


def _counter(tokenizer: str | None) -> "TokenCounter":
    from deliberant.micro import MODEL_DIR
    from deliberant.policy.tokens import token_counter

    if tokenizer == "micro":
        return token_counter(str(MODEL_DIR))._replace(how="counted by micro")
    return token_counter(tokenizer)
