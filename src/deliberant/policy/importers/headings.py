"""Single-file policies without Markdown headings: lines in capitals, in bold or with a grade that stand for them.

    SPAM POLICY (#SP)              a title, unless the first line is a section; then the file's name is one
    INSTRUCTIONS                   capitals, or **bold**, with or without a colon or a label: VIOLATES (1)
    VIOLATES: only adults          a label in capitals and what it says beside
    Likely spam (SP2 - medium)     words and a grade, which is that of the next rule, too:
    SP2.a Advertisements
    - Cold promotion               a rule without a code, where a label's section has none with one

Lines keep their numbers. A bold line that names no section we know is text, as bold is used for terms and codes, too.
"""

import re

from deliberant.policy.importers.areas import CODED
from deliberant.policy.importers.labels import GRADED, WORDS
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
    places = _sections(masks)
    if HEADING.search(block.mask) or not places:
        return block, None
    first = next(place for place, line in enumerate(masks) if line.strip())
    head = _bare(lines[first])
    opens = _known(head) or (first in places and GRADED.fullmatch(head))
    titled = len(head) <= LONGEST and not head.endswith(".") and not opens
    if titled:
        places.pop(first, None)
        lines[first] = masks[first] = f"# {head}"
    for place, title in places.items():
        lines[place] = masks[place] = f"## {title}"
    if not titled:
        lines, masks = [f"# {name}", *lines], [f"# {name}", *masks]
    remark = f"no Markdown headings: {len(places)} lines in capitals, in bold or with a grade were read as such"
    remark += "" if titled else f", and the file's name {name!r} as the title"
    return Block(block.file, block.line - (not titled), "\n".join(lines), "\n".join(masks)), remark


def _sections(lines: list[str]) -> dict[int, str]:
    """Place and title of each. A grade counts where the next rule below has it, too, and no section stands between."""
    found: dict[int, str] = {}
    below = ""
    for place in reversed(range(len(lines))):
        grade = None if LISTED.match(lines[place].strip()) else GRADED.fullmatch(_bare(lines[place]))
        if rule := CODED.match(lines[place]):
            below = rule[2].partition(".")[0]
        elif title := section(lines[place]) or (grade[0] if grade and grade["code"] == below else None):
            found[place] = title
            below = ""
    return found


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
    label = re.match(r"[^a-z:]{4,}(?=:[ \t]+\S)", title)  # VIOLATES: only where a real person is meant
    if label and re.fullmatch(rf"(?i){WORDS}", ASIDE.sub("", label[0]).strip()):
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
