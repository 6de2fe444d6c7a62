import json
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest
from typer.testing import CliRunner, Result

from deliberant.cli.app import app
from tests.stages.exported import exportable


def invoke(*arguments: Any) -> Result:
    return CliRunner().invoke(app, ["data", "export", *(str(each) for each in arguments)])


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return exportable(tmp_path).root


def test_export_to_a_folder(run: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    shown = invoke(run, "--to", out)
    assert (shown.exit_code, shown.stdout, shown.stderr) == (0, f"{out}\n", "rows: 3 sft, 3 rl\n")
    again = invoke(run, "--to", out)
    assert again.exit_code == 2 and "is not empty" in again.stderr and again.stderr.count("\n") == 1
    forced = invoke(run, "--to", out, "--force", "--rejected", "--json")
    assert json.loads(forced.stdout) == {"to": str(out), "rows": {"sft": 3, "rl": 3, "rejected": 3}}


def test_export_to_the_hub(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pushed: list[tuple[Any, ...]] = []

    def push(folder: Path, *rest: Any) -> str:
        pushed.append((sorted(path.name for path in folder.iterdir()), *rest))
        return "address"

    monkeypatch.setattr("deliberant.stages.hub.push", push)
    monkeypatch.setattr(huggingface_hub, "get_token", lambda: "hf_x")
    shown = invoke(run, "--to", "hub:me/data")
    assert (shown.exit_code, shown.stdout) == (0, "address\n"), shown.output
    invoke(run, "--to", "hub:me/data", "--public", "--force")
    files = ["README.md", "rl", "sft"]
    assert pushed == [(files, "me/data", False, False), (files, "me/data", True, True)]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["hub"], "'': is not the name of a data set; write OWNER/NAME"),
        (["hub:a"], "'a': is not the name of a data set; write OWNER/NAME"),
        (["out", "--public"], "--public is for the Hub"),
        (["hub:a/b"], "there is no token; run `hf auth login`"),
    ],
)
def test_mistakes(run: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], words: str) -> None:
    monkeypatch.setattr(huggingface_hub, "get_token", lambda: None)
    shown = invoke(run, "--to", *arguments)
    assert (shown.exit_code, shown.stdout) == (2, "") and words in shown.stderr and shown.stderr.count("\n") == 1
