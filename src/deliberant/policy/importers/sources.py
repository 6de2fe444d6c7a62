"""Where policies come from: a text file, a PDF, a Word file, or a folder of them."""

import re
from pathlib import Path

from deliberant.policy.markdown import error_at
from deliberant.policy.outline import Outline, read_outline

DOCUMENTS = (".pdf", ".docx")
TEXTS = (".md", ".txt", ".markdown", ".rst", *DOCUMENTS)
BESIDE = ("readme", "license", "licence", "changelog", "contributing", "notice")


def open_source(path: Path) -> list[Outline]:
    """The outline of a file, or one for each text of a folder, by name; what is not a policy's text there is left out.

    UserError where there is none.
    """
    files = sorted(path.rglob("*")) if path.is_dir() else []
    files = [file for file in files if file.suffix.lower() in TEXTS and file.stem.lower() not in BESIDE]
    if path.is_dir() and not files:
        raise error_at(path, 1, "no text file in it", "name a file or a folder of .md, .txt, .docx or .pdf files")
    return [read_outline(file, text_of(file)) for file in files or [path]]


def text_of(file: Path) -> str | None:
    """What a PDF or a Word file says, as Markdown; None for a file that is text. UserError where it cannot be read."""
    if file.suffix.lower() not in DOCUMENTS:
        return None
    try:
        text = _word(file) if file.suffix.lower() == ".docx" else _pdf(file)
    except ImportError as error:
        what = f"PDF and Word files need {error.name}, which is not installed"
        raise error_at(file, 1, what, "pip install 'deliberant[documents]'") from None
    except Exception as error:  # the libraries raise whatever they meet in a file that is none
        what = f"cannot be read ({type(error).__name__}: {str(error)[:80]})"
        raise error_at(file, 1, what, "save it as text or Markdown") from None
    if not text.strip():
        raise error_at(file, 1, "holds no text, as scanned pages do not", "have its text recognised first")
    return "\n".join(line.rstrip() for line in text.splitlines())


def _word(file: Path) -> str:
    from mammoth import convert_to_html
    from markdownify import markdownify

    with file.open("rb") as source:
        html = convert_to_html(source, convert_image=lambda _: []).value
    text: str = markdownify(html, heading_style="ATX", bullets="-", escape_asterisks=False, escape_underscores=False)
    return text.strip("\n")


def _pdf(file: Path) -> str:
    """The text of the pages. What goes on in small letters after a line without a full stop is one line with it."""
    from pypdf import PdfReader

    text = "\n\n".join(page.extract_text() for page in PdfReader(file).pages)
    return re.sub(r"(?<=[^\s.:;!?])[ \t]*\n(?=[a-z])", " ", text)
