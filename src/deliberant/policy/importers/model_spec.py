"""OpenAI's Model Spec (CC0) as a policy: model_spec.md, and the folder `examples` beside it where there is one.

- A `#` section that holds sections with an authority tag is a category: its anchor the id, the titles of those sections
  its summary, text of sections without a tag its definitions.
- A section with an authority tag is a clause: numbered in its category, its heading the title, the attributes
  (`{#anchor authority=root}`) the first line of its text. Sections below it without a tag belong to its text.
- Conversations, inline or in the example file of a footnote in the text (failing that, in a file that names the title),
  are the clause's examples; one from a file starts with its footnote.
- `#` sections without any tag state no rule: they are the introduction, which is in no view.
- The Spec has no response styles. The caller names one for all clauses, to be edited after.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from deliberant.policy.importers.conversations import EXAMPLE, ExampleFile, example_files, marked, split_examples
from deliberant.policy.importers.types import GUIDELINES, WRITTEN, Count, Imported, prefixes
from deliberant.policy.loader import RESERVED
from deliberant.policy.markdown import Block, clip, masked, mistake, read_document
from deliberant.policy.parts import LABEL
from deliberant.policy.types import Category, Clause, Policy
from deliberant.prompts.types import Style

HEADING = re.compile(r"^ {0,3}(#{1,6})[ \t]+(.*)$", re.MULTILINE)
ATTRIBUTES = re.compile(r"(.*?)\s*(\{#([\w-]+)((?:\s+[\w-]+=[\w-]+)*)\s*\})")
FOOTNOTE = re.compile(r"\[\^([\w-]+)\]")
UNDERLINED = re.compile(r"^ {0,3}(?!#)(\S.*\{#[\w-]+.*\})\n {0,3}(?:-+|=+)$", re.MULTILINE)
LINK = re.compile(r"\]\(#([\w-]+)\)")


@dataclass
class Section:
    """A heading with what is directly below it. `tag` is its attributes as written, "" where it has none."""

    level: int
    title: str
    tag: str
    anchor: str
    body: Block
    text: str = ""
    examples: list[str] = field(default_factory=list)
    inner: list["Section"] = field(default_factory=list)

    @property
    def ruled(self) -> bool:
        return "authority=" in self.tag


def import_model_spec(file: Path, style: Style) -> Imported:
    """The policy, with counts of sections and conversations found and imported.

    UserError with file and line: not UTF-8, a fence that is never closed (a file cut short), no section with an
    authority tag, attributes that are not understood. Listed as warnings: links to sections that are not there, anchors
    that two sections have, underlined headings with attributes, example files that no section names,
    examples without a conversation, whose text stays where it was, and text of example files that is in none.
    """
    _, document = read_document(file)
    before, parts = document.split(HEADING)
    sections = [_section(len(match[1]), match[2].strip(), body) for match, body in parts]
    warnings = list(_broken_links(document, {section.anchor for section in sections}))
    warnings += [*_shared_anchors(sections), *_underlined(document)]
    files, strays = example_files(file.parent / "examples")
    warnings += strays
    for section in sections:
        texts, section.examples, more = split_examples(section.body)
        section.text = "\n\n".join(map(str, texts))
        warnings += more
    owners, by_title = _owners(sections, files)
    for key, section in owners.items():
        section.examples += [marked(f"[^{key}]", example) for example in files[key].examples]
    for key in files:
        if key not in owners:
            what = (
                f"no section has the footnote [^{key}] or the title {clip(files[key].section)}; is {file.name} whole?"
            )
            warnings.append(f"{files[key].path}:1: {what}")
    tops = list(_nested(file, sections))
    _distinct(file, tops)
    policy = _policy(str(before), tops, style)
    if not policy.categories:
        raise mistake(file, 1, "no section with an authority tag", "give OpenAI's model_spec.md")
    counts = _counts(document, sections, files, owners, policy)
    remarks = [f"{style} is the style of all {counts[0].imported} clauses (--style): the Spec has none", WRITTEN]
    if by_title:
        remarks.append(f"no footnote for {', '.join(by_title)}: placed by the section title in their first line")
    if files and (gone := list(_without_file(document, files))):
        remarks.append(f"the source has no example file for {', '.join(gone)}; is its folder whole?")
    if not files:
        remarks.append(f"no folder {file.parent / 'examples'}: only the examples in the text are imported")
    return Imported(policy, counts, tuple(remarks), tuple(warnings))


def _section(level: int, title: str, body: Block) -> Section:
    found = ATTRIBUTES.fullmatch(title)
    if not found and ("{#" in title or "authority=" in title):
        what = f"heading {clip(title)} has attributes that are not understood"
        raise mistake(body.file, body.line, what, "write `{#anchor authority=...}` at its end")
    if label := LABEL.search(body.mask):
        what = f"a line `{label[0]}` would start a list of the clause"
        raise mistake(body.file, body.line_of(label.start()), what, "reword it")
    if not found:
        return Section(level, title, "", "", body)
    if not found[1]:
        raise mistake(body.file, body.line, f"heading {clip(title)} has no title", "write one")
    return Section(level, found[1], found[2], found[3], body)


def _owners(sections: list[Section], files: dict[str, ExampleFile]) -> tuple[dict[str, Section], list[str]]:
    """The section of each example file: the one with its footnote, else the one whose title its first line names."""
    titles = {_straight(section.title): section for section in sections}
    owners: dict[str, Section] = {}
    for section in sections:
        for key in FOOTNOTE.findall(section.body.mask):
            if key in files:
                owners.setdefault(key, section)
    by_title = [key for key in files if key not in owners and _straight(files[key].section) in titles]
    return owners | {key: titles[_straight(files[key].section)] for key in by_title}, by_title


def _without_file(document: Block, files: dict[str, ExampleFile]) -> Iterator[str]:
    """Each footnote that has no example file, and its line."""
    for match in FOOTNOTE.finditer(document.mask):
        if match[1] not in files:
            yield f"[^{match[1]}] (line {document.line_of(match.start())})"


def _straight(title: str) -> str:
    return title.replace("\u2019", "'").strip()


def _broken_links(document: Block, anchors: set[str]) -> Iterator[str]:
    for match in LINK.finditer(document.mask):
        if match[1] not in anchors:
            what = f"link to #{match[1]}, which is no section"
            yield f"{document.file}:{document.line_of(match.start())}: {what}; is the file whole?"


def _shared_anchors(sections: list[Section]) -> Iterator[str]:
    places: dict[str, int] = {}
    for section in sections:
        place = places.setdefault(section.anchor, section.body.line)
        if section.anchor and place != section.body.line:
            what = f"anchor #{section.anchor} is that of the section on line {place}, too"
            yield f"{section.body.file}:{section.body.line}: {what}; give one of the two another"


def _underlined(document: Block) -> Iterator[str]:
    for match in UNDERLINED.finditer(document.mask):
        what = f"heading {clip(match[1])} is underlined, so it is text and no section"
        remedy = "write it as `## <title> {#anchor authority=...}`"
        yield f"{document.file}:{document.line_of(match.start())}: {what}; {remedy}"


def _nested(file: Path, sections: list[Section]) -> Iterator[Section]:
    """The `#` sections; `inner` holds what is below each, save untagged sections of a clause, which join its text."""
    top: Section | None = None
    clause: Section | None = None
    for section in sections:
        if section.level == 1:
            top, clause = section, None
            yield section
            if section.ruled:
                clause = replace(section, inner=[])
                section.text, section.examples = "", []
                section.inner.append(clause)
        elif top is None:
            raise mistake(
                file, section.body.line, f"section {clip(section.title)} below no `#` heading", "write one above"
            )
        elif section.ruled or clause is None or section.level <= clause.level:
            clause = section if section.ruled else None
            top.inner.append(section)
        else:
            clause.text = "\n\n".join(filter(None, [clause.text, _loose(section)]))
            clause.examples += section.examples


def _loose(section: Section, examples: bool = False) -> str:
    """A section without a tag, as Markdown at the level that texts may hold."""
    shown = [f"#### {section.title} {section.tag}".rstrip(), section.text]
    return "\n\n".join(filter(None, shown + _as_text(section) * examples))


def _as_text(section: Section) -> list[str]:
    return [marked("**Example**:", example) for example in section.examples]


def _policy(before: str, tops: list[Section], style: Style) -> Policy:
    ruled = [top for top in tops if any(section.ruled for section in top.inner)]
    intro = [before]
    for top in tops:
        if top not in ruled:
            intro.append("\n\n".join(filter(None, [f"# {top.title} {top.tag}".rstrip(), top.text, *_as_text(top)])))
            intro += [_loose(section, examples=True) for section in top.inner]
    names = prefixes(_id(top) for top in ruled)
    categories = [_category(top, names[_id(top)], style) for top in sorted(ruled, key=lambda top: f"{_id(top)}.md")]
    return Policy("Model Spec", "imported", "\n\n".join(filter(None, intro)), GUIDELINES, tuple(categories))


def _distinct(file: Path, tops: list[Section]) -> None:
    """UserError where two categories would have one id, or one an id that the spec view has for itself."""
    known: dict[str, Section] = {}
    for top in (top for top in tops if any(section.ruled for section in top.inner)):
        first = known.setdefault(_id(top), top)
        if first is not top:
            what = f"section {clip(top.title)} has the anchor `{_id(top)}` of the one on line {first.body.line}"
            raise mistake(file, top.body.line, what, "give each `#` section an anchor of its own")
        if _id(top) in RESERVED:
            what = f"section {clip(top.title)} has the anchor `{_id(top)}`, which is a heading of the spec view"
            raise mistake(file, top.body.line, what, "give it another anchor, e.g. `{#the-" + _id(top) + "}`")


def _id(top: Section) -> str:
    return top.anchor or re.sub(r"\W+", "-", top.title.lower()).strip("-")


def _category(top: Section, prefix: str, style: Style) -> Category:
    definitions = [top.text, *_as_text(top)]
    clauses: list[Clause] = []
    for section in top.inner:
        if not section.ruled:
            definitions.append(_loose(section, examples=True))
            continue
        text = "\n\n".join(filter(None, [f"`{section.tag}`", section.text]))
        id = f"{prefix}{len(clauses) + 1}"
        clauses.append(Clause(id, section.title, style, text, tuple(section.examples), category=_id(top)))
    summary = "; ".join(clause.title for clause in clauses) + "."
    return Category(_id(top), top.title, summary, "\n\n".join(filter(None, definitions)), tuple(clauses))


def _counts(
    document: Block, sections: list[Section], files: dict[str, ExampleFile], owners: dict[str, Section], policy: Policy
) -> tuple[Count, ...]:
    """Found is counted in the source, imported in the policy."""
    headings = [match[2] for match in HEADING.finditer(document.mask)] + UNDERLINED.findall(document.mask)
    clauses = [clause for category in policy.categories for clause in category.clauses]
    texts = [
        policy.intro,
        *(category.definitions for category in policy.categories),
        *(clause.text for clause in clauses),
    ]
    untagged = [section for section in sections if not section.ruled]
    everything = "\n".join(texts)
    ids = {category.id for category in policy.categories}
    kept = sum(section.anchor in ids or f" {section.tag}".rstrip() in everything for section in untagged)
    examples = [example for clause in clauses for example in clause.examples]
    shown = len(examples) + sum(len(EXAMPLE.findall(masked(text))) for text in texts)
    from_files = sum(len(files[key].examples) for key in owners)
    in_files = sum(len(each.examples) for each in files.values())
    return (
        Count("sections with an authority tag", sum("authority=" in each for each in headings), len(clauses)),
        Count("sections without (categories, definitions, introduction)", len(untagged), kept),
        Count(
            "example conversations in the text",
            len(EXAMPLE.findall(document.mask)),
            shown - from_files,
        ),
        Count("example files", len(files), sum(key in owners for key in files)),
        Count("example conversations in those files", in_files, from_files),
    )
