"""Every shipped recipe is whole: read, planned and examined, with tiny models in the place of real ones."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from deliberant.cli import app as cli
from deliberant.policy import load_policy
from deliberant.review.golden import read_golden
from deliberant.run.loader import load_recipe
from deliberant.run.sources import prompt_sets
from tests.completions import completed
from tests.server import NAME
from tests.stages.scripted import Scripted

ROOT = Path(__file__).parents[1] / "recipes"
RECIPES = sorted(path.name for path in ROOT.glob("*.yaml") if path.name != "gate.yaml")
MADE = {"micro.yaml", "smoke.yaml"}
"""Recipes of the built-in world."""
SHORT = [f"{stage}.max_new_tokens=16" for stage in ("generate", "helpful", "evaluate", "rl")]
SHORT += [f"{stage}.max_reasoning_tokens=8" for stage in ("generate", "helpful", "evaluate")]


@pytest.fixture
def recipes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the shipped recipes."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = Path(shutil.copytree(ROOT, tmp_path / "recipes"))
    return folder


@pytest.fixture
def tiny(tiny_llama: Path, tmp_path: Path) -> Path:
    """The tiny model with room for a real policy, a token a byte."""
    folder = Path(shutil.copytree(tiny_llama, tmp_path / "tiny"))
    config = folder / "config.json"
    config.write_text(config.read_text().replace('"max_position_embeddings": 4096', '"max_position_embeddings": 16384'))
    return folder


def in_place(name: str, tiny: Path, server: str) -> list[str]:
    """Overrides that put tiny models in the place of a recipe's."""
    remote = f"vllm:{server}/v1#{NAME}"
    models: dict[str, dict[str, object]] = {
        "micro.yaml": {},
        "smoke.yaml": {},
        "qwen-0.5b-cpu.yaml": {
            "base.model": tiny,
            "judge.filter.model": tiny,
            "judge.reward.model": tiny,
            "judge.evaluate.model": remote,
        },
        "api-data.yaml": {
            "base": f"{{model: '{remote}', reasoning: prompted}}",
            "judge.filter": f"{{model: '{remote}', max_new_tokens: 16}}",
            "judge.evaluate": f"{{model: '{remote}', max_new_tokens: 16}}",
            "budget": "{tokens: 10000000}",
        },
        "gpu-4b.yaml": {
            "policy": "shop/policy",
            "base": tiny,
            "writer": remote,
            "judge.filter": f"{{model: '{remote}', max_new_tokens: 16}}",
            "judge.reward": f"{{model: '{tiny}', max_new_tokens: 16}}",
            "judge.evaluate": f"{{model: '{remote}', max_new_tokens: 16}}",
        },
    }
    chosen = [*(f"{key}={value}" for key, value in models[name].items()), *([] if name in MADE else SHORT)]
    return [word for each in chosen for word in ("--set", each)]


@pytest.mark.parametrize("name", RECIPES)
def test_it_says_what_it_needs_and_is_planned(name: str, recipes: Path) -> None:
    head = (recipes / name).read_text().partition("\nname:")[0]
    assert "Hardware:" in head or name == "micro.yaml"
    settled = ["--set", "policy=shop/policy"] if name == "gpu-4b.yaml" else []
    shown = CliRunner().invoke(cli.app, ["plan", str(recipes / name), "--json", *settled])
    assert shown.exit_code == 0, shown.output
    found = json.loads(shown.stdout)
    stages = {row["stage"] for row in found["stages"]}
    assert stages >= {"helpful", "generate", "filter", "evaluate/base"}
    assert found["total"]["calls"] > 0 and all(row["input"] for row in found["stages"])
    assert (found["total"]["dollars"] is not None) == (name == "api-data.yaml")


@pytest.mark.slow
@pytest.mark.parametrize("name", RECIPES)
def test_it_is_examined(name: str, recipes: Path, tiny: Path, llama: str) -> None:
    arguments = ["doctor", str(recipes / name), "--root", str(recipes / "runs"), *in_place(name, tiny, llama)]
    shown = CliRunner().invoke(cli.app, [*arguments, "--json"])
    assert shown.exit_code in (0, 2), shown.output
    found = json.loads(shown.stdout)
    assert {each["role"] for each in found["findings"]} - {"memory", "disk"}
    if name in MADE:
        assert found["passed"]
    else:
        assert not found["passed"], "random models write no verdicts"
        stops = [each["message"] for each in found["findings"] if each["severity"] == "stop"]
        assert all(each.startswith(("0 of 8 verdicts can be read", "0 of 8 samples")) for each in stops), stops


def test_the_shops_golden_set_can_be_read() -> None:
    rows, without = read_golden(ROOT / "shop" / "golden.csv", load_policy(ROOT / "shop" / "policy"))
    assert (len(rows), sum(row.good for row in rows), without) == (112, 19, 0)


def test_the_shop_is_taught_and_tested_apart() -> None:
    recipe = load_recipe(ROOT / "api-data.yaml")
    policy = load_policy(ROOT / "shop" / "policy")
    sets = prompt_sets(recipe, policy)
    assert (len(sets.sft), len(sets.helpful), len(sets.cases)) == (60, 24, 100)
    taught = {each.family for each in [*sets.sft, *sets.helpful]}
    assert not taught & {case.prompt.family for case in sets.cases}
    asked = [case.truth.clause for case in sets.cases]
    assert all(asked.count(clause) == 10 for clause in policy.clauses) and asked.count(None) == 10
    assert {hint.clause for each in sets.sft for hint in each.hints} == set(policy.clauses)
    assert {clause.style for clause in policy.clauses.values()} == {"comply", "refuse", "safe_complete"}


@pytest.mark.slow
def test_the_data_recipe_goes_from_prompts_to_an_export(recipes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its models are scripted: they write what the providers' models would."""

    def opened(model: str, role: str, *_: Any, **__: Any) -> Scripted:
        if role == "base":
            sampler = Scripted(lambda request: "<think>[O1] fits, so I comply.</think>Here you are.", model)
            sampler.reasoning = "prompted"
            return sampler
        return Scripted(lambda request: completed("It is fine.\nclause: [O1]\nscore: 5", strict=False), model)

    monkeypatch.setattr("deliberant.run.run.open_model", opened)
    runs = ["--root", str(recipes / "runs")]
    for verb in ("doctor", "helpful", "generate", "filter"):
        shown = CliRunner().invoke(cli.app, [verb, str(recipes / "api-data.yaml"), *runs])
        assert shown.exit_code == 0, (verb, shown.output)
    [run] = (recipes / "runs").iterdir()
    shown = CliRunner().invoke(cli.app, ["data", "export", str(run), "--to", str(recipes / "data"), "--json"])
    assert shown.exit_code == 0, shown.output
    assert json.loads(shown.stdout)["rows"] == {"sft": 120 + 24, "rl": 84}


@pytest.mark.slow
def test_the_smoke_recipe_goes_through_every_stage(recipes: Path) -> None:
    shown = CliRunner().invoke(cli.app, ["run", str(recipes / "smoke.yaml"), "--root", str(recipes / "runs")])
    assert shown.exit_code == 0, shown.output
    page = Path(shown.stdout.splitlines()[-1]).read_text()
    assert "Planned and spent" in page
    [run] = (recipes / "runs").iterdir()
    rows = json.loads(CliRunner().invoke(cli.app, ["plan", str(run), "--json"]).stdout)
    assert all(row["calls"][1] is not None and row["calls"][1] <= row["calls"][0] for row in rows), rows
