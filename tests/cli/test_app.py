import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from deliberant.cli import app as cli
from deliberant.cli import stages as stage_cli
from deliberant.micro.measure import Figure
from deliberant.micro.pretrain import Plan
from deliberant.models import split
from deliberant.run.folder import StageFolder
from deliberant.run.loader import load_recipe
from deliberant.run.opening import open_run
from deliberant.run.run import Run
from deliberant.util.errors import RunError
from deliberant.util.files import write_json
from tests.runs import write_recipe
from tests.stages.test_coverage import filtered_run

VERBS = [
    "run",
    "documents",
    "helpful",
    "generate",
    "filter",
    "sft",
    "rl",
    "evaluate",
    "report",
    "results",
    "coverage",
    "chat",
]
VERBS += ["review", "doctor", "plan", "compare", "redteam"]
NESTED = [["policy", verb] for verb in ("show", "lint", "diff", "import", "export")]
NESTED += [["prompts", verb] for verb in ("import", "check", "dedupe", "split", "hints")]
NESTED += [["data", "export"], ["judge", "calibrate"], ["micro", "pretrain"], ["micro", "measure"]]
ROW = {
    "arm": "sft",
    "suite": "seen",
    "metric": "compliance",
    "value": 0.5,
    "low": 0.25,
    "high": 0.75,
    "n": 40,
    "unscored": 3,
    "truncated": 0,
    "empty": 0,
}


def invoke(*arguments: Any) -> Result:
    return CliRunner().invoke(cli.app, [str(each) for each in arguments])


@pytest.fixture
def recipe(tmp_path: Path, tiny_model: Path) -> Path:
    return write_recipe(tmp_path, tiny_model)


@pytest.mark.parametrize("verb", [[verb] for verb in VERBS] + NESTED, ids=" ".join)
def test_every_verb_explains_itself_with_an_example(verb: list[str]) -> None:
    result = invoke(*verb, "--help")
    assert result.exit_code == 0
    assert f"deliberant {' '.join(verb)}" in result.stdout.replace("Usage: ", "", 1).split("\n", 1)[1]


def test_every_verb_is_tested() -> None:
    commands = {
        command.name or (command.callback and command.callback.__name__) for command in cli.app.registered_commands
    }
    assert commands == set(VERBS)


def test_help_imports_nothing_heavy() -> None:
    """That keeps it under 0.3 s, which would be no test on a busy machine."""
    code = "import sys; from deliberant.cli.app import app\ntry: app(['--help'])\nfinally: print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    heavy = {"torch", "transformers", "trl", "inspect_ai", "datasets", "numpy", "pydantic", "yaml"}
    assert not heavy & set(done.stdout.split())


def test_a_users_mistake_is_one_line_and_exit_2(recipe: Path, tmp_path: Path) -> None:
    recipe.write_text(recipe.read_text() + "sede: 3\n")
    result = invoke("generate", recipe, "--root", tmp_path / "runs")
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr == f"error: {recipe}:10: unknown key 'sede'; did you mean 'seed'?\n"
    assert "Traceback" in invoke("--debug", "generate", recipe).stderr


@pytest.mark.parametrize(
    ("raised", "code", "line"),
    [
        (RunError("disk full"), 1, "error: disk full"),
        (KeyboardInterrupt(), 130, "stopped; the same command resumes"),
    ],
)
def test_a_stopped_run_is_one_line(
    recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, raised: BaseException, code: int, line: str
) -> None:
    def stop(*_: Any) -> None:
        raise raised

    monkeypatch.setattr(stage_cli, "work", stop)
    result = invoke("generate", recipe, "--root", tmp_path / "runs")
    assert (result.exit_code, result.stdout, result.stderr) == (code, "", line + "\n")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["generate", "nowhere.yaml"], "nowhere.yaml: cannot read the recipe"),
        (["generate", "."], "is no run folder"),
        (["generate", ".", "--set", "seed=1"], "give --set together with the recipe"),
        (["results", "."], "no results yet; run `deliberant evaluate .` first"),
        (["sft", "RECIPE", "--arm", "nocot"], "unknown value 'nocot'; did you mean 'no-cot'?"),
        (["policy", "show", "wepons", "--policy", "policy"], "did you mean 'weapons'?"),
        (["run", "RECIPE", "--set", "rl.stps=1"], "did you mean 'steps'?"),
    ],
)
def test_wrong_arguments(recipe: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], words: str) -> None:
    monkeypatch.chdir(recipe.parent)
    result = invoke(*(each.replace("RECIPE", recipe.name) for each in arguments))
    assert result.exit_code == 2
    assert words in result.stderr
    assert result.stderr.count("\n") == 1


def test_results(tmp_path: Path) -> None:
    folder = StageFolder(tmp_path, "evaluate", {})
    rows = [ROW, {**ROW, "arm": "base", "value": None, "low": None, "high": None}]
    write_json(folder.dir / "results.json", rows)
    folder.finish(["results.json"], {})
    assert json.loads(invoke("results", tmp_path, "--json").stdout)[0] == ROW
    table = invoke("results", tmp_path).stdout
    for text in ("sft", "compliance", "0.500 [0.250, 0.750] n=40", "3/0/0"):
        assert text in table


@pytest.mark.parametrize("value", ["[", json.dumps([{**ROW, "value": 1.0}])])
def test_results_that_were_changed_are_one_line_and_exit_1(tmp_path: Path, value: str) -> None:
    folder = StageFolder(tmp_path, "evaluate", {})
    write_json(folder.dir / "results.json", [ROW])
    folder.finish(["results.json"], {})
    (folder.dir / "results.json").write_text(value)
    for as_json in ([], ["--json"]):
        result = invoke("results", tmp_path, *as_json)
        assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (1, "", 1)
        assert "results.json: was changed since evaluate finished" in result.stderr


