"""Plans of small recipes, counted by hand, and what became of them."""

from pathlib import Path

import pytest

from deliberant.models.budget import PRICES
from deliberant.models.cache import Reply
from deliberant.models.cost import Speed
from deliberant.models.types import Usage
from deliberant.run.loader import load_recipe
from deliberant.run.sources import load_named_policy, prompt_sets
from deliberant.stages.filter import filter
from deliberant.stages.generate import generate
from deliberant.stages.plan import Plan, Speeds, compare_with_plan, keep_plan, plan, stages_to_do
from tests.runs import write_recipe
from tests.stages.scripted import Scripted, make_run


def planned(path: Path, speeds: Speeds, *overrides: str) -> Plan:
    recipe = load_recipe(path, overrides)
    policy = load_named_policy(recipe.policy)
    return plan(recipe, policy, prompt_sets(recipe, policy), speeds)


@pytest.fixture
def recipe(tmp_path: Path, tiny_llama: Path) -> Path:
    """Two training prompts, one helpful one, one case."""
    return write_recipe(tmp_path, tiny_llama)


RL = (
    "rl.prompts_per_step=2",
    "rl.helpful_share=0.5",
    "rl.group_size=4",
    "rl.batch_size=8",
    "rl.steps=3",
    "rl.judge_k=2",
)


def test_every_stage_has_its_calls(recipe: Path) -> None:
    found = planned(recipe, {}, "generate.samples=5", "filter.k=3", "helpful.samples=2", "sft.batch_size=4", *RL)
    calls = {(each.stage, each.role): (each.calls, each.steps) for each in found.works}
    assert calls[("helpful", "base")] == (2, 0)
    assert calls[("generate", "base")] == (10, 0)
    assert calls[("filter", "filter")] == (30, 0)
    assert calls[("sft", "base")] == (0, 9)  # 10 policy rows and 2 helpful ones, 3 epochs, 4 rows a step
    assert calls[("sft+rl", "base")] == (24, 3)
    assert calls[("sft+rl", "reward")] == (48, 0)
    assert calls[("evaluate/base+spec", "base")] == (1, 0)
    assert calls[("evaluate/base+spec", "evaluate")] == (3, 0)
    assert found.as_json()["total"]["calls"] == sum(each.calls for each in found.works)


def test_lengths_and_hours_are_measured_ones_where_there_are_any(recipe: Path, tiny_llama: Path) -> None:
    unknown = next(each for each in planned(recipe, {}).works if each.stage == "generate")
    assert (unknown.usage.output, unknown.hours) == (8 * 4096, None)
    speeds = {str(tiny_llama): {"base": Speed(100, 50), "filter": Speed(10, 20)}}
    found = planned(recipe, speeds)
    drawn = next(each for each in found.works if each.stage == "generate")
    assert drawn.usage.output == 800 and drawn.hours == pytest.approx(16 / 3600)
    read = next(each for each in found.works if each.stage == "filter")
    assert (read.calls, read.usage.output) == (24, 240) and read.hours == pytest.approx(12 / 3600)
    arm = next(each for each in found.works if each.stage == "evaluate/sft")
    assert arm.usage.output == 100, "an arm is as its base"
    assert not any("not measured" in note and str(tiny_llama) in note for note in found.notes)


def test_a_provider_costs_what_the_list_says(recipe: Path, tmp_path: Path) -> None:
    judge = "judge.filter=api:openai/gpt-4o"
    [read] = [each for each in planned(recipe, {}, judge).works if each.role == "filter"]
    fresh = read.usage.input - read.usage.cached
    assert read.dollars == pytest.approx((fresh * 2.5 + read.usage.cached * 1.25 + read.usage.output * 10) / 1e6)
    assert read.usage.cached > 0
    (tmp_path / "mine.yaml").write_text("models:\n  openai/gpt-4o: {input: 0, cached: 0, output: 1000000}\n")
    [mine] = [each for each in planned(recipe, {}, judge, "prices=mine.yaml").works if each.role == "filter"]
    assert mine.dollars == read.usage.output
    found = planned(recipe, {}, "judge.filter=api:openai/o9")
    assert f"no price of api:openai/o9 in {PRICES.name}" in found.notes and found.as_json()["total"]["dollars"] is None


def test_a_recipe_that_trains_nothing_is_there_for_its_data(recipe: Path) -> None:
    settings = load_recipe(recipe, ["evaluate.arms=[base]"])
    sets = prompt_sets(settings, load_named_policy(settings.policy))
    assert stages_to_do(settings, sets.sft) == ["helpful", "generate", "filter", "evaluate", "report"]
    assert stages_to_do(settings, ()) == ["evaluate", "report"]


def test_what_was_planned_stands_beside_what_was_done(tmp_path: Path) -> None:
    run = make_run(
        tmp_path,
        Scripted(lambda request: "<think>[F2]</think>yes"),
        Scripted(lambda request: "<think></think>score: 5"),
    )
    assert compare_with_plan(run) == []
    keep_plan(run, {})
    before = (run.root / "plan.json").read_bytes()
    generate(run)
    run.calls.add("key", "openai/gpt-4o", Reply("x", None, "stop", Usage(1_000_000, 100_000)))
    filter(run)
    keep_plan(run, {"model": {"base": Speed(1, 1)}})
    assert (run.root / "plan.json").read_bytes() == before, "a plan is made once"
    rows = {row["stage"]: row for row in compare_with_plan(run)}
    assert rows["generate"]["calls"] == (8, 8) and rows["generate"]["output"] == (8 * 4096, 16)
    assert rows["generate"]["dollars"] == (None, pytest.approx(2.5 + 1.0))
    assert rows["filter"]["calls"] == (24, 24)
    assert rows["filter"]["hours"][1] > 0 and rows["sft"]["calls"][1] is None
