"""docs/help.md is what `--help` says. To write it anew: `python -m tests.cli.test_help`."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from typer.main import get_command
from typer.testing import CliRunner

from deliberant.cli.app import app

PAGE = Path(__file__).parents[2] / "docs" / "help.md"
HEAD = """\
# Every verb and its options

What `--help` prints. Written by `python -m tests.cli.test_help`; a test fails when it is stale.
"""


def verbs(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The path of every command, groups before what they hold: (), ("run",), ("policy",), ("policy", "show"), ..."""
    yield path
    for name, inner in getattr(command, "commands", {}).items():
        yield from verbs(inner, (*path, name))


def page() -> str:
    """The whole page, at a width of 100 columns whatever the terminal."""
    parts = [HEAD]
    for path in verbs(get_command(app)):
        result = CliRunner().invoke(app, [*path, "--help"], prog_name="deliberant", env={"COLUMNS": "100"})
        assert result.exit_code == 0, result.output
        text = "\n".join(line.rstrip() for line in result.stdout.strip().splitlines())
        parts.append(f"\n## {' '.join(('deliberant', *path))}\n\n```text\n{text}\n```\n")
    return "".join(parts)


def test_the_page_is_what_help_says() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "docs/help.md is stale: run `python -m tests.cli.test_help`"


def test_every_verb_is_on_the_page() -> None:
    headings = re.findall(r"^## deliberant ?(.*)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert {"", "run", "chat", "policy show", "micro measure"} <= set(headings)
    assert len(headings) == len(set(headings)) == len(list(verbs(get_command(app))))


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
