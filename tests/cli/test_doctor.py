"""`deliberant doctor` and `plan` as a user meets them; what a run does where it would come to nothing."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from deliberant.cli import app as cli
from tests.runs import write_recipe
from tests.server import NAME

KEY = "sk-planted-0123456789abcdef"


@pytest.fixture
def invoke(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    def call(*arguments: Any) -> Any:
        return CliRunner().invoke(cli.app, [str(each) for each in arguments])

    return call


Invoke = Callable[..., Any]


def test_a_run_that_can_come_to_nothing_stops_before_its_work(invoke: Invoke, tmp_path: Path, tiny_llama: Path) -> None:
    recipe = write_recipe(tmp_path, tiny_llama)
    short = ["--set", "generate.max_new_tokens=8", "--root", tmp_path / "runs"]
    shown = invoke("doctor", recipe, *short)
    assert shown.exit_code == 2
    assert shown.stderr.splitlines()[-1] == "error: nothing can come of this run; mend what says stop"
    assert any(line.startswith("stop ") for line in shown.stdout.splitlines())
    refused = invoke("run", recipe, *short)
    assert refused.exit_code == 2 and "nothing can come of this run" in refused.stderr
    [run] = (tmp_path / "runs").iterdir()
    assert not (run / "helpful").exists() and not (run / "doctor.json").exists()
    goes_on = invoke("run", recipe, *short, "--no-doctor", "--set", "helpful.max_new_tokens=8")
    assert "nothing can come" not in goes_on.stderr


def test_a_run_that_passed_is_not_examined_again(
    invoke: Invoke, tmp_path: Path, world_recipe: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = (world_recipe, "--root", tmp_path / "runs")
    shown = invoke("doctor", *arguments, "--json")
    assert shown.exit_code == 0, shown.output
    found = json.loads(shown.stdout)
    assert found["passed"] and {each["role"] for each in found["speeds"]} == {"base", "filter", "reward", "evaluate"}
    [run] = (tmp_path / "runs").iterdir()
    assert not (run / "run.json").exists(), "it was not begun"
    monkeypatch.setattr("deliberant.stages.doctor.doctor", lambda run, tell: pytest.fail("was examined again"))
    monkeypatch.setattr("deliberant.cli.stages.work", lambda run, stage: None)
    begun = invoke("run", *arguments)
    assert not isinstance(begun.exception, pytest.fail.Exception)
    assert (run / "plan.json").exists() and (run / "run.json").exists()
    planned = json.loads(invoke("plan", run, "--json").stdout)
    generated = next(row for row in planned if row["stage"] == "generate")
    assert generated["calls"] == [12, None] and generated["hours"][0] > 0


def test_a_plan_loads_nothing_and_reaches_nobody(tmp_path: Path, invoke: Invoke, tiny_llama: Path) -> None:
    recipe = write_recipe(tmp_path, tiny_llama)
    remote = [
        "--set",
        "base=hf:nobody/has-this",
        "--set",
        "judge.filter=api:openai/gpt-4o",
        "--set",
        "budget.dollars=1",
    ]
    shown = invoke("plan", recipe, *remote)
    assert shown.exit_code == 0, shown.output
    assert "hf:nobody/has-this" in shown.stdout and "words times 1.3" in shown.stdout
    assert not (tmp_path / "runs").exists()


@pytest.mark.slow
def test_a_key_is_in_no_artifact_and_a_missing_one_is_named(
    invoke: Invoke, tmp_path: Path, tiny_llama: Path, llama: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = write_recipe(tmp_path, tiny_llama)
    settings = [f"judge.filter={{model: api:openai-api/mine/{NAME}, max_new_tokens: 8}}", "generate.max_new_tokens=8"]
    settings.append("judge.evaluate={model: micro, max_new_tokens: 8}")
    arguments = [
        "doctor",
        recipe,
        "--root",
        tmp_path / "runs",
        *(word for each in settings for word in ("--set", each)),
    ]
    monkeypatch.setenv("MINE_BASE_URL", f"{llama}/v1")
    monkeypatch.delenv("MINE_API_KEY", raising=False)
    assert "MINE_API_KEY is not set in the environment" in invoke(*arguments).stdout
    monkeypatch.setenv("MINE_API_KEY", KEY)
    shown = invoke(*arguments)
    assert "0 of 8 verdicts can be read" in shown.stdout and KEY not in shown.output
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert any(path.name == "calls.jsonl" for path in files), "the replies were kept"
    assert [path for path in files if KEY.encode() in path.read_bytes()] == []


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("base=openai/gpt-4o", "could be on the Hub or at a provider; write 'hf:openai/gpt-4o' or 'api:openai/gpt-4o'"),
        ("base=api:opnai/gpt-4o", "no provider 'opnai'; did you mean 'openai'?"),
        ("budget.dolars=3", "did you mean 'dollars'?"),
    ],
)
def test_mistakes_are_one_line(invoke: Invoke, tmp_path: Path, tiny_llama: Path, override: str, words: str) -> None:
    for verb in ("doctor", "plan", "run"):
        shown = invoke(verb, write_recipe(tmp_path, tiny_llama), "--set", override)
        assert shown.exit_code == 2 and words in shown.stderr and shown.stderr.count("\n") == 1, shown.output
