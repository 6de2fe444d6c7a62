"""PDF and Word files, made here; both need the extra `documents`."""

import zipfile
from pathlib import Path

import pytest

from deliberant.policy.importers import Imported, import_policy
from deliberant.policy.importers.sources import text_of
from deliberant.util.errors import UserError

WORD = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
PARTS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
RELATIONS = '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">{}</Relationships>'
RELATION = f'<Relationship Id="{{0}}" Type="{PARTS}/{{0}}" Target="{{1}}"/>'


def paragraph(text: str, style: str = "", depth: int | None = None, bold: bool = False) -> str:
    about = f'<w:pStyle w:val="{style}"/>' if style else ""
    if depth is not None:
        about += f'<w:numPr><w:ilvl w:val="{depth}"/><w:numId w:val="1"/></w:numPr>'
    return f"<w:p><w:pPr>{about}</w:pPr><w:r>{'<w:rPr><w:b/></w:rPr>' * bold}<w:t>{text}</w:t></w:r></w:p>"


def write_word(file: Path, *paragraphs: str) -> Path:
    styles = "".join(
        f'<w:style w:type="paragraph" w:styleId="Heading{n}"><w:name w:val="heading {n}"/></w:style>' for n in (1, 2)
    )
    levels = "".join(f'<w:lvl w:ilvl="{n}"><w:numFmt w:val="bullet"/></w:lvl>' for n in (0, 1))
    numbering = f'<w:abstractNum w:abstractNumId="0">{levels}</w:abstractNum>'
    numbering += '<w:num w:numId="1"><w:abstractNumId w:val="0"/></w:num>'
    inner = RELATION.format("styles", "styles.xml") + RELATION.format("numbering", "numbering.xml")
    kind = "application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"
    types = f'<Default Extension="xml" ContentType="application/xml"/><Override PartName="/word/document.xml" ContentType="{kind}"/>'  # noqa: E501
    with zipfile.ZipFile(file, "w") as archive:
        package = "http://schemas.openxmlformats.org/package/2006/content-types"
        archive.writestr("[Content_Types].xml", f'<Types xmlns="{package}">{types}</Types>')
        archive.writestr("_rels/.rels", RELATIONS.format(RELATION.format("officeDocument", "word/document.xml")))
        archive.writestr("word/_rels/document.xml.rels", RELATIONS.format(inner))
        body = "".join(paragraphs)
        archive.writestr("word/document.xml", f"<w:document {WORD}><w:body>{body}</w:body></w:document>")
        archive.writestr("word/styles.xml", f"<w:styles {WORD}>{styles}</w:styles>")
        archive.writestr("word/numbering.xml", f"<w:numbering {WORD}>{numbering}</w:numbering>")
    return file


def write_pdf(file: Path, *lines: str) -> Path:
    text = "BT /F1 12 Tf 14 TL 72 720 Td " + " ".join(f"({line}) Tj T*" for line in lines) + " ET"
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R"
        " /Resources << /Font << /F1 << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> >> >> >>",
        f"<< /Length {len(text)} >>\nstream\n{text}\nendstream",
    ]
    written, places = "%PDF-1.4\n", []
    for number, each in enumerate(objects, start=1):
        places.append(len(written))
        written += f"{number} 0 obj\n{each}\nendobj\n"
    table = "".join(f"{place:010} 00000 n \n" for place in places)
    end = f"trailer\n<< /Size 5 /Root 1 0 R >>\nstartxref\n{len(written)}\n%%EOF\n"
    file.write_text(f"{written}xref\n0 5\n0000000000 65535 f \n{table}{end}")
    return file


def rules(found: Imported) -> list[tuple[str, str, str]]:
    return [(each.style, each.title, each.source) for each in found.policy.clauses.values()]


def test_a_word_file_is_read_with_its_headings_and_lists(tmp_path: Path) -> None:
    pytest.importorskip("mammoth", reason="needs the extra documents")
    rows = (
        *(paragraph("Bets", "Heading1"), paragraph("For a forum."), paragraph("VIOLATES", "Heading2")),
        *(paragraph("Invites to bet, such as:", depth=0), paragraph("by *ads*_", depth=1)),
        *(paragraph("SAFE", "Heading2"), paragraph("Talks of odds", depth=0)),
    )
    found = import_policy(write_word(tmp_path / "bets.docx", *rows))
    assert rules(found) == [
        ("refuse", "Invites to bet, such as:", "bets.docx:7-8"),
        ("comply", "Talks of odds", "bets.docx:12"),
    ]
    assert found.policy.name == "Bets" and found.policy.intro == "For a forum." and not found.warnings
    assert next(iter(found.policy.clauses.values())).text == "- by *ads*_"


def test_a_pdf_is_read_and_lines_that_go_on_are_one(tmp_path: Path) -> None:
    pytest.importorskip("pypdf", reason="needs the extra documents")
    lines = ("Bets", "VIOLATES", "- Invites people to bet", "on a site", "- Sells tips", "SAFE", "- Talks of odds")
    found = import_policy(write_pdf(tmp_path / "bets.pdf", *lines))
    assert [rule[:2] for rule in rules(found)] == [
        ("refuse", "Invites people to bet on a site"),
        ("refuse", "Sells tips"),
        ("comply", "Talks of odds"),
    ]
    assert found.policy.name == "Bets" and not found.warnings


def test_what_cannot_be_read_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pypdf", reason="needs the extra documents")
    (tmp_path / "x.pdf").write_text("no pdf")
    with pytest.raises(UserError, match=r"x\.pdf:1: cannot be read \(.*\); save it as text or Markdown"):
        text_of(tmp_path / "x.pdf")
    with pytest.raises(UserError, match=r"y\.pdf:1: holds no text, as scanned pages do not; have its"):
        text_of(write_pdf(tmp_path / "y.pdf"))
    monkeypatch.setitem(__import__("sys").modules, "pypdf", None)
    with pytest.raises(UserError, match=r"x\.pdf:1: .* need pypdf, .*; pip install 'deliberant\[documents\]'"):
        text_of(tmp_path / "x.pdf")
