"""Incremental alignment: a finished run goes on after an edit of its policy."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from benchmarks import incremental
from benchmarks.results import Cost
from deliberant.cli import app as cli
from deliberant.cli.opening import work
from deliberant.models.checkpoint import model_hash
from deliberant.run.folder import StageFolder
from deliberant.run.recipe import Recipe
from deliberant.run.roles import Model
from deliberant.run.run import Run
from deliberant.stages.answers import read_samples
from deliberant.stages.evaluate import results
from deliberant.stages.export import rl_rows
from deliberant.stages.moved import compare_cost, read_moved
from deliberant.util.errors import RunError, UserError
from deliberant.util.files import file_hash, read_json, read_rows, write_json
from tests.runs import open_as
from tests.stages.edited import SETTINGS, TRAIN, EditedRun, edited, finish, prompt, recipe
from tests.stages.scripted import Scripted
from tests.stages.trainable import Fuse, Killed

ROWS = ("generate/samples.jsonl", "filter/kept.jsonl", "filter/rejected.jsonl", "helpful/samples.jsonl")


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> EditedRun:
    folder = tmp_path_factory.mktemp("old")
    return finish(recipe(folder, tiny_model), folder / "runs")


@pytest.fixture(scope="module")
def new(old: EditedRun, tmp_path_factory: pytest.TempPathFactory) -> EditedRun:
    return finish(edited(old.recipe, old.root, tmp_path_factory.mktemp("new")), old.root.parent)


def lines(run: Run, file: str) -> dict[str, bytes]:
    """Lines of a JSONL file of the run, as they stand, by sample id."""
    return {json.loads(line)["id"]: line for line in (run.root / file).read_bytes().splitlines()}


def test_rows_of_untouched_prompts_are_the_old_ones_byte_for_byte(old: EditedRun, new: EditedRun) -> None:
    assert new.root != old.root and new.root.parent == old.root.parent
    for file in ROWS:
        before, after = lines(old, file), lines(new, file)
        assert list(before) == list(after), "in the order of a full run"
        assert {id for id in after if after[id] != before[id]} == {id for id in after if id.startswith("fire")}
    hashes = {row["id"][:5]: row["hashes"]["policy"] for row in read_rows(new.root / "generate" / "samples.jsonl")}
    assert hashes == {"fire-": new.policy.hash, "tools": old.policy.hash}


def test_only_touched_prompts_are_asked_and_judged_and_that_is_counted(new: EditedRun) -> None:
    assert sorted(set(new.asked)) == [f"light a hearth {number}" for number in range(4)]
    counts = {stage: new.manifest(stage)["counts"] for stage in ("generate", "filter", "helpful")}
    found = {stage: (each["reused"], each["made"]) for stage, each in counts.items()}
    assert found == {"generate": (8, 8), "filter": (8, 8), "helpful": (6, 0)}
    assert counts["generate"]["samples"] == counts["filter"]["samples"] == 16
    judged = [request for request in new.sampler("filter").requests if "hearth" not in request.messages[-1]["content"]]
    assert {("prune" in request.messages[-1]["content"]) for request in judged} <= {True}, "of the cases, in evaluation"
    assert new.manifest("generate")["inputs"]["from/generate/samples.jsonl"]


def test_training_goes_on_from_the_old_checkpoint_with_touched_rows_and_a_replay(
    old: EditedRun, new: EditedRun
) -> None:
    manifest = new.manifest("sft")
    assert manifest["inputs"]["model"] == model_hash(old.root / "sft" / "checkpoint")
    assert (manifest["counts"]["touched"], manifest["counts"]["replayed"]) == (8, 4)
    rows = read_rows(new.root / "sft" / "rows.jsonl")
    assert sum(row["prompt_id"].startswith("fire") for row in rows) == 8
    assert sum(row["source"] == "helpful" for row in rows) == manifest["counts"]["helpful"] == 6
    assert len(read_rows(new.root / "sft" / "metrics.jsonl")) == -(-len(rows) // 4), "one epoch"


def test_the_base_is_not_asked_the_cases_again(old: EditedRun, new: EditedRun) -> None:
    assert new.manifest("evaluate/base")["counts"]["reused"] == 3
    assert new.manifest("evaluate/base+spec")["counts"]["reused"] == 3
    assert "reused" not in new.manifest("evaluate/sft")["counts"]
    before, after = (read_samples(run.root, "base") for run in (old, new))
    assert [sample.answer for sample in after] == [sample.answer for sample in before]
    assert [sample.case.truth.style for sample in after] == ["refuse", "comply", "refuse"], "by the policy as it is now"
    assert [sample.case.truth.style for sample in before] == ["comply", "comply", "refuse"]


def test_what_moved_is_told(old: EditedRun, new: EditedRun) -> None:
    moved = read_moved(new.root)
    assert moved is not None and read_moved(old.root) is None
    assert moved["from"] == old.root.name
    assert moved["policy"] == ["~ F2 hearth (fire): restyled comply -> refuse"]
    assert moved["prompts"] == {"touched": 4, "untouched": 4, "added": 0, "removed": 0}
    assert moved["cases"] == {"touched": 2, "untouched": 1, "not compared": 0}
    assert {row["part"] for row in moved["moves"]} == {"asked anew", "touched", "untouched"}
    spent = compare_cost(new.root)
    assert spent is not None and compare_cost(old.root) is None
    assert spent["full"] == old.root.name
    assert spent["same"] == spent["whole"] == pytest.approx(sum(old.manifest(stage)["seconds"] for stage in STAGES))
    page = (new.root / "report.html").read_text()
    assert 'id="moved"' in page and "restyled comply -&gt; refuse" in page and "s that the same stages of" in page
    assert 'id="moved"' not in (old.root / "report.html").read_text()
    assert {row["arm"] for row in results(new.root)} == {"base", "base+spec", "sft"}


def test_a_changed_account_of_what_moved_is_an_error_naming_file_and_remedy(tmp_path: Path) -> None:
    folder = StageFolder(tmp_path, "evaluate", {})
    write_json(folder.dir / "moved.json", {"from": "micro"})
    assert read_moved(tmp_path) is None
    folder.finish(["moved.json"], {})
    assert read_moved(tmp_path) == {"from": "micro"}
    (folder.dir / "moved.json").write_text("{}")
    with pytest.raises(RunError, match=r"moved\.json: was .*; restore it, or delete .*manifest.json and .*begun.json"):
        read_moved(tmp_path)


STAGES = ("helpful", "generate", "filter", "sft", "evaluate/base", "evaluate/base+spec", "evaluate/sft", "evaluate")


@pytest.mark.parametrize("at", [5, 15, 20])
def test_killed_and_run_again_ends_with_the_same_files(old: EditedRun, new: EditedRun, tmp_path: Path, at: int) -> None:
    made = edited(old.recipe, old.root, tmp_path)
    with pytest.raises(Killed):
        finish(made, tmp_path / "runs", Fuse(at))
    run = finish(made, tmp_path / "runs")
    assert run.root.name == new.root.name
    files = [
        *ROWS,
        "sft/rows.jsonl",
        "sft/checkpoint/model.safetensors",
        "evaluate/results.json",
        "evaluate/moved.json",
    ]
    assert {file: (run.root / file).read_bytes() for file in files} == {
        file: (new.root / file).read_bytes() for file in files
    }


def test_the_run_is_named_by_the_old_runs_hash_and_not_by_where_it_lies(
    old: EditedRun, new: EditedRun, tmp_path: Path
) -> None:
    away = shutil.copytree(old.root, tmp_path / "elsewhere" / old.root.name)
    assert open_as(EditedRun, edited(old.recipe, away, tmp_path), tmp_path / "runs").root.name == new.root.name
    full = edited(old.recipe, away, tmp_path, from_run=None)
    assert open_as(EditedRun, full, tmp_path / "runs").root.name != new.root.name
    other = edited(old.recipe, away, tmp_path, incremental={"epochs": 2})
    assert open_as(EditedRun, other, tmp_path / "runs").root.name != new.root.name
    idle = full.model_copy(update={"incremental": other.incremental})
    assert open_as(EditedRun, idle, tmp_path / "runs").hash == open_as(EditedRun, full, tmp_path / "runs").hash


def test_it_reopens_beside_the_old_run_and_without_it_still_shows_what_it_found(
    old: EditedRun, new: EditedRun, tmp_path: Path
) -> None:
    for run in (old, new):
        shutil.copytree(run.root, tmp_path / "moved" / run.root.name)
    again = EditedRun.reopen(tmp_path / "moved" / new.root.name)
    assert again.hash == new.hash and again.lineage is not None
    assert again.lineage.old.root.resolve() == (tmp_path / "moved" / old.root.name).resolve()
    (tmp_path / "moved" / old.root.name).rename(tmp_path / "gone")
    alone = EditedRun.reopen(tmp_path / "moved" / new.root.name)
    assert read_moved(alone.root) and compare_cost(alone.root) and alone.sampler("sft").identity
    with pytest.raises(UserError, match=r"from_run: .* is no run folder"):
        _ = alone.lineage


def test_an_incremental_run_can_be_continued(old: EditedRun, new: EditedRun, tmp_path: Path) -> None:
    made = edited(new.recipe, new.root, tmp_path)
    tools = tmp_path / "edited" / "categories" / "tools.md"
    tools.write_text(tools.read_text().replace("[T1] comply", "[T1] refuse"))
    cases = tmp_path / "cases.jsonl"
    cases.write_text(cases.read_text().replace('"comply", "clause": "T1"', '"refuse", "clause": "T1"'))
    run = finish(made, tmp_path / "runs")
    assert sorted(set(run.asked)) == [f"prune a rose {number}" for number in range(4)]
    hashes = {row["id"][:5]: row["hashes"]["policy"] for row in read_rows(run.root / "generate" / "samples.jsonl")}
    assert hashes == {"fire-": new.policy.hash, "tools": run.policy.hash}
    assert run.manifest("sft")["inputs"]["model"] == model_hash(new.root / "sft" / "checkpoint")
    moved, spent = read_moved(run.root), compare_cost(run.root)
    assert moved is not None and spent is not None
    assert (moved["from"], spent["full"]) == (new.root.name, old.root.name), "the cost is against the last full run"


def test_new_and_edited_prompts_are_touched_and_gone_ones_leave(old: EditedRun, tmp_path: Path) -> None:
    train = [*TRAIN[2:7], prompt(3, "tools", " today"), prompt(9, "tools")]
    run = open_as(EditedRun, edited(old.recipe, old.root, tmp_path, train), tmp_path / "runs")
    assert run.lineage is not None
    assert run.lineage.touched["sft"] == {"fire-1", "fire-2", "fire-3", "tools-3", "tools-9"}
    assert run.lineage.untouched["sft"] == {"tools-1", "tools-2"}


def test_a_changed_summary_touches_everything_and_base_spec_answers_anew(old: EditedRun, tmp_path: Path) -> None:
    made = edited(old.recipe, old.root, tmp_path)
    fire = tmp_path / "edited" / "categories" / "fire.md"
    fire.write_text(fire.read_text().replace("burning things", "setting things alight"))
    run = finish(made, tmp_path / "runs")
    assert run.lineage is not None and len(run.lineage.touched["sft"]) == 8
    assert run.manifest("generate")["counts"]["reused"] == 0
    assert run.manifest("helpful")["counts"]["made"] == 0, "no policy is in the context of a helpful sample"
    assert "reused" in run.manifest("evaluate/base")["counts"]
    assert "reused" not in run.manifest("evaluate/base+spec")["counts"]
    assert run.manifest("sft")["counts"]["replayed"] == 0


def test_after_an_edit_that_touches_all_prompts_some_are_still_held_out(tmp_path: Path, tiny_model: Path) -> None:
    rl = {"held_out": 2, "steps": 2}
    made = recipe(tmp_path / "old", tiny_model, evaluate={"arms": ["rl"]}, rl=rl)
    old = finish(made, tmp_path / "runs")
    made = edited(made, old.root, tmp_path)
    fire = tmp_path / "edited" / "categories" / "fire.md"
    fire.write_text(fire.read_text().replace("burning things", "setting things alight"))
    run = finish(made, tmp_path / "runs")
    assert run.lineage is not None and len(run.lineage.touched["sft"]) == 8
    assert run.manifest("rl")["counts"]["rows"] == 4
    found = read_json(run.root / "rl" / "held_out.json", "")
    assert found["change"]["n"] + found["unscored"] == 2


def test_a_kept_sample_that_cites_a_clause_that_is_gone_is_rejected(old: EditedRun, tmp_path: Path) -> None:
    copy = shutil.copytree(old.root, tmp_path / "runs" / old.root.name)
    for stage, file in (("generate", "samples.jsonl"), ("filter", "kept.jsonl")):
        path, manifest = copy / stage / file, copy / stage / "manifest.json"
        rows = read_rows(path)
        for row in rows:
            if row["id"] == "tools-0#0":
                row["cited"] = ["T1", "F1"]
        path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
        found = json.loads(manifest.read_text())
        found["outputs"][file]["sha256"] = file_hash(path)
        manifest.write_text(json.dumps(found))
    made = edited(old.recipe, copy, tmp_path)
    fire = tmp_path / "edited" / "categories" / "fire.md"
    fire.write_text(fire.read_text().replace("### arson [F1] refuse\n", ""))
    cases = tmp_path / "cases.jsonl"
    cases.write_text("".join(line for line in cases.open() if '"F1"' not in line))
    run = open_as(EditedRun, made, tmp_path / "runs")
    work(run, "generate")
    work(run, "filter")
    rejected = {row["id"]: row["reason"] for row in read_rows(run.root / "filter" / "rejected.jsonl")}
    assert rejected == {"tools-0#0": "cites an unknown clause"}
    assert run.manifest("filter")["counts"]["reused"] == 7


def no_edit(made: Recipe) -> Recipe:
    fire = Path(made.policy) / "categories" / "fire.md"
    fire.write_text(fire.read_text().replace("[F2] refuse", "[F2] comply"))
    return made


def rename_policy(made: Recipe) -> Recipe:
    head = Path(made.policy) / "policy.md"
    head.write_text(head.read_text().replace("version: '1'", "version: '2'"))
    return no_edit(made)


def no_tools(made: Recipe) -> Recipe:
    (Path(made.policy) / "categories" / "tools.md").unlink()
    assert not isinstance(made.prompts, str)
    for name in (made.prompts.sft, made.prompts.cases):
        path = Path(str(name))
        path.write_text("".join(line for line in path.open() if '"tools"' not in line))
    return made


def another_base(made: Recipe) -> Recipe:
    model = shutil.copytree(made.base.model, Path(made.policy).parent / "model")
    (model / "generation_config.json").write_text("{}")
    return made.model_copy(update={"base": Model(model=str(model))})


def settings(**changes: Any) -> Callable[[Recipe], Recipe]:
    return lambda made: Recipe.model_validate({**made.model_dump(), **changes})


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (no_edit, "nothing to make anew: policy and prompts are those of"),
        (rename_policy, "nothing to make anew: the edit touches no training prompt of"),
        (no_tools, "category tools was removed, and no prompt would unteach"),
        (another_base, "differs in base, writer, so its rows do not hold here; set that as it is there"),
        (settings(templates="micro"), "differs in templates"),
        (settings(seed=3), r"differs in seed \(0, here 3\)"),
        (settings(generate={**SETTINGS["generate"], "samples": 3}), r"differs in generate.samples \(2, here 3\)"),
        (settings(filter={"k": 2}), r"differs in filter.chunk \(3, here 64\), filter.k \(1, here 2\)|filter\.k"),
        (settings(evaluate={**SETTINGS["evaluate"], "arms": ["sft", "no-cot"]}), r"has no arm no-cot .*arms=\[sft\]"),
        (settings(from_run="/nowhere"), "from_run: /nowhere is no run folder"),
    ],
)
def test_what_can_not_be_continued_is_refused(
    old: EditedRun, tmp_path: Path, change: Callable[[Recipe], Recipe], words: str
) -> None:
    made = change(edited(old.recipe, old.root, tmp_path))
    with pytest.raises(UserError, match=words):
        open_as(EditedRun, made, tmp_path / "runs")
    assert not (tmp_path / "runs").exists()


def test_an_unfinished_run_is_refused_with_the_command_that_finishes_it(old: EditedRun, tmp_path: Path) -> None:
    copy = shutil.copytree(old.root, tmp_path / "runs" / old.root.name)
    (copy / "evaluate" / "sft" / "manifest.json").unlink()
    with pytest.raises(UserError, match=r"has not finished \(evaluate/sft\); run `deliberant run .*` first"):
        open_as(EditedRun, edited(old.recipe, copy, tmp_path), tmp_path / "runs")


def test_no_kept_sample_of_a_touched_prompt_stops_the_run(old: EditedRun, tmp_path: Path) -> None:
    run = open_as(EditedRun, edited(old.recipe, old.root, tmp_path), tmp_path / "runs")
    run.__dict__["judging"] = Scripted(lambda request: "<think></think>score: 1", "judge")
    for stage in ("helpful", "generate", "filter"):
        work(run, stage)
    with pytest.raises(RunError, match="no sample of a touched prompt was kept"):
        work(run, "sft")


def test_the_command_ends_with_what_moved_and_what_it_cost(
    old: EditedRun, new: EditedRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = edited(old.recipe, old.root, tmp_path, from_run=None)
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(made.model_dump(mode="json")))
    monkeypatch.setattr("deliberant.run.opening.Run", EditedRun)
    monkeypatch.chdir(old.root.parent)
    shown = CliRunner().invoke(cli.app, ["run", str(tmp_path / "recipe.yaml"), "--from", old.root.name])
    assert shown.exit_code == 0, shown.output
    assert f"run folder: runs/{new.root.name}" in shown.stderr
    words = shown.stdout[shown.stdout.index("moved since") :]
    for part in ("restyled comply -> refuse", "prompts touched: 4 of 8", "generate 8 and 8", "asked anew", "untouched"):
        assert part in words
    assert "s that the same stages of" in words and words.endswith("report.html\n")
    settled = CliRunner().invoke(cli.app, ["run", str(new.root), "--from", str(old.root)])
    assert settled.exit_code == 2 and "(--from likewise)" in settled.stderr


def test_the_benchmark_compares_both_runs(
    old: EditedRun, new: EditedRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def done(overrides: list[str], runs: Path) -> tuple[Path, Cost | None]:
        if "from_run" in overrides[-1]:
            return new.root, Cost(30, 1)
        return (new.root, Cost(100, 1)) if "policy" in overrides[-1] else (old.root, None)

    monkeypatch.setattr(incremental, "complete", done)

    def flipped(recipe: Recipe, id: str, into: Path) -> list[str]:
        return [f"policy={shutil.copytree(new.root / 'policy', into)}"]

    monkeypatch.setattr(incremental, "flipped", flipped)
    shown = incremental.report("F2", 0, [], tmp_path)
    for part in ("[F2] -> refuse, seed 0", "at most 35% of the full run's time: 30.0%, yes", "30 (wall) | 30.0%"):
        assert part in shown
    found = re.search(r"within the full run's interval: (\d+) of (\d+)", shown)
    assert found and found[1] == found[2] and int(found[1]) > 5, "a run is within its own intervals"
    assert "sft, incremental: F2's prompts that follow the new style: 0.0 [0.0, " in shown


@pytest.mark.slow
def test_every_arm_goes_on(tmp_path: Path, tiny_model: Path) -> None:
    made = recipe(tmp_path / "old", tiny_model, evaluate={"arms": ["sft", "rl", "sft+rl", "no-cot"]})
    old = finish(made, tmp_path / "runs")
    new = finish(edited(made, old.root, tmp_path / "new"), tmp_path / "runs")
    start = {"sft": old, "no-cot": old, "rl": old, "sft+rl": new}
    for arm, run in start.items():
        folder = "sft" if arm == "sft+rl" else arm
        assert new.manifest(arm)["inputs"]["model"] == model_hash(run.root / folder / "checkpoint")
    for arm in ("rl", "sft+rl"):
        assert len(read_rows(new.root / arm / "metrics.jsonl")) == 2, "half of four steps"
        asked = {row["prompt_id"][:4] for row in read_rows(new.root / arm / "rollouts.jsonl")}
        assert asked == {"fire"}, "replay 0.5: two of two prompts"
    draws = {row["prompt_id"]: row["draws"] for row in rl_rows(new)}
    assert sum(draws.values()) == 2 * new.recipe.rl.prompts_per_step, "an export tells the draws of this run's own plan"
