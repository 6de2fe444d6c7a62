import json
import subprocess
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from deliberant.cli import app as cli
from deliberant.prompts import Case, Hint, Prompt, Truth, write_cases, write_prompts
from deliberant.run.folder import command
from deliberant.run.loader import load_recipe
from deliberant.run.opening import open_run
from deliberant.run.run import POINTERS, UNCOVERED, Run, list_stages
from deliberant.run.schedule import plan_prompts
from deliberant.run.sources import LATER
from deliberant.util.errors import RunError, UserError
from deliberant.util.files import Row, fingerprint
from tests.runs import prompt, write_recipe


@pytest.fixture
def recipe(tmp_path: Path, tiny_model: Path) -> Path:
    return write_recipe(tmp_path, tiny_model)


def test_the_folder_holds_everything_and_reopens_as_the_same_run(recipe: Path, tmp_path: Path) -> None:
    run = open_run(load_recipe(recipe), tmp_path / "runs")
    made = {path.relative_to(run.root).as_posix() for path in run.root.rglob("*") if path.is_file()}
    assert made >= {
        "recipe.resolved.yaml",
        "run.json",
        "policy/policy.md",
        "policy/categories/weapons.md",
        "prompts/sft.jsonl",
        "prompts/rl.jsonl",
        "prompts/helpful.jsonl",
        "cases.jsonl",
    }
    assert not any(name.endswith(".tmp") for name in made)
    for path in (tmp_path / "policy", recipe, tmp_path / "train.jsonl"):
        path.rename(path.with_suffix(".gone"))  # the run needs the originals no more
    again = Run.reopen(run.root)
    assert (again.root, again.hash, again.policy) == (run.root, run.hash, run.policy)
    assert again.sft_prompts() == run.sft_prompts() and len(run.sft_prompts()) == 2
    assert again.helpful_prompts() == run.helpful_prompts() and len(run.helpful_prompts()) == 1
    assert again.cases() == run.cases() and len(run.cases()) == 1


def test_a_hint_of_a_clause_that_the_policy_has_not_is_named_with_its_line(recipe: Path, tmp_path: Path) -> None:
    hints = (Hint("ana", "refuse", clause="W1"), Hint("ben", "comply", clause="W3"))
    write_prompts(tmp_path / "train.jsonl", [prompt("t1"), replace(prompt("t2"), hints=hints[:1])])
    assert open_run(load_recipe(recipe), tmp_path / "runs").sft_prompts()[1].hints == hints[:1]
    write_prompts(tmp_path / "train.jsonl", [prompt("t1"), replace(prompt("t2"), hints=hints)])
    with pytest.raises(UserError, match=r"train\.jsonl:2: hints\.1\.clause 'W3' is not in the policy; did you mean 'W"):
        open_run(load_recipe(recipe), tmp_path / "runs")


def test_the_same_recipe_resumes_and_any_change_is_a_new_run(recipe: Path, tmp_path: Path) -> None:
    def root(*overrides: str) -> Path:
        return open_run(load_recipe(recipe, overrides), tmp_path / "runs").root

    first = root()
    assert first.name.startswith("tiny-") and len(first.name) == len("tiny-") + 8
    assert root() == first
    seen = {first, root("seed=1"), root("rl.steps=3"), root("templates=default")}
    train = tmp_path / "train.jsonl"
    train.write_text(train.read_text().replace("request t1", "another"))
    seen.add(root())
    clause = tmp_path / "policy" / "categories" / "weapons.md"
    clause.write_text(clause.read_text().replace("weapon history", "weapon myths"))
    seen.add(root())
    assert len(seen) == 6


def test_a_run_that_was_killed_while_made_is_made_again(recipe: Path, tmp_path: Path) -> None:
    run = open_run(load_recipe(recipe), tmp_path / "runs")
    (run.root / "run.json").unlink()
    (run.root / "policy" / "policy.md").write_text("half")
    (run.root / "cases.jsonl").write_text('{"id": ')
    with pytest.raises(UserError, match="is no run folder"):
        Run.reopen(run.root)
    assert Run.reopen(open_run(load_recipe(recipe), tmp_path / "runs").root).hash == run.hash


