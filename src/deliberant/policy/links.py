"""Links and includes in a policy's texts. A model sees neither file nor target, so what is not there is a lost rule.

Examples and exclusions are what users write; code, fenced or inline, is text. Neither web addresses nor anchors count.
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

from deliberant.policy.markdown import clip, masked
from deliberant.policy.passages import Passage

LINK = re.compile(
    r"(?<!`)(?P<ticks>`+)(?!`)[^`]+(?P=ticks)(?!`)"
    r"|\]\([ \t]*(?:<(?P<bracketed>[^<>\n]+)>|(?P<inline>(?:[^\s()]|\([^\s()]*\))+))"
    r"|^ {0,3}\[[^\]\n^][^\]\n]*\]:[ \t]+(?=\S*?(?:/|\.\w))(?P<defined>\S+)(?:[ \t]+[\"'(].*)?$",
    re.MULTILINE,
)
"""Code, to step over it; `[words](target)`, images included; `[name]: target`, where it is a path and no word."""
INCLUDE = re.compile(
    r"\{%-?[ \t]*include\b[^%\n]*%\}|\{\{[ \t]*#include\b[^{}\n]*\}\}|<!--[ \t]*(?:#include\b|include:).*?-->|"
    r"!\[\[[^\[\]\n]+\]\]|^[ \t]*(?:!include\b|include::|@import\b|-{1,2}8<-).*",
    re.MULTILINE,
)
"""Those of Jinja, mdBook, comments, Obsidian; and, as lines, `!include`, AsciiDoc's, `@import` and snippets."""
ELSEWHERE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:|//|#")


def without_targets(text: str) -> str:
    """The text with blanks for the targets of its links, as long as before."""
    return LINK.sub(lambda match: match[0].replace(_target(match), " " * len(_target(match))), text)


def _target(match: re.Match[str]) -> str:
    return match["bracketed"] or match["inline"] or match["defined"] or ""


def broken_links(texts: list[Passage], root: Path) -> Iterator[tuple[Passage, int, str]]:
    """Each include, and each link to a file that is not there: the passage, the offset in it, `what; remedy`."""
    for text in texts:
        if text.kind in ("title", "example", "exclusion"):
            continue
        prose = masked(text.text)
        for match in INCLUDE.finditer(prose):
            yield text, match.start(), f"{clip(match[0].strip())} includes nothing here; write the text in its place"
        for match in LINK.finditer(prose):
            target = _target(match)
            path = unquote(re.split("[?#]", target)[0])
            if path and not ELSEWHERE.match(target) and not os.path.exists((root / text.path).parent / path):
                what = f"link to {clip(path)}, which is not there; correct the path, or say here what it says"
                yield text, match.start(), what
