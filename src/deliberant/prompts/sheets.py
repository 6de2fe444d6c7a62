"""The first sheet of an Excel file as rows of text; no styles, no formulas: what a cell shows is what it last held."""

import re
from pathlib import Path
from zipfile import BadZipFile, ZipFile

from deliberant.util.errors import UserError

_SHARED, _SHEET = "xl/sharedStrings.xml", "xl/worksheets/sheet1.xml"


def read_sheet(path: Path) -> list[list[str]]:
    """Rows of cells, "" where one is blank. UserError where the file is no such book."""
    from xml.etree.ElementTree import ParseError, fromstring

    try:
        with ZipFile(path) as book:
            shared = []
            if _SHARED in book.namelist():
                for each in fromstring(book.read(_SHARED)).iterfind(".//{*}si"):
                    shared.append("".join(part.text or "" for part in each.iterfind(".//{*}t")))
            rows = []
            for row in fromstring(book.read(_SHEET)).iterfind(".//{*}row"):
                cells: list[str] = []
                for cell in row.iterfind(".//{*}c"):
                    place = _column(cell.get("r", "")) if cell.get("r") else len(cells)
                    cells += [""] * (place - len(cells))
                    text = "".join(part.text or "" for part in cell.iter() if part.tag.rpartition("}")[2] in ("v", "t"))
                    cells.append(shared[int(text)] if cell.get("t") == "s" else text)
                rows.append(cells)
            return rows
    except (BadZipFile, KeyError, IndexError, ValueError, ParseError, OSError) as error:
        raise UserError(f"{path}: cannot be read as an Excel sheet ({error}); save it as CSV") from error


def _column(reference: str) -> int:
    """`B7` -> 1."""
    number = 0
    for letter in re.match("[A-Z]{0,3}", reference)[0]:  # type: ignore[index]  # matches "" at the least
        number = 26 * number + ord(letter) - ord("A") + 1
    return number - 1
