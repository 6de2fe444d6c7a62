"""The little Markdown a policy file needs: front matter, headings outside code fences, line numbers for errors.

Everything is one pass of a regular expression over the text, so time is linear in its length. Fenced code is text
whatever it looks like: patterns run over a mask of the same length in which it is blanked out.
"""

import re
from codecs import BOM_UTF8
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import yaml

from deliberant.util.errors import UserError
from deliberant.util.names import nearest
from deliberant.util.yaml import line_of

FRONT_MATTER = re.compile(r"---\n(.*?)^---$", re.DOTALL | re.MULTILINE)
# A fence may open on a list item's own line; how deep it is indented then depends on the list, so any depth counts.
FENCE = re.compile(r"^[ \t]*(?:(?:[-*+]|\d+[.)])[ \t]+)*(?P<fence>`{3,}(?=[^`\n]*$)|~{3,}).*$", re.MULTILINE)

TEXT = "tag:yaml.org,2002:str"
"""What YAML calls a text; a value that says `!!int 3` is none."""
TITLE = re.compile(r"^ {0,3}#(?:[ \t]+(.*))?$", re.MULTILINE)


class Value(NamedTuple):
    """A front matter value, on one line, and where it stands."""

    text: str
    line: int


class Block(NamedTuple):
    """A stretch of a file. `line` is where it starts; `mask` is `text` with fenced code blanked out."""

    file: Path
    line: int
    text: str
    mask: str

    def __str__(self) -> str:
        return self.text.strip("\n")

    def line_of(self, offset: int) -> int:
        """The line of a place in the text, or in the mask."""
        return self.line + self.text.count("\n", 0, offset)

    @property
    def first_line(self) -> int:
        """The line of the first text in it."""
        return self.line + len(self.text) - len(self.text.lstrip("\n"))

    def split(self, pattern: re.Pattern[str]) -> tuple["Block", list[tuple[re.Match[str], "Block"]]]:
        """What stands before the first match, then each match with all that follows it up to the next."""
        matches = list(pattern.finditer(self.mask))
        ends = [match.start() for match in matches] + [len(self.text)]
        before = Block(self.file, self.line, self.text[: ends[0]], self.mask[: ends[0]])
        line = self.line + before.text.count("\n")
        parts = []
        for match, end in zip(matches, ends[1:], strict=True):
            body = Block(self.file, line, self.text[match.end() : end], self.mask[match.end() : end])
            parts.append((match, body))
            line += body.text.count("\n")
        return before, parts


class Section(NamedTuple):
    """A heading and what follows it; `body.line` is the heading's line."""

    level: int
    title: str
    body: Block


def heading(match: re.Match[str]) -> str:
    """What group 1 of a heading's match says, without the `##` that may close the line."""
    return bare(match[1])


def bare(title: str | None) -> str:
    """A heading's words without the `##` that may close its line."""
    text = (title or "").strip()
    short = text.rstrip("#")
    return short.strip() if not short or short[-1].isspace() else text


def mistake(file: Path, line: int, what: str, remedy: str) -> UserError:
    return UserError(f"{file}:{line}: {what}; {remedy}")


def clip(text: str) -> str:
    """A user's words fit for a one-line error message."""
    return repr(text if len(text) <= 80 else text[:79] + "…")


def read_document(file: Path, keys: Sequence[str] = (), text: str | None = None) -> tuple[dict[str, Value], Block]:
    """The front matter, which must hold just these keys (none: the file has no front matter), and the body.

    `text` stands in for what the file holds, where that was converted.
    """
    text = _read(file) if text is None else text
    if not keys:
        return {}, _block(file, 1, text)
    found = FRONT_MATTER.match(text)
    if not found:
        lines = ", ".join(f"`{line}`" for line in ("---", *(f"{key}: ..." for key in keys), "---"))
        raise mistake(file, 1, "no front matter, or one that is not closed", f"start the file with the lines {lines}")
    values = _front_matter(file, found[1], keys)
    return values, _block(file, 1 + found[0].count("\n"), text[found.end() :])


def read_sections(block: Block, depth: int) -> tuple[str, list[Section]]:
    """The `# title` and the sections below it, flat, in order; headings deeper than `depth` are text."""
    heading = re.compile(rf"^ {{0,3}}(#{{1,{depth}}})(?:[ \t]+(.*))?$", re.MULTILINE)
    before, parts = block.split(heading)
    sections = [Section(len(match[1]), (match[2] or "").strip(), body) for match, body in parts]
    if str(before):
        raise mistake(block.file, before.first_line, "text above the title", "move it below a `##` heading")
    if not sections or sections[0].level != 1 or not sections[0].title:
        line = sections[0].body.line if sections else block.line
        raise mistake(block.file, line, "no title here", "write `# <title>` above the first section")
    title, *rest = sections
    if str(title.body):
        line = title.body.first_line
        raise mistake(block.file, line, "text between title and first section", "move it into a section")
    for section in rest:
        if section.level == 1:
            what = f"a second title, {clip(section.title)} (the first is on line {title.body.line})"
            raise mistake(block.file, section.body.line, what, "use `##` or deeper, or put it in a ``` fence")
    return title.title, rest


