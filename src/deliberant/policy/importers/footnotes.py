"""The Model Spec's example files: `examples/KEY.md` beside it, for the section whose text has the footnote `[^KEY]`."""

import re
from collections.abc import Iterator
from pathlib import Path

from deliberant.policy.importers.building import TAG, Builder, text_below_lead
from deliberant.policy.markdown import clip, error_at
from deliberant.policy.outline import Outline, read_outline

HEADER = re.compile(r"Examples for \[\^([\w-]+)\] in (.*):\s*")
LINK = re.compile(r"\]\(#([\w-]+)\)")


def read_examples(path: Path, warnings: list[str]) -> tuple[str, list[str]]:
    """The section that a file's first line names, and its conversations. UserError for another first line."""
    parts = (outline := read_outline(path)).root.inner
    header = HEADER.match(outline.text(1, parts[0].last)) if parts else None
    if not header or header[1] != path.stem:
        raise error_at(path, 1, f"no line `Examples for [^{path.stem}] in <section>:`", "start the file with it")
    shown = []
    for part in parts[1:]:
        if part.kind == "lead" and any(each.kind == "code" for each in part.inner):
            shown.append(text_below_lead(outline, part))
        elif part.kind != "rule":
            what = "text outside the conversations is skipped; move it into one, or into the section"
            warnings.append(f"{path}:{part.line}: {what}")
    return header[2], shown


def take_footnotes(builder: Builder, file: Path) -> None:
    """Give every example file's conversations to the clause, or the text, that its footnote is in.

    A warning for each file without such a place, and for each link to a section that is not there: the file may have
    been cut short.
    """
    builder.warnings += _broken_links(builder.outline)
    paths = {path.stem: path for path in sorted((file.parent / "examples").glob("*.md"))}
    if not paths:
        builder.remarks.append(f"no folder {file.parent / 'examples'}: only the examples in the text are imported")
    order = dict.fromkeys(re.findall(r"\[\^([\w-]+)\]", "\n".join(builder.outline.lines))) | paths
    titled = []
    clauses = [(area, place) for area in builder.areas.values() for place in range(len(area.clauses))]
    for key in (key for key in order if key in paths):
        section, conversations = read_examples(paths[key], builder.warnings)
        mark = f"[^{key}]"
        shown = [mark + ("\n\n" if text.startswith(("~", "`")) else " ") + text for text in conversations]
        cited = [(area, place) for area, place in clauses if mark in area.clauses[place].text]
        named = [one for one in clauses if _straight(one[0].clauses[one[1]].title) == _straight(section)]
        texts = [builder.intro, *(area.loose for area in builder.areas.values())]
        if cited or named:
            area, place = (cited or named)[0]
            area.show(place, *shown)
            titled += [key] * (not cited)
        elif text := next((text for text in texts if any(mark in block for block in text)), None):
            text += [f"**Example**: {one}" for one in shown]
        else:
            what = f"no section has the footnote {mark} or the title {clip(section)}; is {file.name} whole?"
            builder.warnings.append(f"{paths[key]}:1: {what}")
    if titled:
        builder.remarks.append(f"no footnote for {', '.join(titled)}: placed by the section title in their first line")


def _broken_links(outline: Outline) -> Iterator[str]:
    anchors = {match[2] for part in outline.root.walk() if (match := TAG.search(part.title))}
    for number, line in enumerate(outline.lines, start=1):
        for match in LINK.finditer(line):
            if match[1] not in anchors:
                yield f"{outline.file}:{number}: link to #{match[1]}, which is no section; is the file whole?"


def _straight(title: str) -> str:
    return title.replace("\u2019", "'").strip()
