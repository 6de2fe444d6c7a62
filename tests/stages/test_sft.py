import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from deliberant.models.formats import split
from deliberant.stages.sft import sft
from deliberant.training.trainers import cut_back, last_checkpoint
from deliberant.util.errors import RunError, UserError
from deliberant.util.files import file_hash, read_rows, write_rows
from tests.stages.scripted import HEARTH, PRUNING, SONG
from tests.stages.trainable import Fuse, Killed, TrainableRun, make_run

pytestmark = pytest.mark.numbers

TEXTS = [f"<think>[F{number % 3}] says {'x' * (number + 1)}</think>answer {number}" for number in range(10)]
HELPFUL = [f"<think>sing</think>la {number}" for number in range(4)]
SETTINGS = {
    "epochs": 2,
    "batch_size": 4,
    "learning_rate": 1e-2,
    "save_steps": 3,
    "helpful_ratio": 0.3,
}  # 13 rows, 7 steps


def trained(folder: Path, model: Path, arm: str = "sft", fuse: Fuse | None = None, **settings: Any) -> TrainableRun:
    run = make_run(folder, model, TEXTS, HELPFUL, fuse=fuse, sft={**SETTINGS, **settings})
    sft(run, arm)
    return run


def metrics(run: TrainableRun, arm: str = "sft") -> list[dict[str, Any]]:
    return read_rows(run.root / arm / "metrics.jsonl")


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> TrainableRun:
    fuse = Fuse()
    run = trained(tmp_path_factory.mktemp("undisturbed"), tiny_model, fuse=fuse)
    assert (fuse.done, fuse.total) == (7, 7)
    return run


def test_loss_falls_and_every_step_is_logged(undisturbed: TrainableRun) -> None:
    rows = metrics(undisturbed)
    assert [row["step"] for row in rows] == [1, 2, 3, 4, 5, 6, 7]
    assert rows[-1]["loss"] < 0.8 * rows[0]["loss"]
    assert rows[-1]["epoch"] == 2.0
    written = read_rows(undisturbed.root / "sft" / "rows.jsonl")
    assert sum(row["tokens"] for row in rows) == 2 * sum(row["tokens"] for row in written), "each row once per epoch"


def test_the_checkpoint_loads_with_transformers_and_is_not_the_base(
    undisturbed: TrainableRun, tiny_model: Path
) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    checkpoint = undisturbed.root / "sft" / "checkpoint"
    model = AutoModelForCausalLM.from_pretrained(checkpoint)
    base = AutoModelForCausalLM.from_pretrained(tiny_model)
    assert model.config.use_cache and model.dtype == torch.float32
    assert not torch.equal(model.lm_head.weight, base.lm_head.weight)
    tokenizer = AutoTokenizer.from_pretrained(checkpoint)
    assert tokenizer.chat_template == AutoTokenizer.from_pretrained(tiny_model).chat_template
    assert undisturbed.sampler("sft").encode(HEARTH.messages) == undisturbed.sampler("base").encode(HEARTH.messages)


