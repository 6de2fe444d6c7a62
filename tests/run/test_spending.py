"""What a run may spend, and that it is the same run tomorrow."""

import datetime
from pathlib import Path

import pytest

from deliberant.models.cache import Reply
from deliberant.models.remote import RemoteSampler
from deliberant.models.types import Usage
from deliberant.run.loader import load_recipe
from deliberant.run.opening import open_run
from deliberant.run.run import Run
from deliberant.util.errors import UserError
from tests.runs import write_recipe

PRICES = "noted: 2026-11\nmodels:\n  openai/gpt-5-nano: {input: 1.0, cached: 0.5, output: 2.0}\n"


@pytest.fixture
def recipe(tmp_path: Path, tiny_model: Path) -> Path:
    (tmp_path / "mine.yaml").write_text(PRICES)
    return write_recipe(tmp_path, tiny_model)


def test_a_raised_budget_is_the_same_run_and_keeps_what_was_paid(recipe: Path, tmp_path: Path) -> None:
    judged = "judge={filter: api:openai/gpt-5-nano, evaluate: micro, reward: api:openai/gpt-5-nano}"
    first = open_run(load_recipe(recipe, [judged, "budget.dollars=0.001", "prices=mine.yaml"]), tmp_path / "runs")
    first.stage("generate", {})
    first.calls.add("key", "openai/gpt-5-nano", Reply("hi", None, "stop", Usage(1000, 500)))
    again = open_run(load_recipe(recipe, [judged, "budget.dollars=2", "prices=mine.yaml"]), tmp_path / "runs")
    assert again.root == first.root and again.recipe.budget.dollars == 2
    assert again.calls.find("key") == Reply("hi", None, "stop", Usage(1000, 500))
    assert again.calls.stages["generate"].requests == {"openai/gpt-5-nano": 1}
    (tmp_path / "mine.yaml").unlink()
    assert Run.reopen(first.root).recipe.price_list.read_text() == PRICES


def test_judges_of_one_provider_are_lenient_whoever_was_opened_first(recipe: Path, tmp_path: Path) -> None:
    run = open_run(
        load_recipe(recipe, ["base=api:openai/gpt-5-nano", "judge.filter=api:openai/gpt-5-nano"]), tmp_path / "runs"
    )
    base, judge = run.sampler("base"), run.sampler("filter")
    assert isinstance(base, RemoteSampler) and isinstance(judge, RemoteSampler)
    assert (base._strict, base.reasoning) == (True, "native")
    assert (judge._strict, judge.reasoning) == (False, "off")
    assert base.calls is judge.calls is run.calls


def test_a_run_with_a_provider_is_the_same_run_on_the_next_day(
    recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Tomorrow(datetime.date):
        @classmethod
        def today(cls) -> "Tomorrow":
            return cls(2031, 1, 1)

    settings = load_recipe(recipe, ["judge.filter=api:openai/gpt-5-nano"])
    first = open_run(settings, tmp_path / "runs")
    monkeypatch.setattr("deliberant.run.contents.datetime.date", Tomorrow)
    again = open_run(settings, tmp_path / "runs")
    assert (again.root, again.identities) == (first.root, first.identities)
    assert first.identities["filter"].endswith(f"@{first.date}")


def test_a_budget_has_known_keys_and_prices_a_file(recipe: Path) -> None:
    with pytest.raises(UserError, match="did you mean 'dollars'"):
        load_recipe(recipe, ["budget.dolars=1"])
    with pytest.raises(UserError, match=r"prices: there is no .*gone\.yaml"):
        load_recipe(recipe, ["prices=gone.yaml"])