@pytest.mark.parametrize(
    "file", ["policy/categories/weapons.md", "prompts/sft.jsonl", "prompts/rl.jsonl", "recipe.resolved.yaml"]
)
def test_an_edited_run_folder_is_refused(recipe: Path, tmp_path: Path, file: str) -> None:
    path = open_run(load_recipe(recipe), tmp_path / "runs").root / file
    edits = {
        "weapons.md": ("history", "myths"),
        "sft.jsonl": ("t1", "t9"),
        "rl.jsonl": ("t1", "t9"),
        "recipe.resolved.yaml": ("seed: 0", "seed: 1"),
    }
    path.write_text(path.read_text().replace(*edits[path.name]))
    with pytest.raises(UserError, match=r"were edited \(they make tiny-\w{8}\); edit the originals"):
        Run.reopen(tmp_path / "runs" / path.relative_to(tmp_path / "runs").parts[0])


def test_an_edited_model_is_a_new_run(recipe: Path, tmp_path: Path, tiny_model: Path) -> None:
    import shutil

    model = shutil.copytree(tiny_model, tmp_path / "model")
    first = open_run(load_recipe(recipe, [f"base={model}"]), tmp_path / "runs").root
    config = model / "generation_config.json"
    config.write_text(config.read_text() + "\n")
    assert open_run(load_recipe(recipe, [f"base={model}"]), tmp_path / "runs").root != first


def test_prompts_come_from_a_table_with_a_mapping(recipe: Path, tmp_path: Path) -> None:
    table = tmp_path / "train.csv"
    table.write_text("name,prompt,label\na,how do i shoot?,weapons\nb,what is a sling?,weapons\n")
    columns = "map: {text: prompt, category: label, family: name}, set: {licence: MIT}"
    text = recipe.read_text().replace("train: train.jsonl", f"train: {{file: train.csv, {columns}}}")
    recipe.write_text(text)
    run = open_run(load_recipe(recipe), tmp_path / "runs")
    assert [(each.id, each.family, each.categories, each.licence) for each in run.sft_prompts()] == [
        ("train-1", "a", ("weapons",), "MIT"),
        ("train-2", "b", ("weapons",), "MIT"),
    ]
    table.unlink()
    assert Run.reopen(run.root).sft_prompts() == run.sft_prompts()
    table.write_text("name,prompt,label\na,how do i shoot?,wepons\n")
    with pytest.raises(UserError, match=r"train\.csv:2: category 'wepons' is not in the policy"):
        open_run(load_recipe(recipe), tmp_path / "runs")
    table.write_text("name,prompt,label\na,,weapons\n,,\n")
    with pytest.raises(UserError, match=r"train\.csv:2: has no text \(and 1 more rows\); `deliberant prompts import`"):
        open_run(load_recipe(recipe), tmp_path / "runs")


def test_mistakes_in_what_the_recipe_names(recipe: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="policy: holds no model"):
        open_run(load_recipe(recipe, ["base=policy"]), tmp_path / "runs")
    train = tmp_path / "train.jsonl"
    text = train.read_text()
    train.write_text(text.replace("weapons", "wepons"))
    with pytest.raises(UserError, match=r"train\.jsonl:1: category 'wepons'"):
        open_run(load_recipe(recipe), tmp_path / "runs")
    train.write_text(text.replace('"family": "t1"', '"family": "c1"'))
    cases = tmp_path / "cases.jsonl"
    cases.write_text(cases.read_text().replace('"seen"', '"unseen"'))
    with pytest.raises(UserError, match=r"cases\.jsonl:1: family 'c1' is in training"):
        open_run(load_recipe(recipe), tmp_path / "runs")
    assert not (tmp_path / "runs").exists()


HOLD = """
import sys
from pathlib import Path
from deliberant.prompts import Hint, write_prompts
from deliberant.run.loader import load_recipe
from deliberant.run.opening import open_run
open_run(load_recipe(sys.argv[1]), Path(sys.argv[2])).stage("generate", {})
print("held", flush=True)
sys.stdin.readline()
"""


def test_two_processes_can_not_work_in_one_run(recipe: Path, tmp_path: Path) -> None:
    arguments = [sys.executable, "-c", HOLD, str(recipe), str(tmp_path / "runs")]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None and other.stdin is not None
        assert other.stdout.readline() == "held\n"
        run = open_run(load_recipe(recipe), tmp_path / "runs")
        with pytest.raises(UserError, match=f"process {other.pid} is working here"):
            run.stage("generate", {})
        other.stdin.close()
    run.stage("generate", {})
    Run.reopen(run.root).stage("generate", {})  # the same process may, as often as it likes