def test_training_leaves_the_base_sampler_alone(undisturbed: TrainableRun, tiny_model: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    base = AutoModelForCausalLM.from_pretrained(tiny_model).state_dict()
    assert all(torch.equal(base[name], value) for name, value in undisturbed.sampler("base").model.state_dict().items())


def test_the_manifest_names_rows_counts_and_weights_and_no_scrap_is_left(undisturbed: TrainableRun) -> None:
    manifest = undisturbed.manifest("sft")
    assert manifest["counts"]["rows"] == manifest["outputs"]["rows.jsonl"]["rows"] == 13
    assert manifest["counts"]["policy"] == 10 and manifest["counts"]["helpful"] == 3
    assert "checkpoint/model.safetensors" in manifest["outputs"] and "filter/kept.jsonl" in manifest["inputs"]
    left = {path.name for path in (undisturbed.root / "sft").iterdir()}
    assert left == {"begun.json", "rows.jsonl", "metrics.jsonl", "checkpoint", "manifest.json"}


def test_rows_are_the_kept_texts_and_who_they_came_from(undisturbed: TrainableRun) -> None:
    rows = read_rows(undisturbed.root / "sft" / "rows.jsonl")
    assert {row["text"] for row in rows if row["source"] == "policy"} == set(TEXTS)
    assert {row["prompt_id"] for row in rows} == {HEARTH.id, PRUNING.id, SONG.id}


def test_a_finished_stage_is_not_run_again(undisturbed: TrainableRun) -> None:
    before = (undisturbed.root / "sft" / "manifest.json").stat().st_mtime_ns
    sft(undisturbed)
    assert (undisturbed.root / "sft" / "manifest.json").stat().st_mtime_ns == before


def test_killed_and_run_again_ends_with_the_very_same_weights(
    tmp_path: Path, tiny_model: Path, undisturbed: TrainableRun
) -> None:
    with pytest.raises(Killed):
        trained(tmp_path, tiny_model, fuse=Fuse(5))
    fuse = Fuse()
    run = trained(tmp_path, tiny_model, fuse=fuse)
    weights = "sft/checkpoint/model.safetensors"
    assert file_hash(run.root / weights) == file_hash(undisturbed.root / weights)
    assert metrics(run) == metrics(undisturbed)
    assert fuse.done == 7, "the bar counts what the first process did"


def test_killed_before_the_manifest_trains_nothing_twice(
    tmp_path: Path, tiny_model: Path, undisturbed: TrainableRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut(*_: Any) -> None:
        raise Killed

    run = make_run(tmp_path, tiny_model, TEXTS, HELPFUL, sft=SETTINGS)
    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr("deliberant.run.folder.StageFolder.finish", cut)
        sft(run)
    fuse = Fuse(8)  # would blow at a step beyond the 7 that are already done
    run = trained(tmp_path, tiny_model, fuse=fuse)
    weights = "sft/checkpoint/model.safetensors"
    assert file_hash(run.root / weights) == file_hash(undisturbed.root / weights)
    assert (metrics(run), fuse.done) == (metrics(undisturbed), 7)


def test_it_says_nothing(tmp_path: Path, tiny_model: Path, capfd: pytest.CaptureFixture[str]) -> None:
    run = make_run(tmp_path, tiny_model, TEXTS, HELPFUL, sft=SETTINGS)
    run.sampler("base")  # transformers shows a bar when it loads weights, which is not the stage's to mute
    capfd.readouterr()
    sft(run)
    said = capfd.readouterr()
    assert (said.out, said.err) == ("", "")


def test_no_cot_trains_the_same_rows_without_reasoning(undisturbed: TrainableRun) -> None:
    sft(undisturbed, "no-cot")
    rows, twins = (read_rows(undisturbed.root / arm / "rows.jsonl") for arm in ("sft", "no-cot"))
    assert [row["sample_id"] for row in rows] == [twin["sample_id"] for twin in twins]
    assert [split(twin["text"]).answer for twin in twins] == [split(row["text"]).answer for row in rows]
    assert {split(twin["text"]).reasoning for twin in twins} == {""}
    assert metrics(undisturbed, "no-cot")[-1]["loss"] != metrics(undisturbed)[-1]["loss"]


def test_too_long_rows_are_counted_in_the_manifest(tmp_path: Path, tiny_model: Path) -> None:
    lengths = sorted(
        row["tokens"] for row in read_rows(trained(tmp_path / "a", tiny_model).root / "sft" / "rows.jsonl")
    )
    run = trained(tmp_path / "b", tiny_model, max_tokens=lengths[-3])
    assert run.manifest("sft")["counts"]["policy_too_long"] >= 1
    assert max(row["tokens"] for row in read_rows(run.root / "sft" / "rows.jsonl")) <= lengths[-3]


def test_nothing_to_train_on_stops_the_run(tmp_path: Path, tiny_model: Path) -> None:
    with pytest.raises(RunError, match=r"no row to train on: the \d+ kept are all over sft.max_tokens \(5\)"):
        trained(tmp_path, tiny_model, max_tokens=5)


def test_where_the_filter_kept_nothing_its_reasons_are_told(tmp_path: Path, tiny_model: Path) -> None:
    run = make_run(tmp_path, tiny_model, TEXTS)
    shutil.rmtree(run.root / "filter")
    run._manifests.clear()
    stage, reasons = run.stage("filter", {}), ["unscored", "cites no clause", "unscored"]
    write_rows(stage.dir / "kept.jsonl", [])
    write_rows(stage.dir / "rejected.jsonl", [{"reason": reason} for reason in reasons])
    stage.finish(["kept.jsonl", "rejected.jsonl"], {})
    with pytest.raises(RunError, match=r"rejected all 3 samples, most often for 'unscored' \(2\)"):
        sft(run)


def test_an_earlier_stage_has_to_be_finished(tmp_path: Path, tiny_model: Path) -> None:
    run = make_run(tmp_path, tiny_model, TEXTS)
    (run.root / "filter" / "manifest.json").unlink()
    run._manifests.clear()
    with pytest.raises(UserError, match="deliberant filter"):
        sft(run)


def test_a_torn_checkpoint_is_passed_over(tmp_path: Path) -> None:
    for step, state in [(9, '{"global_step": 9}'), (12, '{"global_st'), (15, None)]:
        folder = tmp_path / f"checkpoint-{step}"
        folder.mkdir()
        if state is not None:
            (folder / "trainer_state.json").write_text(state)
    assert last_checkpoint(tmp_path) == tmp_path / "checkpoint-9"
    assert not (tmp_path / "checkpoint-15").exists()
    assert last_checkpoint(tmp_path / "none") is None


def test_steps_after_the_checkpoint_and_torn_rows_vanish(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text("".join(json.dumps({"step": step}) + "\n" for step in (1, 2, 3)) + '{"st')
    assert cut_back(path, tmp_path / "checkpoint-2") == [{"step": 1}, {"step": 2}] == read_rows(path)
    assert cut_back(path, None) == [] == read_rows(path)


@pytest.mark.parametrize("train", [True, False])
def test_embeddings_are_trained_only_where_the_recipe_says_so(tmp_path: Path, tiny_model: Path, train: bool) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    run = trained(tmp_path, tiny_model, train_embeddings=train)
    before, after = (
        AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
        for folder in (tiny_model, run.root / "sft" / "checkpoint")
    )
    same = torch.equal(before.get_input_embeddings().weight, after.get_input_embeddings().weight)
    assert same != train
    changed = [not torch.equal(a, b) for a, b in zip(before.parameters(), after.parameters(), strict=True)]
    assert any(changed)


def test_packed_rows_are_all_trained_on_in_fewer_sequences(tmp_path: Path, tiny_model: Path) -> None:
    single, packed = (trained(tmp_path / str(n), tiny_model, packing=n, batch_size=n) for n in (1, 4))
    tokens = [sum(row["tokens"] for row in read_rows(run.root / "sft" / "metrics.jsonl")) for run in (single, packed)]
    steps = [len(read_rows(run.root / "sft" / "metrics.jsonl")) for run in (single, packed)]
    assert tokens[0] == tokens[1]
    assert steps[1] < steps[0]


def test_blend_goes_a_share_of_the_way_from_the_base(tmp_path: Path, tiny_model: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    folders = [trained(tmp_path / str(share), tiny_model, blend=share).root / "sft/checkpoint" for share in (1.0, 0.25)]
    base, whole, part = (
        list(AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).parameters())
        for folder in (tiny_model, *folders)
    )
    for start, end, found in zip(base, whole, part, strict=True):
        torch.testing.assert_close(found, start + 0.25 * (end - start))
    assert any(not torch.equal(start, found) for start, found in zip(base, part, strict=True))
