import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deliberant.models.types import Sampling
from deliberant.run.arms import DEFAULT_ARMS
from deliberant.run.loader import load_recipe
from deliberant.run.recipe import Prompts, Recipe
from deliberant.util.errors import UserError

ROOT = Path(__file__).parents[2]
RECIPES = sorted(path for path in (ROOT / "recipes").glob("*.yaml") if path.name != "gate.yaml")
MICRO = "name: small\npolicy: micro\nbase: micro\njudge: micro\nprompts: micro\n"


def write(folder: Path, text: str) -> Path:
    path = folder / "recipe.yaml"
    path.write_text(text)
    return path


def test_defaults_fill_what_is_not_said(tmp_path: Path) -> None:
    recipe = load_recipe(write(tmp_path, MICRO))
    assert (recipe.name, recipe.seed, recipe.templates) == ("small", 0, "default")
    assert recipe.evaluate.arms == DEFAULT_ARMS
    assert recipe.generate.sampling == Sampling(1.0, 1.0, 4096)


def test_a_judge_may_have_prompt_files_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    judges = "{filter: {model: some/model, templates: safeguard}, evaluate: {model: some/other, templates: own}}"
    text = MICRO.replace("judge: micro", f"judge: {judges}") + "evaluate: {arms: [sft]}\n"
    judge = load_recipe(write(tmp_path, text)).judge
    assert (judge.filter.templates, judge.evaluate.templates) == ("safeguard", str(tmp_path / "own"))
    with pytest.raises(UserError, match=r"recipe.yaml:4: judge.filter.templates: there is no .*built in are cope, "):
        load_recipe(write(tmp_path, text.replace("safeguard", "safegard")))


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.name)
def test_every_shipped_recipe_loads(path: Path) -> None:
    assert load_recipe(path).name == path.stem


def test_a_recipe_survives_being_written_and_read(tmp_path: Path) -> None:
    import yaml

    recipe = load_recipe(ROOT / "recipes" / "micro.yaml")
    again = load_recipe(write(tmp_path, yaml.safe_dump(recipe.model_dump(mode="json"))))
    assert again == recipe


def test_paths_start_from_the_recipe(tmp_path: Path) -> None:
    for name in ("train", "helpful", "cases"):
        (tmp_path / f"{name}.jsonl").touch()
    (tmp_path / "model").mkdir()
    text = MICRO.replace("base: micro", "base: model").replace(
        "judge: micro", "judge: {filter: someone/model-1B, reward: someone/model-2B, evaluate: hf:someone/model-1B}"
    )
    text = text.replace("prompts: micro", "prompts: {train: train.jsonl, helpful: helpful.jsonl, cases: cases.jsonl}")
    recipe = load_recipe(write(tmp_path, text))
    assert recipe.base.model == str(tmp_path / "model")
    assert recipe.judge.filter.model == recipe.judge.evaluate.model == "hf:someone/model-1B"
    assert isinstance(recipe.prompts, Prompts)
    assert recipe.prompts.cases == str(tmp_path / "cases.jsonl")


def test_train_stands_for_sft_and_rl_and_gives_way_to_either(tmp_path: Path) -> None:
    for name in ("train", "rl", "helpful", "cases"):
        (tmp_path / f"{name}.jsonl").touch()
    text = MICRO.replace("prompts: micro", "prompts: {train: train.jsonl, helpful: helpful.jsonl, cases: cases.jsonl}")
    text += "evaluate: {arms: [base]}\n"
    both = load_recipe(write(tmp_path, text)).prompts
    assert isinstance(both, Prompts) and both.sft == both.rl == str(tmp_path / "train.jsonl")
    own = load_recipe(write(tmp_path, text.replace("helpful:", "rl: rl.jsonl, helpful:"))).prompts
    assert isinstance(own, Prompts) and (own.sft, own.rl) == (both.sft, str(tmp_path / "rl.jsonl"))
    sizes = load_recipe(write(tmp_path, MICRO + "built_in: {train: 10, rl: 5}\n")).built_in
    assert (sizes.sft, sizes.rl) == (10, 5)


