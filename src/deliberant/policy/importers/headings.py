"""Single-file policies without Markdown headings: lines in capitals or in bold that stand for them.

    SPAM POLICY (#SP)              a title, unless the first line is a section; then the file's name is one
    INSTRUCTIONS                   capitals, or **bold**, with or without a colon or a label: VIOLATES (1)
    - Cold promotion               a rule without a code, where a label's section has none with one

Lines keep their numbers. A bold line that names no section we know is text, as bold is used for terms and codes, too.
"""

import re

from deliberant.policy.importers.labels import WORDS
from deliberant.policy.markdown import Block

HEADING = re.compile(r"^ {0,3}#{1,6}(?:[ \t]|$)", re.MULTILINE)
ASIDE = re.compile(r"\s*[(\[][^()\[\]]*[)\]]")
BOLD = re.compile(rf"(\*\*|__)(?P<text>.+?):?\1(?P<aside>{ASIDE.pattern})?:?")
LISTED = re.compile(r"[-*+|>]\s|\d+[.)]\s")
KNOWN = re.compile(
    r"(?i)(?:(?:POLICY )?(?:INSTRUCTIONS?|DEFINITIONS?)|KEY TERMS|SUMMARY|COMPRESSED|RULES|EXAMPLES?|AMBIGUITY|"
    rf"EDGE CASES|OUTPUT(?: FORMAT)?|GOAL|{WORDS}.*)"
)
SENTENCE = re.compile(r"[.!?;\"\d]")
LONGEST = 80
"""Letters of a title or of a section in capitals: what is longer is prose."""


def with_headings(block: Block, name: str) -> tuple[Block, str | None]:
    """The block with its section lines as `##` and its title as `#`, and a remark; as it is where it has headings.

    Where the first line is no title, `name` is written above it as one.
    """
    lines, masks = block.text.split("\n"), block.mask.split("\n")
    places = [place for place, line in enumerate(masks) if section(line)]
    if HEADING.search(block.mask) or not places:
        return block, None
    first = next(place for place, line in enumerate(masks) if line.strip())
    head = _bare(lines[first])
    titled = len(head) <= LONGEST and not head.endswith(".") and not _known(head)
    if titled:
        places = [place for place in places if place != first]
        lines[first] = masks[first] = f"# {head}"
    for place in places:
        lines[place] = masks[place] = f"## {section(masks[place])}"
    if not titled:
        lines, masks = [f"# {name}", *lines], [f"# {name}", *masks]
    remark = f"no Markdown headings: {len(places)} lines in capitals or bold were read as such"
    remark += "" if titled else f", and the file's name {name!r} as the title"
    return Block(block.file, block.line - (not titled), "\n".join(lines), "\n".join(masks)), remark


def section(line: str) -> str | None:
    """The title, where a line stands for a section: a known one in bold or capitals, or any words in capitals."""
    text = line.strip()
    title = _bare(text)
    words = ASIDE.sub("", title)
    if not words or LISTED.match(text):
        return None
    capitals = words == words.upper() and re.search(r"[A-Z]{4}", words) and len(words) <= LONGEST
    if capitals and (_known(title) or not SENTENCE.search(words)):
        return title
    return title if BOLD.fullmatch(text) and _known(title) else None


def _known(title: str) -> bool:
    return KNOWN.fullmatch(ASIDE.sub("", title)) is not None


def _bare(line: str) -> str:
    """A line without bold marks and closing colon."""
    text = line.strip()
    if found := BOLD.fullmatch(text):
        text = found["text"] + (found["aside"] or "")
    return text.rstrip(":").strip()
