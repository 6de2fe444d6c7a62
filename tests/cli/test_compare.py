"""`deliberant compare` against a real llama.cpp server, which speaks three providers' dialects."""

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from deliberant.cli.app import app
from tests.runs import write_recipe
from tests.server import NAME, drawn_tokens, make_tiny_gguf, running
from tests.test_readme import ROOT, Workspace, workspace

__all__ = ["workspace"]


def invoke(*arguments: Any) -> Result:
    return CliRunner().invoke(app, ["compare", *(str(each) for each in arguments)])


@pytest.mark.slow
def test_three_providers_and_a_judge_on_a_real_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_recipe(tmp_path, Path("micro"))
    own = ["--cases", tmp_path / "cases.jsonl", "--policy", tmp_path / "policy", "--max-new-tokens", 16]
    with running(make_tiny_gguf(tmp_path / "tiny.gguf")) as address:
        for name in ("LOCAL_API_KEY", "OPENAI_API_KEY", "ANTHROPIC_API_KEY"):
            monkeypatch.setenv(name, "planted-key")
        for name in ("LOCAL_BASE_URL", "OPENAI_BASE_URL"):
            monkeypatch.setenv(name, f"{address}/v1")
        monkeypatch.setenv("ANTHROPIC_BASE_URL", address)
        models = [f"api:openai-api/local/{NAME}", f"api:openai/{NAME}", f"api:anthropic/{NAME}+spec"]
        given = [*models, *own, "--attacks", "persona", "--judge", f"vllm:{address}/v1#{NAME}", "--to", tmp_path / "c"]
        shown = invoke(*given, "--json")
        assert shown.exit_code == 0, shown.output
        spent = drawn_tokens(address)
        again = invoke(*given, "--json")
        assert again.exit_code == 0 and drawn_tokens(address) == spent
    result = json.loads(shown.stdout)
    assert json.loads(again.stdout) == result
    assert [each["name"] for each in result["models"]] == models
    for each in result["models"]:
        answered = each["cases"] - each["empty"]
        assert each["cases"] > 1 and each["unscored"] <= answered and each["tokens"]["output"] > 0
    assert {row["suite"] for row in result["rows"]} == {"seen", "seen-attacked", "all"}
    written = [path.read_bytes() for path in (tmp_path / "c").rglob("*") if path.is_file()]
    assert not any(b"planted-key" in each for each in written)


def test_mistakes(tmp_path: Path) -> None:
    write_recipe(tmp_path, Path("micro"))
    own = ["--cases", tmp_path / "cases.jsonl", "--policy", tmp_path / "policy", "--to", tmp_path / "c"]
    for arguments, words in (
        (["micro"], "there is nothing to ask"),
        (["micro", *own], "name a --judge"),
        (["micro", *own, "--judge", "micro"], "takes part itself"),
        (["micro", *own, "--suite", "sen"], "did you mean 'seen'"),
        (["micro", *own, "--attacks", "personna"], "did you mean 'persona"),
        ([tmp_path / "gone.eval", *own, "--judge", "micro"], "there is no such log"),
    ):
        shown = invoke(*arguments)
        assert shown.exit_code == 2 and words in shown.stderr and shown.stderr.count("\n") == 1, shown.output


@pytest.mark.slow
def test_the_commands_of_the_page_work(workspace: Workspace, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """In a reduced world, with a server of our own in the providers' place."""
    page = (ROOT / "docs/evaluation.md").read_text(encoding="utf-8").partition("## Comparing models")[2]
    lines = re.findall(r"^deliberant compare .*$", page.partition("\n## ")[0], re.MULTILINE)
    assert len(lines) == 4
    workspace.deliberant("run", "recipes/micro.yaml")
    with running(make_tiny_gguf(tmp_path / "tiny.gguf")) as address:
        servers = [f"api:openai-api/{name}/{NAME}" for name in ("one", "two", "three")]
        for name in ("ONE", "TWO", "THREE"):
            monkeypatch.setenv(f"{name}_API_KEY", "none")
            monkeypatch.setenv(f"{name}_BASE_URL", f"{address}/v1")
        for line in lines:
            line = workspace.named(line)
            for name, server in zip(re.findall(r"api:\S+", line), servers, strict=False):
                line = line.replace(name, server)
            line = line.replace("--suite xstest", "--suite unseen")
            if "theirs.eval" in line:
                [log, *_] = Path("comparison").rglob("*.eval")
                line = line.replace("theirs.eval", str(log))
            shown = workspace.deliberant(*shlex.split(line)[1:], "--max-new-tokens", "8")
            assert shown.rstrip().endswith("comparison/compare.html")
