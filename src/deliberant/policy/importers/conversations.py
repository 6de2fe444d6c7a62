"""The Model Spec's example conversations: `**Example**: title` and a `~~~xml` block, inline or in files."""

import re
from pathlib import Path
from typing import NamedTuple

from deliberant.policy.markdown import FENCE, Block, closes, mistake, read_document

EXAMPLE = re.compile(r"^\*\*Example\*\*:[ \t]*", re.MULTILINE)
OPENING = re.compile(r"^(?P<fence>~{3,}|`{3,})xml[ \t]*$", re.MULTILINE)
HEADER = re.compile(r"\s*Examples for \[\^([\w-]+)\] in (.*):\s*")


class ExampleFile(NamedTuple):
    """`section` is the title that its first line names."""

    path: Path
    section: str
    examples: list[str]


def split_examples(body: Block, fate: str = "stays in the text") -> tuple[list[Block], list[str], list[str]]:
    """The text around its conversations, these, and a warning for each example that has none and its `fate`."""
    before, parts = body.split(EXAMPLE)
    texts, examples, warnings = [before], [], []
    for match, part in parts:
        opening = OPENING.search(part.mask)
        if opening and not FENCE.search(part.mask[: opening.start()]):
            fences = FENCE.finditer(part.text, opening.end())
            closing = next(match for match in fences if closes(match, opening["fence"]))  # the reader has seen to that
            if inner := OPENING.search(part.text[opening.end() : closing.start()]):
                line = part.line_of(opening.end() + inner.start())
                warnings.append(f"{part.file}:{line}: a conversation opens within another; is the first one closed?")
            title, end = part.text[: opening.start()].strip(), closing.end()
            examples.append(f"{title}\n\n{part.text[opening.start() : end]}".strip())
            texts.append(Block(part.file, part.line_of(end), part.text[end:], part.mask[end:]))
        else:
            warnings.append(f"{part.file}:{part.line}: an example without a conversation; it {fate}")
            texts.append(part._replace(text=match[0] + part.text, mask=match[0] + part.mask))
    return [text for text in texts if str(text)], examples, warnings


def marked(mark: str, example: str) -> str:
    """An example behind a mark; one without a title begins with its fence, which stays on a line of its own."""
    return f"{mark}\n\n{example}" if FENCE.match(example) else f"{mark} {example}"


def example_files(folder: Path) -> tuple[dict[str, ExampleFile], list[str]]:
    """The example files of a folder by footnote, none where there is no such folder, and warnings."""
    files: dict[str, ExampleFile] = {}
    warnings = []
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if path.suffix != ".md":
            warnings.append(f"{path}:1: skipped, since it is no .md file; move it away")
            continue
        _, page = read_document(path)
        header, _ = page.split(EXAMPLE)
        found = HEADER.fullmatch(header.text)
        if not found:
            raise mistake(path, 1, "no line `Examples for [^key] in <section>:`", "start the file with it")
        if found[1] != path.stem:
            raise mistake(path, 1, f"examples for [^{found[1]}]", f"name the file {found[1]}.md")
        (_, *texts), examples, more = split_examples(page, "is skipped")
        files[found[1]] = ExampleFile(path, found[2], examples)
        warnings += more
        for text in texts:
            if not EXAMPLE.match(text.mask):
                what = "text outside the conversations is skipped; move it into one, or into the section"
                warnings.append(f"{path}:{text.first_line}: {what}")
    return files, warnings
