"""Where policies come from: a text file, a folder of them, a PDF or a Word file."""

from pathlib import Path

from deliberant.policy.markdown import mistake
from deliberant.policy.outline import Outline, read_outline

TEXTS = (".md", ".txt", ".markdown", ".rst", "")
BESIDE = ("readme", "license", "licence", "changelog", "contributing", "notice")


def open_source(path: Path) -> list[Outline]:
    """The outline of a file, or one for each text of a folder, by name; what is not a policy's text there is left out.

    UserError where there is none.
    """
    if not path.is_dir():
        return [read_outline(path)]
    files = [
        file
        for file in sorted(path.rglob("*"))
        if file.is_file() and file.suffix in TEXTS and file.suffix and file.stem.lower() not in BESIDE
    ]
    if not files:
        raise mistake(path, 1, "no text file in it", "name a file or a folder of .md or .txt files")
    return [read_outline(file) for file in files]
