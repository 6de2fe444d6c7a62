"""Where policies come from: a text file, a PDF, a Word file, or a folder of them."""

from pathlib import Path

from deliberant.policy.markdown import mistake
from deliberant.policy.outline import Outline, read_outline
from deliberant.util.documents import DOCUMENTS, text_of

TEXTS = (".md", ".txt", ".markdown", ".rst", *DOCUMENTS)
BESIDE = ("readme", "license", "licence", "changelog", "contributing", "notice")


def open_source(path: Path) -> list[Outline]:
    """The outline of a file, or one for each text of a folder, by name; what is not a policy's text there is left out.

    UserError where there is none.
    """
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    if path.is_dir():
        files = [file for file in files if file.suffix.lower() in TEXTS and file.stem.lower() not in BESIDE]
    if not files:
        raise mistake(path, 1, "no text file in it", "name a file or a folder of .md, .txt, .docx or .pdf files")
    return [read_outline(file, text_of(file) if file.suffix.lower() in DOCUMENTS else None) for file in files]
