"""The little Markdown a policy file needs: front matter, headings outside code fences, line numbers for errors.

Everything is one pass of a regular expression over the text, so time is linear in its length. Fenced code is text
whatever it looks like: patterns run over a mask of the same length in which it is blanked out.
"""

import re
from codecs import BOM_UTF8
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from deliberant.util.errors import UserError
from deliberant.util.names import suggest_name
from deliberant.util.yaml import TextLoader, parse

FRONT_MATTER = re.compile(r"---\n(.*?)^---$", re.DOTALL | re.MULTILINE)
# A fence may open on a list item's own line; how deep it is indented then depends on the list, so any depth counts.
FENCE = re.compile(r"^[ \t]*(?:(?:[-*+]|\d+[.)])[ \t]+)*(?P<fence>`{3,}(?=[^`\n]*$)|~{3,}).*$", re.MULTILINE)


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

    def mistake(self, what: str, remedy: str, line: int = 0) -> UserError:
        """What is wrong where it starts, or on the line named."""
        return error_at(self.file, line or self.line, what, remedy)

    @property
    def first_line(self) -> int:
        """The line of the first text in it, 0 where there is none."""
        return self.line + len(self.text) - len(self.text.lstrip("\n")) if str(self) else 0

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


def strip_closing_hashes(title: str | None) -> str:
    """A heading's words without the `##` that may close its line."""
    text = (title or "").strip()
    short = text.rstrip("#")
    return short.strip() if not short or short[-1].isspace() else text


def join_lines(text: str) -> str:
    return " ".join(text.split())


def error_at(file: Path, line: int, what: str, remedy: str) -> UserError:
    return UserError(f"{file}:{line}: {what}; {remedy}")


def clip(text: str) -> str:
    """A user's words fit for a one-line error message."""
    return repr(text if len(text) <= 80 else text[:79] + "…")


NOTHING = Block(Path(), 0, "", "")
"""What stands where a file, or a section, need not be."""


def read_document(file: Path, keys: Sequence[str] = (), text: str | None = None) -> tuple[dict[str, Value], Block]:
    """The front matter, which must hold just these keys (none: the file has no front matter), and the body.

    `text` stands in for what the file holds, where that was converted.
    """
    text = _read(file) if text is None else text
    if not keys:
        return {}, _block(file, 1, text)
    match = FRONT_MATTER.match(text)
    if not match:
        lines = ", ".join(f"`{line}`" for line in ("---", *(f"{key}: ..." for key in keys), "---"))
        raise error_at(file, 1, "no front matter, or one that is not closed", f"start the file with the lines {lines}")
    values = _front_matter(file, match[1], keys)
    return values, _block(file, 1 + match[0].count("\n"), text[match.end() :])


def read_sections(block: Block, depth: int, named: str = "") -> list[Section]:
    """The `# title`, `named` so if it must be, and the sections below it, flat, in order; deeper headings are text.

    Of several depths, no text may stand between title and first section.
    """
    heading = re.compile(rf"^ {{0,3}}(#{{1,{depth}}})(?:[ \t]+(.*))?$", re.MULTILINE)
    before, parts = block.split(heading)
    sections = [Section(len(match[1]), (match[2] or "").strip(), body) for match, body in parts]
    wanted = f"write `# {named or '<title>'}` first"
    if str(before) or not sections:
        raise block.mistake("text above the title, or no title", wanted, before.first_line)
    title, *rest = sections
    if title.level != 1 or not title.title or named not in ("", title.title):
        raise title.body.mistake(f"no title here, but {clip(title.title)}", wanted)
    if depth > 1 and str(title.body):
        what = "text between title and first section"
        raise block.mistake(what, "move it into a section", title.body.first_line)
    if again := next((section for section in rest if section.level == 1), None):
        what = f"a second title, {clip(again.title)} (the first is on line {title.body.line})"
        raise again.body.mistake(what, "use `##` or deeper, or put it in a ``` fence")
    return sections


def _read(file: Path) -> str:
    try:
        raw = file.read_bytes().removeprefix(BOM_UTF8)
    except FileNotFoundError:
        raise error_at(
            file, 1, "no such file", "every policy folder has policy.md, styles.md and categories/"
        ) from None
    except OSError as error:
        raise error_at(file, 1, f"cannot be read ({error.strerror})", "make it a readable file") from None
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = 1 + raw.count(b"\n", 0, error.start)
        raise error_at(file, line, f"byte 0x{raw[error.start]:02x} is not UTF-8", "save the file as UTF-8") from None
    # Universal newlines, and no trailing blanks: neither can be seen, so neither may change the hash.
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return "\n".join(line.rstrip() for line in lines)


def _front_matter(file: Path, text: str, keys: Sequence[str]) -> dict[str, Value]:
    """Lines `key: value`, whose values are YAML's texts: a version 1.10 stays "1.10"."""
    data, places = parse(file, f"\n{text}", TextLoader)  # the line feed stands for the first `---`
    if not isinstance(data or {}, dict):
        raise error_at(file, 2, "the front matter is not lines `key: value`", f"write {', '.join(keys)} so")
    values: dict[str, Value] = {}
    for key, value in (data or {}).items():
        if key not in keys:
            raise UserError(f"{places[key,]}: unknown key {clip(key)} in the front matter; {suggest_name(key, keys)}")
        if not isinstance(value, str):
            what = f"value of {key!r} is no text, in a plain `key: value` line"
            raise UserError(f"{places[key,]}: {what}; put it in quotes if it holds punctuation")
        values[key] = Value(join_lines(value), int(places[key,].rpartition(":")[2]))
    for name in keys:
        if name not in values or not values[name].text:
            line = values[name].line if name in values else 1
            remedy = f"add a line `{name}: ...` between the `---` lines"
            raise error_at(file, line, f"no {name!r} in the front matter", remedy)
    return values


def blank_out_code(text: str) -> str:
    """The text with its fenced code blanked out; all fences are closed."""
    return _block(Path(), 1, text).mask


def closes_fence(match: re.Match[str], fence: str) -> bool:
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
        elif closes_fence(match, opening["fence"]):
            pieces.append(re.sub(r".+", lambda code: "x" * len(code[0]), text[done : match.end()]))
            opening, done = None, match.end()
    if opening is not None:
        at = line + text.count("\n", 0, opening.start())
        remedy = "close it with the same fence on a line of its own"
        raise error_at(file, at, f"code fence {opening['fence'][:8]} is never closed", remedy)
    return Block(file, line, text, "".join([*pieces, text[done:]]))
