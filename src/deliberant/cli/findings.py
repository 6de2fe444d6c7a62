"""What `policy lint` found, as people and as machines read it."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import typer

from deliberant.util.names import one_line
from deliberant.version import VERSION

if TYPE_CHECKING:
    from deliberant.policy import Finding

Form = Literal["text", "json", "github", "sarif"]
SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def show_findings(folder: Path, findings: Sequence["Finding"], form: Form) -> None:
    """Print them; with `text` and `github`, how many there are, too, on stderr."""
    if form in ("json", "sarif"):
        shown = _sarif(folder, findings) if form == "sarif" else [asdict(each) for each in findings]
        typer.echo(json.dumps(shown, ensure_ascii=False, indent=1))
        return
    for line in _annotations(folder, findings) if form == "github" else _lines(folder, findings):
        typer.echo(one_line(line))
    counts = Counter(each.severity for each in findings)
    typer.echo(", ".join(f"{counts[name]} {name}s" for name in ("error", "warning", "note")), err=True)


def _lines(folder: Path, findings: Sequence["Finding"]) -> Iterator[str]:
    for each in findings:
        yield f"{folder / each.path}:{each.line}: {each.severity}: {each.message} [{each.rule}]"


def _annotations(folder: Path, findings: Sequence["Finding"]) -> Iterator[str]:
    """Lines that a GitHub workflow turns into annotations."""
    for each in findings:
        level = {"note": "notice"}.get(each.severity, each.severity)
        place = f"file={folder / each.path},line={max(each.line, 1)}"
        yield f"::{level} {place},title={each.rule}::{each.message}"


def _sarif(folder: Path, findings: Sequence["Finding"]) -> dict[str, object]:
    """SARIF 2.1.0, which code scanning of GitHub, GitLab and Azure reads."""
    results = [
        {
            "ruleId": each.rule,
            "level": each.severity,
            "message": {"text": each.message},
            "locations": [
                {
                    "physicalLocation": {
                        "artifactLocation": {"uri": (folder / each.path).as_posix()},
                        "region": {"startLine": max(each.line, 1)},
                    }
                }
            ],
        }
        for each in findings
    ]
    rules = [{"id": rule} for rule in dict.fromkeys(each.rule for each in findings)]
    driver = {"name": "deliberant policy lint", "version": VERSION, "rules": rules}
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": [{"tool": {"driver": driver}, "results": results}]}