def read_page(block: Block, title: str) -> Block:
    """What stands below `# <title>`, which must be the only heading of that level."""
    before, parts = block.split(TITLE)
    if str(before) or not parts or (parts[0][0][1] or "").strip() != title:
        raise mistake(block.file, block.first_line, "another beginning than its title", f"write `# {title}` first")
    if len(parts) > 1:
        raise mistake(block.file, parts[1][1].line, "a second title", "use `##` or deeper, or put it in a ``` fence")
    return parts[0][1]


def _read(file: Path) -> str:
    if file.is_fifo():
        raise mistake(file, 1, "is a pipe, which would be waited for", "make it a readable file")
    try:
        raw = file.read_bytes().removeprefix(BOM_UTF8)
    except FileNotFoundError:
        raise mistake(file, 1, "no such file", "every policy folder has policy.md, styles.md and categories/") from None
    except OSError as error:
        raise mistake(file, 1, f"cannot be read ({error.strerror})", "make it a readable file") from None
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = 1 + raw.count(b"\n", 0, error.start)
        raise mistake(file, line, f"byte 0x{raw[error.start]:02x} is not UTF-8", "save the file as UTF-8") from None
    # Universal newlines, and no trailing blanks: neither can be seen, so neither may change the hash.
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return "\n".join(line.rstrip() for line in lines)


def _front_matter(file: Path, text: str, keys: Sequence[str]) -> dict[str, Value]:
    values: dict[str, Value] = {}
    for key, value in _yaml_pairs(file, text):
        line = key.start_mark.line + 2
        if not isinstance(key, yaml.ScalarNode) or not isinstance(value, yaml.ScalarNode):
            raise mistake(file, line, "front matter that is not plain `key: value` lines", f"write `{keys[0]}: ...`")
        if tag := next((node.tag for node in (key, value) if node.tag != TEXT), None):
            raise mistake(file, line, f"YAML tag {clip(tag)} in the front matter", "delete it: every value is a text")
        if key.value not in keys:
            what = f"unknown key {clip(key.value)} in the front matter"
            raise mistake(file, line, what, nearest(key.value, keys))
        if key.value in values:
            what = f"key {key.value!r} again (first on line {values[key.value].line})"
            raise mistake(file, line, what, "keep one of the two")
        values[key.value] = Value(" ".join(value.value.split()), line)
    for name in keys:
        if name not in values or not values[name].text:
            line = values[name].line if name in values else 1
            remedy = f"add a line `{name}: ...` between the `---` lines"
            raise mistake(file, line, f"no {name!r} in the front matter", remedy)
    return values


def _yaml_pairs(file: Path, text: str) -> Iterator[tuple[yaml.Node, yaml.Node]]:
    # Nodes, not values: they have line numbers and show repeated keys, and a version 1.10 stays "1.10".
    remedy = "write plain `key: value` lines, with quotes around values that hold punctuation"
    try:
        node = yaml.compose(text, Loader=yaml.BaseLoader)
    except (yaml.YAMLError, RecursionError) as error:
        line = 1 + line_of(error) if isinstance(error, yaml.MarkedYAMLError) else 1
        problem = getattr(error, "problem", None) or "unreadable"
        raise mistake(file, line, f"front matter is not YAML ({problem})", remedy) from None
    if node is None:
        return
    if not isinstance(node, yaml.MappingNode):
        raise mistake(file, node.start_mark.line + 2, "front matter is not `key: value` lines", remedy)
    yield from node.value


def masked(text: str) -> str:
    """The text with its fenced code blanked out; all fences are closed."""
    return _block(Path(), 1, text).mask


def closes(match: re.Match[str], fence: str) -> bool:
    """Whether a match of `FENCE` closes the code that `fence` opened: as long or longer, however far indented."""
    return match[0].strip() == match["fence"] and match["fence"].startswith(fence)


def _block(file: Path, line: int, text: str) -> Block:
    pieces: list[str] = []
    done = 0
    opening: re.Match[str] | None = None
    for match in FENCE.finditer(text):
        if opening is None:
            pieces.append(text[done : match.end()])
            opening, done = match, match.end()
        elif closes(match, opening["fence"]):
            pieces.append(re.sub(r".+", lambda code: "x" * len(code[0]), text[done : match.end()]))
            opening, done = None, match.end()
    if opening is not None:
        at = line + text.count("\n", 0, opening.start())
        remedy = "close it with the same fence on a line of its own"
        raise mistake(file, at, f"code fence {opening['fence'][:8]} is never closed", remedy)
    return Block(file, line, text, "".join([*pieces, text[done:]]))