def test_coverage(tmp_path: Path) -> None:
    run = filtered_run(tmp_path)
    rows = json.loads(invoke("coverage", run.root, "--json").stdout)[:3]
    assert [(row["clause"], row["kept"], row["samples"]) for row in rows] == [("F1", 3, 3), ("F2", 1, 1), ("T1", 1, 1)]
    table = invoke("coverage", run.root, "--min", 1)
    assert (table.exit_code, table.stderr) == (0, "")
    assert "100.0 [43.9, 100.0]" in table.stdout and "not stated" in table.stdout
    thin = invoke("coverage", run.root, "--min", 2)
    assert (thin.exit_code, thin.stdout) == (1, table.stdout)
    assert thin.stderr.startswith("error: coverage: 2 of 3 clauses have fewer than 2 kept samples: F2 (1), T1 (1); ")


SIDES = ("harmful_declined", "harmless_answered")


def test_run_goes_through_the_plan_and_ends_with_table_and_report(
    recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stages: list[str] = []

    def work(run: Run, stage: str) -> None:
        stages.append(stage)
        folder = StageFolder(run.root, "evaluate", {})
        write_json(folder.dir / "results.json", [{**ROW, "metric": name} for name in ("compliance", "style", *SIDES)])
        folder.finish(["results.json"], {})

    monkeypatch.setattr(stage_cli, "work", work)
    result = invoke("run", recipe, "--no-doctor", "--root", tmp_path / "runs", "--set", "evaluate.arms=[base, sft]")
    assert result.exit_code == 0, result.output
    assert stages == ["helpful", "generate", "filter", "sft", "evaluate", "report"]
    assert "compliance" in result.stdout
    assert result.stdout.splitlines()[-1].endswith("report.html")


def test_chat_keeps_answer_and_reasoning_apart(recipe: Path, tmp_path: Path) -> None:
    root = open_run(load_recipe(recipe, ["evaluate.max_new_tokens=8"]), tmp_path / "runs").root
    result = invoke("chat", root, "hello")
    assert result.exit_code == 0, result.output
    assert result.stderr.startswith("arm: base\n")
    assert "no answer: the reasoning was not closed properly" in result.stderr
    assert result.stdout == "\n"
    talk = CliRunner().invoke(cli.app, ["chat", str(root), "--arm", "base+spec"], input="hello\nmore\n\n")
    assert talk.exit_code == 0, talk.output
    assert talk.stdout == "\n\n"
    talk = CliRunner().invoke(cli.app, ["chat", str(root), "--json"], input="hello\nmore\n\n")
    rows = [json.loads(line) for line in talk.stdout.splitlines()]
    assert [row["answer"] for row in rows] == ["", ""] and not rows[0]["complete"] and rows[0]["reasoning"]
    assert all(0 < row["seconds"]["first"] <= row["seconds"]["all"] for row in rows)


def test_chat_says_which_clauses_of_the_policy_are_cited(
    recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = open_run(load_recipe(recipe), tmp_path / "runs")
    id, clause = next(iter(run.policy.clauses.items()))
    whole = f"<think>policy: [{id}] and [ZZ9]</think>no."
    said = [split(whole[:end]) for end in (9, len(whole) - 3, len(whole))]
    monkeypatch.setattr("deliberant.models.local.sampler.LocalSampler.stream", lambda *_: iter(said))
    shown = invoke("chat", run.root, "hello")
    assert shown.stdout == "no.\n"
    assert f"[{id}] {clause.title}" in shown.stderr and "[ZZ9] is not a clause of this policy" in shown.stderr
    row = json.loads(invoke("chat", run.root, "hello", "--json").stdout)
    assert (row["answer"], row["complete"], row["arm"]) == ("no.", True, "base")
    assert row["clauses"] == [
        {"id": id, "title": clause.title, "style": clause.style},
        {"id": "ZZ9", "title": None, "style": None},
    ]


def test_pretraining_takes_a_plan_and_reports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plans: list[Plan] = []
    row = {"step": 50, "tokens": 1000, "loss": 0.5, "tokens_per_s": 100}

    def train(out: Path, plan: Plan, report: Callable[[dict[str, Any]], None]) -> None:
        plans.append(plan)
        report(row)

    monkeypatch.setattr("deliberant.micro.pretrain.pretrain", train)
    shown = invoke("micro", "pretrain", "--out", tmp_path, "--tokens", "9000", "--seed", "3")
    assert (shown.stdout, shown.stderr) == ("", "0.00M of 0.01M tokens  loss 0.5000  100 tokens/s  0:01:20 left\n")
    raw = invoke("micro", "pretrain", "--out", tmp_path, "--json")
    assert (json.loads(raw.stdout), raw.stderr) == (row, "")
    assert plans == [Plan(tokens=9000, seed=3), Plan()]


def test_measuring_prints_rows_or_a_table(monkeypatch: pytest.MonkeyPatch) -> None:
    figure = Figure("decodes", 0.98, 0.97, 0.99, 200, 0.97)
    monkeypatch.setattr("deliberant.micro.measure.measure", lambda model, n: iter([figure]))
    assert json.loads(invoke("micro", "measure", "--json").stdout) == asdict(figure)
    head, line = invoke("micro", "measure").stdout.splitlines()
    assert head.startswith("figure") and line.startswith("decodes") and line.endswith("pass")


def test_ctrl_c_during_the_imports_is_one_line() -> None:
    code = """
import sys
from deliberant.__main__ import main
class Command:
    def __getattr__(self, name):
        raise KeyboardInterrupt
sys.modules["deliberant.cli.app"] = Command()
main()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "stopped; the same command resumes\n")