@pytest.mark.parametrize(
    ("added", "line", "words"),
    [
        ("generate:\n  sampels: 3\n", 7, "unknown key 'generate.sampels'; did you mean 'samples'?"),
        ("sede: 3\n", 6, "unknown key 'sede'; did you mean 'seed'?"),
        (
            "generate:\n  samples: three\n",
            7,
            "generate.samples: input should be a valid integer, not 'three'; write a whole number",
        ),
        ("generate:\n  samples: true\n", 7, "generate.samples: input should be a valid integer, not True"),
        (
            "generate:\n  samples: 0\n",
            7,
            "generate.samples: input should be greater than or equal to 1, not 0; change it",
        ),
        ("evaluate:\n  arms:\n  - base\n  - sft-rl\n", 9, "there is no arm 'sft-rl'; did you mean 'sft+rl'?"),
        ("seed: 1\nrl: [1\n", 7, "not valid YAML: expected ',' or ']'"),
        ("sft:\n  epochs: 1\n  epochs: 2\n", 8, "'sft.epochs' is given twice"),
        ("templates: [a]\n", 6, "templates: input should be a valid string, not ['a']; write a text"),
        ("rl: 5\n", 6, "rl: should be keys with values, not 5; write `key: value`"),
        ("sft:\n  train_embeddings: 1\n", 7, "input should be a valid boolean, not 1; write true or false"),
        ("evaluate:\n  arms: []\n", 7, "at least 1 item after validation, not 0, not []; name at least one"),
        ("evaluate:\n  arms: sft\n", 7, "evaluate.arms: input should be a valid list, not 'sft'; write a list"),
        ("templates: tamplates\n", 6, "templates: there is no "),
        ("sft:\n  learning_rate: .inf\n", 7, "sft.learning_rate: input should be a finite number"),
        ("evaluate:\n  arms: [sft, base, sft]\n", 7, "evaluate.arms: 'sft' is named twice; keep one of them"),
        ("rl:\n  vllm: sometimes\n", 7, "rl.vllm: 'sometimes' is not off, colocate or the http:// address"),
        ("rl:\n  vllm: colocate\n  max_reasoning_tokens: 9\n", 7, "vLLM cannot close reasoning"),
        ("rl:\n  batch_size: 3\n", 7, "rl.batch_size: 3 does not divide the 128 completions of a step"),
        ("seed: 4294967296\n", 6, "seed: input should be less than 4294967296"),
        (
            "from_run: 2026-99-99\n",
            6,
            "not valid YAML: '2026-99-99' cannot be read as the number, date or tagged value that",
        ),
        (
            "rl:\n  steps: " + "9" * 5000 + "\n",
            7,
            "cannot be read as the number, date or tagged value that it looks like",
        ),
        *(
            (
                f"generate:\n  samples: {tag} x\n",
                7,
                "not valid YAML: 'x' cannot be read as the number, date or tagged value",
            )
            for tag in ("!!bool", "!!timestamp", "!!int", "!!float")
        ),
        (
            "generate:\n  samples: !!int ''\n",
            7,
            "not valid YAML: '' cannot be read as the number, date or tagged value",
        ),
        ("generate:\n  samples: !!map [1]\n", 7, "not valid YAML: expected a mapping node, but found sequence"),
        ("generate:\n  samples: !!set x\n", 7, "not valid YAML: expected a mapping node, but found scalar"),
        ("policy: 'x\nseed: 1\n", 6, "not valid YAML: found unexpected end of stream; correct it"),
    ],
)
def test_a_mistake_is_named_with_its_line(tmp_path: Path, added: str, line: int, words: str) -> None:
    path = write(tmp_path, MICRO + added)
    with pytest.raises(UserError) as error:
        load_recipe(path)
    assert str(error.value).startswith(f"{path}:{line}: ")
    assert words in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("prompts", "words"),
    [
        ("prompts: mikro", "prompts: unknown value 'mikro'; write the word micro, or the keys train (or "),
        ("prompts: {train: r.yaml, helpful: r.yaml, case: r.yaml}", "did you mean 'cases'?"),
        ("prompts: {trian: r.yaml, helpful: r.yaml, cases: r.yaml}", "'prompts.trian'; did you mean 'train'?"),
        ("prompts: {sft: r.yaml, helpful: r.yaml, cases: r.yaml}", "'prompts.rl' is missing; add it"),
        ("prompts: {train: r.yaml, sft: r.yaml, rl: r.yaml, helpful: r.yaml, cases: r.yaml}", "'prompts.train'"),
        ("prompts: {train: r.yaml, helpful: r.yaml}", "'prompts.cases' is missing; add it"),
        ("prompts: {train: r.yaml, helpful: r.yaml, cases: gone.jsonl}", "prompts.cases: there is no "),
        ("prompts: 5", "prompts: "),
        ("prompts: {train: 5, helpful: r.yaml, cases: r.yaml}", "prompts.train: input should be a valid string, not 5"),
        (
            "prompts: {train: {file: r.yaml, mapp: {}}, helpful: r.yaml, cases: r.yaml}",
            "unknown key 'prompts.train.mapp'; did you mean 'map'?",
        ),
        (
            "prompts: {train: {file: no/such/file.csv}, helpful: r.yaml, cases: r.yaml}",
            "prompts.train.file: there is",
        ),
    ],
)
def test_a_mistake_in_the_prompts_is_named(tmp_path: Path, prompts: str, words: str) -> None:
    (tmp_path / "r.yaml").touch()
    path = write(tmp_path, MICRO.replace("prompts: micro", prompts))
    with pytest.raises(UserError) as error:
        load_recipe(path)
    assert str(error.value).startswith(f"{path}:5: ")
    assert words in str(error.value)


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "recipe.yaml")
    with pytest.raises(UserError, match=r"recipe\.yaml: is a pipe; save it to a file first"):
        load_recipe(tmp_path / "recipe.yaml")


