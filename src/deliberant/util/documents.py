"""What PDF and Word files say, as text. The libraries that read them are the extra `documents`."""

import re
from pathlib import Path

from deliberant.util.errors import UserError

DOCUMENTS = (".pdf", ".docx")


def text_of(file: Path) -> str:
    """The text of a PDF, or of a Word file as Markdown, without blanks at the ends of lines.

    UserError where it cannot be read, or holds none.
    """
    try:
        text = _word(file) if file.suffix.lower() == ".docx" else _pdf(file)
    except ImportError as error:
        what = f"PDF and Word files need {error.name}, which is not installed"
        raise UserError(f"{file}:1: {what}; pip install 'deliberant[documents]'") from None
    except Exception as error:  # the libraries raise whatever they meet in a file that is none
        what = f"cannot be read ({type(error).__name__}: {str(error)[:80]})"
        raise UserError(f"{file}:1: {what}; save it as text or Markdown") from None
    if not text.strip():
        raise UserError(f"{file}:1: holds no text, as scanned pages do not; have its text recognised first")
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
