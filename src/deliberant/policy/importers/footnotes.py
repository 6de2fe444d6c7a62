"""The Model Spec's example files: `examples/KEY.md` beside it, for the section whose text has the footnote `[^KEY]`."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from deliberant.policy.importers.building import TAG, Builder, lead_text
from deliberant.policy.markdown import clip, mistake
from deliberant.policy.outline import read_outline

HEADER = re.compile(r"Examples for \[\^([\w-]+)\] in (.*):\s*")
LINK = re.compile(r"\]\(#([\w-]+)\)")


@dataclass
class Examples:
    """A file's conversations, and the section that its first line names."""

    path: Path
    section: str
    shown: list[str]


def read_examples(folder: Path, warnings: list[str]) -> dict[str, Examples]:
    """The files of a folder by footnote, if there is one. UserError for a file with another first line."""
    files: dict[str, Examples] = {}
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if path.suffix != ".md":
            warnings.append(f"{path}:1: skipped, since it is no .md file; move it away")
            continue
        outline = read_outline(path)
        first = outline.root.inner[0] if outline.root.inner else None
        found = HEADER.match(outline.text(1, first.last)) if first else None
        if not found or found[1] != path.stem:
            raise mistake(path, 1, f"no line `Examples for [^{path.stem}] in <section>:`", "start the file with it")
        files[found[1]] = Examples(path, found[2], [])
        for part in outline.root.inner[1:]:
            if part.kind == "lead" and any(each.kind == "code" for each in part.inner):
                files[found[1]].shown.append(lead_text(outline, part))
            elif part.kind != "rule":
                what = "text outside the conversations is skipped; move it into one, or into the section"
                warnings.append(f"{path}:{part.line}: {what}")
    return files


def take_examples(builder: Builder, file: Path) -> tuple[int, int]:
    """Give every file's conversations to the clause, or the text, that its footnote is in; how many there are."""
    files = read_examples(file.parent / "examples", builder.warnings)
    titled = []
    order = dict.fromkeys(re.findall(r"\[\^([\w-]+)\]", "\n".join(builder.outline.lines)))
    for key in [key for key in order if key in files] + [key for key in files if key not in order]:
        each = files[key]
        mark = f"[^{key}]"
        shown = tuple(mark + ("\n\n" if text.startswith(("~", "`")) else " ") + text for text in each.shown)
        clauses = [(area, place) for area in builder.areas.values() for place in range(len(area.clauses))]
        cited = [one for one in clauses if mark in one[0].clauses[one[1]][1].text]
        named = [one for one in clauses if _straight(one[0].clauses[one[1]][1].title) == _straight(each.section)]
        if cited or named:
            area, place = (cited or named)[0]
            code, clause = area.clauses[place]
            area.clauses[place] = code, replace(clause, examples=(*clause.examples, *shown))
            titled += [key] * (mark not in clause.text)
        elif text := next((text for text in _texts(builder) if any(mark in block for block in text)), None):
            text += [f"**Example**: {one}" for one in shown]
        else:
            what = f"no section has the footnote {mark} or the title {clip(each.section)}; is {file.name} whole?"
            builder.warnings.append(f"{each.path}:1: {what}")
            each.shown = []
    if titled:
        builder.remarks.append(f"no footnote for {', '.join(titled)}: placed by the section title in their first line")
    if not files:
        builder.remarks.append(f"no folder {file.parent / 'examples'}: only the examples in the text are imported")
    found = sum(len(each.shown) for each in files.values())
    return len(files), found


def broken_links(builder: Builder) -> Iterator[str]:
    """A warning for each link to a section that is not there, which a file cut short has.

    UserError for a heading whose attributes are not understood: it may be a rule.
    """
    outline = builder.outline
    for part in outline.root.walk():
        if part.kind == "heading" and ("{#" in part.title or "authority=" in part.title) and not TAG.search(part.title):
            what = f"heading {clip(part.title)} has attributes that are not understood"
            raise mistake(outline.file, part.line, what, "write `{#anchor authority=...}` at its end")
    anchors = set(re.findall(r"\{#([\w-]+)", "\n".join(part.title for part in outline.root.walk())))
    for number, line in enumerate(outline.lines, start=1):
        for match in LINK.finditer(line):
            if match[1] not in anchors:
                yield f"{outline.file}:{number}: link to #{match[1]}, which is no section; is the file whole?"


def _texts(builder: Builder) -> Iterator[list[str]]:
    yield from (area.loose for area in builder.areas.values())
    yield builder.intro


def _straight(title: str) -> str:
    return title.replace("\u2019", "'").strip()
