"""The commands of docs/evaluation.md on thinking, budgets, draws and intervals, in the other pages' reduced world."""

import json
import shlex
import sys
from pathlib import Path

import pytest

from tests.test_readme import ROOT, Workspace, blocks, workspace

__all__ = ["workspace"]


def commands() -> list[str]:
    page = (ROOT / "docs/evaluation.md").read_text(encoding="utf-8")
    lines = [line for block in blocks("docs/evaluation.md", "bash") for line in block.splitlines()]
    assert "## Does the thinking decide?" in page and "## How sure a rate is" in page
    return [line for line in lines if line.startswith(("deliberant evaluate ", "python -m benchmarks.coverage"))]


@pytest.mark.slow
def test_the_commands_of_the_page_work(workspace: Workspace) -> None:
    evaluate, more, coverage = commands()
    workspace.deliberant("run", "recipes/micro.yaml")
    for line in (evaluate, more):
        workspace.deliberant(*shlex.split(line)[1:])
    [run] = Path("runs").iterdir()  # the very run that had finished
    for name in ("retrieval", "thinking", "budgets", "worst_of"):
        assert json.loads((run / "evaluate" / f"{name}.json").read_text()), name
    workspace.deliberant("report", str(run))
    page = (run / "report.html").read_text(encoding="utf-8")
    assert all(f'<section id="{name}"' in page for name in ("thinking", "budgets"))
    shown = workspace.shell(coverage.replace("python ", f"{sys.executable} ") + " --trials 1 --resamples 20")
    assert "enough failing, ours: " in shown


def test_a_plan_counts_what_is_drawn_more(workspace: Workspace) -> None:
    plain = json.loads(workspace.deliberant("plan", "recipes/micro.yaml", "--json"))["stages"]
    _, more, _ = commands()
    added = [each for each in shlex.split(more)[3:]]
    plan = json.loads(workspace.deliberant("plan", "recipes/micro.yaml", *added, "--json"))["stages"]
    calls = {stage: sum(row["calls"] for row in plan if row["stage"] == stage) for stage in ("evaluate/base",)}
    drawn = {
        name: [row["calls"] for row in plan if row["stage"] == f"evaluate/{name}" and row["role"] == "base"]
        for name in ("base", "budgets", "worst_of")
    }
    assert calls["evaluate/base"] == sum(row["calls"] for row in plain if row["stage"] == "evaluate/base")
    assert drawn["budgets"] == [3 * drawn["base"][0]] * 6 and drawn["worst_of"] == [8 * drawn["base"][0]] * 6
