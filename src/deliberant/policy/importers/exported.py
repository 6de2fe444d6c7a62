"""A whole policy in one Markdown file, in the form that gpt-oss-safeguard's guide asks for: written, and read back.

    # demo                         the name, then `Version: 1.10` and the introduction
    # INSTRUCTIONS                 what a classifier is to do; written by us, not part of the policy
    # RULES                        rules.md
    # STYLES                       `## refuse` and so on, as in styles.md
    # CATEGORY weapons: Weapons    then `## SUMMARY`, `## COMPRESSED`, `## DEFINITIONS`, and the clauses in their order:
    ## VIOLATES (refuse)
    ### W1: weapon instructions    text, reason, examples, exclusions and source as in a category file
    ## SAFE (comply)
    ### W2: weapon facts

Read back, this gives the very same policy. Files of other hands are for `layouts`.
"""

import re
import tempfile
from dataclasses import replace
from itertools import groupby
from pathlib import Path

from deliberant.policy.importers.sources import DOCUMENTS
from deliberant.policy.importers.types import Count, Imported, number_files
from deliberant.policy.loader import load_policy
from deliberant.policy.markdown import Block, error_at, join_lines, read_document, strip_closing_hashes
from deliberant.policy.types import Policy, clause_parts, front_matter, guideline_section, write_files
from deliberant.util.errors import UserError

INSTRUCTIONS = """\
Classify each EXAMPLE by the rules below. If a rule under VIOLATES decides it, answer VIOLATES and that rule's code;
otherwise answer SAFE and the code of the rule that allows it. Rules under SAFE WITH CARE allow a careful answer. Where
two rules meet, RULES says which one wins. Give your reason in one sentence first, the answer last."""
LABELS = {"refuse": "VIOLATES", "comply": "SAFE", "safe_complete": "SAFE WITH CARE"}
TOP, SECOND, THIRD = (re.compile(rf"^ {{0,3}}{mark}(?:[ \t]+(.*))?$", re.MULTILINE) for mark in ("#", "##", "###"))
VERSION = re.compile(r"\n*Version: (.*)(?:\n+|$)")


def export_policy(policy: Policy) -> str:
    """The policy in one file, ending in a newline."""
    # A `#` heading in the introduction would begin a part of the file; Markdown shows the escape as the heading's `#`.
    intro = re.sub(r"^( {0,3})(\\*#(?:[ \t]|$))", r"\1\\\2", policy.intro, flags=re.MULTILINE)
    blocks = [f"# {policy.name}", f"Version: {policy.version}", intro, "# INSTRUCTIONS", INSTRUCTIONS]
    blocks += ["# RULES", policy.rules] if policy.rules else []
    blocks += ["# STYLES", *map(guideline_section, policy.styles)]
    for category in policy.categories:
        blocks.append(f"# CATEGORY {category.id}: {category.title}")
        for name in ("summary", "compressed", "definitions"):
            blocks += [f"## {name.upper()}", text] if (text := getattr(category, name)) else []
        for style, clauses in groupby(category.clauses, key=lambda clause: clause.style):
            blocks.append(f"## {LABELS[style]} ({style})")
            for clause in clauses:
                blocks += [f"### {clause.id}: {clause.title}", *clause_parts(clause, source=True)]
    return "\n\n".join(block for block in blocks if block) + "\n"


def is_exported(file: Path) -> bool:
    """Whether a file is one that `export_policy` wrote."""
    if file.suffix.lower() in DOCUMENTS:
        return False
    titles = [strip_closing_hashes(match[1]) for match in TOP.finditer(read_document(file)[1].mask)]
    return "STYLES" in titles and any(title.startswith("CATEGORY ") for title in titles)


def read_exported(file: Path) -> Imported:
    """The policy. UserError with file and line for what `export_policy` does not write (a file cut short)."""
    before, ((first, head), *others) = read_document(file)[1].split(TOP)
    version = VERSION.match(head.text)
    if str(before) or not version:
        raise error_at(file, 1, "no title, or no line `Version: ...` below it", "write them there")
    intro = re.sub(r"^( {0,3})\\(\\*#(?:[ \t]|$))", r"\1\2", head.text[version.end() :].strip("\n"), flags=re.MULTILINE)
    files = {
        "policy.md": f"{front_matter(name=strip_closing_hashes(first[1]), version=join_lines(version[1]))}\n{intro}\n"
    }
    for match, body in others:
        title = strip_closing_hashes(match[1])
        if named := re.fullmatch(r"CATEGORY (\w[\w-]*):\s*(\S.*)", title):
            files[f"categories/{len(files):04}.md"] = _category(named[1], named[2], body)
        elif title in ("RULES", "STYLES"):
            files[f"{title.lower()}.md"] = f"# {title.capitalize()}{body.text}"
        elif title != "INSTRUCTIONS" or str(body) != INSTRUCTIONS:
            raise body.mistake(f"section {title!r} does not belong in an exported policy", "put it below `# RULES`")
    with tempfile.TemporaryDirectory() as folder:
        write_files(files, Path(folder))
        try:
            policy = load_policy(folder)
        except UserError as error:
            what = re.sub(r"^.*?:\d+: ", "", str(error).replace(f"{folder}/", ""))
            raise error_at(file, 1, f"is no whole exported policy ({what})", "export it again") from None
    policy = replace(policy, categories=number_files(tuple(replace(each, path="") for each in policy.categories)))
    counts = {"categories": len(policy.categories), "clauses": len(policy.clauses)}
    return Imported(policy, tuple(Count(what, number, number) for what, number in counts.items()))


def _category(id: str, title: str, block: Block) -> str:
    """The file of a category."""
    styles = {f"{label} ({style})": style for style, label in LABELS.items()}
    above, sections = block.split(SECOND)
    texts, clauses = [f"---\nid: {id}\n---\n# {title}{above.text}"], ["## Clauses"]
    for match, body in sections:
        if style := styles.get(strip_closing_hashes(match[1])):
            before, rules = body.split(THIRD)
            clauses.append(before.text)
            for rule, inner in rules:
                code, _, words = strip_closing_hashes(rule[1]).partition(":")
                clauses.append(f"### {words.strip()} [{code}] {style}{inner.text}")
        else:
            texts.append(f"## {strip_closing_hashes(match[1]).capitalize()}{body.text}")
    return "\n".join([*texts, *clauses])
