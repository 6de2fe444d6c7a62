from pathlib import Path

from transformers import AutoTokenizer

from benchmarks.smollm2_run import lessons, prepare
from deliberant.models.splitter import prefilled, split
from deliberant.policy import cited, load_policy
from deliberant.run.recipe import load_recipe
from deliberant.run.sources import policy_folder
from tests.tiny import make_tiny_model


def test_what_it_prepares_is_a_recipe_whose_model_opens_its_reasoning(tmp_path: Path) -> None:
    base = make_tiny_model(tmp_path / "base", "llama")
    prepare(base, tmp_path / "out", False, 1, 0)
    recipe = load_recipe(tmp_path / "out" / "recipe.yaml")
    assert recipe.policy == "default" and recipe.base == str(tmp_path / "out" / "model")
    assert prefilled(AutoTokenizer.from_pretrained(recipe.base)) and not prefilled(AutoTokenizer.from_pretrained(base))
    old, new = ((folder / "model.safetensors").read_bytes() for folder in (base, Path(recipe.base)))
    assert old != new
    prepare(base, tmp_path / "plain", True, 1, 0)
    assert load_recipe(tmp_path / "plain" / "recipe.yaml").base == str(base)


def test_every_lesson_is_a_whole_completion_that_cites_what_there_is() -> None:
    policy = load_policy(policy_folder("default"))
    for _, said in [*lessons(policy, False), *lessons(policy, True)]:
        parts = split(said, prefilled=True)
        assert parts.complete and parts.answer
        assert all(each in policy.clauses for each in cited(parts.reasoning))