def finish(run: Run, stage: str, text: str = "{}\n") -> None:
    folder = run.stage(stage, {})
    (folder.dir / "rows.jsonl").write_text(text)
    folder.finish(["rows.jsonl"], {})


def test_a_stage_needs_the_ones_before_it(recipe: Path, tmp_path: Path) -> None:
    run = open_run(load_recipe(recipe), tmp_path / "runs")
    with pytest.raises(UserError, match=r"generate has not finished; run `deliberant generate .*` first"):
        run.stage("filter", {})
    finish(run, "generate")
    finish(run, "filter")
    inputs = run.manifest("filter")["inputs"]
    assert inputs == {"generate/rows.jsonl": run.manifest("generate")["outputs"]["rows.jsonl"]["sha256"]}
    with pytest.raises(UserError, match=r"sft has not finished; run `deliberant sft .* --arm sft` first"):
        run.stage("evaluate", {})
    run.stage("evaluate/base", {})
    with pytest.raises(UserError, match="no-cot has not finished"):
        run.stage("evaluate/no-cot", {})


def test_a_stage_redone_with_other_rows_stops_the_next(recipe: Path, tmp_path: Path) -> None:
    import shutil

    run = open_run(load_recipe(recipe), tmp_path / "runs")
    finish(run, "generate")
    finish(run, "filter")
    shutil.rmtree(run.root / "generate")
    finish(Run.reopen(run.root), "generate", '{"other": 1}\n')
    with pytest.raises(UserError, match=r"filter: was begun with other inputs \(generate/rows\.jsonl\)"):
        Run.reopen(run.root).stage("filter", {})


class Bars:
    """Counts what is announced."""

    def __init__(self) -> None:
        self.seen: list[int] = []

    def __call__(self, label: str, total: int, brief: bool = False) -> AbstractContextManager["Bars"]:
        return nullcontext(self)

    def advance(self, n: int = 1) -> None:
        self.seen.append(n)


def test_chunks_resume_where_they_stopped_and_keep_their_size(recipe: Path, tmp_path: Path) -> None:
    bars = Bars()
    run = open_run(load_recipe(recipe), tmp_path / "runs", bars)
    calls: list[list[int]] = []

    def work(items: Sequence[int]) -> list[Row]:
        calls.append(list(items))
        if len(calls) == 3:
            raise KeyboardInterrupt
        return [{"item": item, "pair": (item, item)} for item in items if item != 4]

    folder = run.stage("generate", {})
    with pytest.raises(KeyboardInterrupt):
        run.in_chunks(folder, "rows.jsonl", range(7), 2, work)
    assert not (folder.dir / "rows.jsonl").exists()
    rows = run.in_chunks(run.stage("generate", {}), "rows.jsonl", range(7), 2, work)
    assert calls == [[0, 1], [2, 3], [4, 5], [4, 5], [6]]
    assert rows == [{"item": item, "pair": [item, item]} for item in (0, 1, 2, 3, 5, 6)]
    assert [json.loads(line) for line in (folder.dir / "rows.jsonl").read_text().splitlines()] == rows
    assert bars.seen == [0, 2, 2, 4, 2, 1]


def test_no_items_make_an_empty_file(recipe: Path, tmp_path: Path) -> None:
    run = open_run(load_recipe(recipe), tmp_path / "runs")
    folder = run.stage("helpful", {})
    nothing: list[int] = []
    assert run.in_chunks(folder, "rows.jsonl", nothing, 2, lambda items: []) == []
    assert folder.finish(["rows.jsonl"], {})["outputs"]["rows.jsonl"]["rows"] == 0


def test_samplers_by_role(recipe: Path, tmp_path: Path, tiny_llama: Path) -> None:
    import shutil

    run = open_run(load_recipe(recipe), tmp_path / "runs")
    samplers = [run.sampler(role) for role in ("base", "base+spec", "writer", "filter", "reward")]
    assert len({id(sampler._engine) for sampler in samplers}) == 1  # type: ignore[attr-defined]
    assert [sampler.strict for sampler in samplers] == [True, True, True, False, False]  # type: ignore[attr-defined]
    with pytest.raises(UserError, match=r"rl has not finished; run `deliberant rl .* --arm rl` first"):
        run.sampler("rl")
    with pytest.raises(UserError, match="there is no arm 'stf'; did you mean 'sft'"):
        run.sampler("stf")
    folder = run.stage("rl", {})
    shutil.copytree(tiny_llama, folder.dir / "checkpoint")
    folder.finish(["checkpoint"], {})
    assert run.sampler("rl").identity != run.sampler("base").identity
    (folder.dir / "checkpoint" / "config.json").write_text("{}")
    with pytest.raises(RunError, match=r"config\.json: was changed since rl finished"):
        Run.reopen(run.root).sampler("rl")