def test_a_name_that_no_folder_could_have_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"recipe\.yaml:1: name: 'Small One' cannot begin a folder's name; use small"):
        load_recipe(write(tmp_path, MICRO.replace("small", "Small One")))


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"recipe\.yaml:1: 'judge' is missing"):
        load_recipe(write(tmp_path, MICRO.replace("judge: micro\n", "")))
    with pytest.raises(UserError, match="cannot read the recipe"):
        load_recipe(tmp_path / "none.yaml")
    with pytest.raises(UserError, match=r"there is no .*polcy"):
        load_recipe(write(tmp_path, MICRO.replace("policy: micro", "policy: polcy")))


def test_the_policy_to_start_from_is_named_by_a_word(tmp_path: Path) -> None:
    from deliberant.run.sources import policy_folder

    recipe = load_recipe(write(tmp_path, MICRO.replace("policy: micro", "policy: default")))
    assert recipe.policy == "default" and (policy_folder(recipe.policy) / "policy.md").is_file()


def test_a_number_in_scientific_notation_is_a_number(tmp_path: Path) -> None:
    recipe = load_recipe(write(tmp_path, MICRO + "sft:\n  learning_rate: 3e-4\n"), ["rl.learning_rate=2e-5"])
    assert (recipe.sft.learning_rate, recipe.rl.learning_rate) == (3e-4, 2e-5)


def test_overrides_win(tmp_path: Path) -> None:
    path = write(tmp_path, MICRO + "rl:\n  steps: 7\n")
    recipe = load_recipe(path, ["rl.steps=5", "evaluate.arms=[base, sft]", "seed=3", "generate.samples=2"])
    assert (recipe.rl.steps, recipe.evaluate.arms, recipe.seed, recipe.generate.samples) == (5, ("base", "sft"), 3, 2)


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("rl.step=5", "override 'rl.step=5': unknown key 'rl.step'; did you mean 'steps'?"),
        ("rl.steps=five", "override 'rl.steps=five': rl.steps: input should be a valid integer"),
        ("rl.steps", "override 'rl.steps': write it as key=value"),
        ("name.x=5", "override 'name.x=5': 'name' holds no keys"),
        ("seed=[", "override 'seed=[': its value is not valid YAML"),
        ("policy=nowhere", "override 'policy=nowhere': policy: there is no "),
    ],
)
def test_a_mistake_in_an_override_is_named(tmp_path: Path, override: str, words: str) -> None:
    with pytest.raises(UserError) as error:
        load_recipe(write(tmp_path, MICRO), [override])
    assert str(error.value).startswith(words)


yaml_text = st.text(alphabet="ab:-[]{}&*!|>'\"#,?% \n\t1.é\x00", max_size=60)


@given(yaml_text)
def test_any_text_loads_or_is_a_user_error(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    path.write_text(MICRO + text)
    try:
        assert isinstance(load_recipe(path), Recipe)
    except UserError as error:
        assert str(error).startswith(f"{path}:")


@given(st.binary(max_size=40))
def test_any_bytes_are_a_user_error(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    path.write_bytes(data)
    with pytest.raises(UserError):
        load_recipe(path)


def test_a_bare_off_is_the_word(tmp_path: Path) -> None:
    path = write(tmp_path, MICRO.replace("base: micro", "base: {model: micro, reasoning: off}"))
    assert load_recipe(path).base.reasoning == "off"