def test_the_stages_are_what_the_arms_need_and_no_more() -> None:
    assert list_stages(["base", "base+spec"]) == ["evaluate", "report"]
    assert list_stages(["rl"]) == ["rl", "evaluate", "report"]
    assert list_stages(["sft+rl"]) == ["helpful", "generate", "filter", "sft", "sft+rl", "evaluate", "report"]
    assert command("no-cot", Path("runs/x")) == "deliberant sft runs/x --arm no-cot"


def test_the_built_in_world_reads_styles_and_still_does_when_reopened(
    recipe: Path, tmp_path: Path, tiny_model: Path
) -> None:
    text = f"name: built-in\npolicy: micro\nbase: {tiny_model}\njudge: {tiny_model}\ntemplates: micro\nprompts: micro\n"
    (tmp_path / "micro.yaml").write_text(text)
    run = open_run(load_recipe(tmp_path / "micro.yaml"), tmp_path / "runs")
    again = Run.reopen(run.root)
    assert again.hash == run.hash
    assert run.style_reader is not None and again.style_reader is run.style_reader
    assert open_run(load_recipe(recipe), tmp_path / "runs").style_reader is None


def with_rl(recipe: Path, *prompts: Prompt) -> Path:
    """The recipe with a file of its own for rl."""
    write_prompts(recipe.parent / "rl.jsonl", prompts)
    recipe.write_text(recipe.read_text().replace("  helpful:", "  rl: rl.jsonl\n  helpful:"))
    return recipe


def test_sft_and_rl_have_files_of_their_own(recipe: Path, tmp_path: Path) -> None:
    one = open_run(load_recipe(recipe), tmp_path / "runs")
    assert one.rl_prompts() == one.sft_prompts() and Run.reopen(one.root).hash == one.hash
    two = open_run(load_recipe(with_rl(recipe, prompt("r1"), prompt("r2"))), tmp_path / "runs")
    again = Run.reopen(two.root)
    assert two.hash != one.hash == Run.reopen(one.root).hash and again.hash == two.hash
    assert [[each.id for each in prompts] for prompts in (again.sft_prompts(), again.rl_prompts())] == [
        ["t1", "t2"],
        ["r1", "r2"],
    ]
    assert {each.id for each in plan_prompts(again)} <= {"r1", "r2", "h1"}


def test_a_family_in_the_files_of_sft_and_rl_is_named(recipe: Path, tmp_path: Path) -> None:
    load = load_recipe(with_rl(recipe, prompt("r1"), replace(prompt("r2"), family="t2")))
    words = (
        r"rl\.jsonl:2: family 't2' is in prompts\.rl \(prompt 'r2'\) and in prompts\.sft \(prompt 't2'\); move it to"
    )
    with pytest.raises(UserError, match=words) as error:
        open_run(load, tmp_path / "runs")
    assert "\n" not in str(error.value)


def test_a_held_out_family_may_not_be_practised(recipe: Path, tmp_path: Path) -> None:
    write_cases(tmp_path / "cases.jsonl", [Case(prompt("c1"), Truth("refuse", "W1", True), "unseen")])
    load = load_recipe(with_rl(recipe, prompt("r1"), replace(prompt("r2"), family="c1")))
    with pytest.raises(UserError, match=r"cases\.jsonl:1: family 'c1' is in training \(prompt 'r2'\)"):
        open_run(load, tmp_path / "runs")


def test_a_run_of_the_time_of_one_prompt_file_is_still_that_run(recipe: Path, tmp_path: Path) -> None:
    import yaml

    run = open_run(load_recipe(recipe), tmp_path / "runs")
    file = run.root / "recipe.resolved.yaml"
    settings = yaml.safe_load(file.read_text())
    settings["prompts"]["train"] = "prompts/train.jsonl"
    del settings["prompts"]["sft"], settings["prompts"]["rl"]
    settings["built_in"] = {"train": 960, "helpful": 480, "suite": 240}
    file.write_text(yaml.safe_dump(settings))
    (run.root / "prompts/rl.jsonl").unlink()
    (run.root / "prompts/sft.jsonl").rename(run.root / "prompts/train.jsonl")
    again = Run.reopen(run.root)
    cases = [{name: each for name, each in vars(case).items() if name not in LATER} for case in run.cases()]
    covered = fingerprint([run.sft_prompts(), run.helpful_prompts(), cases])
    assert again.hash == run.hash and again.covers["prompts"] == covered
    assert again.sft_prompts() == again.rl_prompts() == run.sft_prompts()


def test_a_run_made_before_a_setting_existed_is_still_that_run(recipe: Path, tmp_path: Path) -> None:
    import yaml

    run = open_run(load_recipe(recipe), tmp_path / "runs")
    settings = yaml.safe_load((run.root / "recipe.resolved.yaml").read_text())
    settings |= {name: getattr(run.recipe, name).shaping for name in ("sft", "rl", "evaluate")}
    del settings["rl"]["held_out"]
    old = fingerprint(
        {
            "settings": {key: settings[key] for key in settings if key not in {*POINTERS, *UNCOVERED, "incremental"}},
            "world": run.world,
            "covers": run.covers,
        }
    )
    folder = run.root.rename(run.root.with_name(f"tiny-{old[:8]}"))
    (folder / "recipe.resolved.yaml").write_text(yaml.safe_dump(settings))
    assert Run.reopen(folder).hash == old
    (folder / "recipe.resolved.yaml").write_text(yaml.safe_dump(settings | {"seed": 9}))
    with pytest.raises(UserError, match="were edited"):
        Run.reopen(folder)


def test_the_same_words_trained_on_and_measured_are_named(recipe: Path, tmp_path: Path) -> None:
    run = open_run(load_recipe(recipe), tmp_path / "runs")
    [case] = run.cases()
    write_cases(tmp_path / "cases.jsonl", [case, replace(case, suite="unseen", prompt=prompt("c2"))])
    write_prompts(tmp_path / "train.jsonl", [replace(prompt("t1"), messages=prompt("c2").messages)])
    with pytest.raises(UserError, match=r"cases\.jsonl:2: case 'c2' asks what prompt 't1' trains on; drop"):
        open_run(load_recipe(recipe), tmp_path / "runs")


def test_a_run_made_before_words_were_compared_opens_again(
    recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = open_run(load_recipe(recipe), tmp_path / "runs")
    write_prompts(tmp_path / "train.jsonl", [replace(prompt("t1"), messages=run.cases()[0].prompt.messages)])
    with pytest.raises(UserError, match="asks what prompt 't1' trains on"):
        open_run(load_recipe(recipe), tmp_path / "runs")
    with monkeypatch.context() as before:
        before.setattr("deliberant.run.checks.assert_texts_disjoint", lambda *_: None)
        old = open_run(load_recipe(recipe), tmp_path / "runs")
    assert Run.reopen(old.root).hash == open_run(load_recipe(recipe), tmp_path / "runs").hash == old.hash


@pytest.mark.parametrize("name", ["train", "cases"])
def test_a_file_without_a_row_is_a_mistake_before_anything_is_made(recipe: Path, tmp_path: Path, name: str) -> None:
    (tmp_path / f"{name}.jsonl").write_text("")
    with pytest.raises(UserError, match=rf"{name}\.jsonl: holds no row"):
        open_run(load_recipe(recipe), tmp_path / "runs")


@pytest.mark.parametrize("verb", ["run", "generate"])
def test_too_few_prompts_for_rl_are_a_mistake_before_anything_is_made(
    recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    monkeypatch.chdir(tmp_path)
    shown = CliRunner().invoke(cli.app, [verb, str(recipe), "--set", "rl.held_out=2"])
    assert shown.exit_code == 2 and "rl.held_out: 2 would take all" in shown.stderr
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("file", "text"),
    [("model.safetensors", "x"), ("config.json", "["), ("tokenizer.json", ""), ("chat_template.jinja", "{% if")],
)
def test_a_broken_model_is_one_line(recipe: Path, tmp_path: Path, tiny_model: Path, file: str, text: str) -> None:
    import shutil

    from deliberant.models.local.sampler import LocalSampler

    broken = shutil.copytree(tiny_model, tmp_path / "broken")
    (broken / file).write_text(text)
    with pytest.raises(UserError) as error:
        LocalSampler.load(broken)
    assert str(broken) in str(error.value) and "\n" not in str(error.value)
