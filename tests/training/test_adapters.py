import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from deliberant.models.local.adapters import state_of
from deliberant.models.local.sampler import LocalSampler
from deliberant.run.recipe import Lora
from deliberant.stages.rl import rl
from deliberant.stages.sft import sft
from deliberant.training.adapters import with_adapter
from deliberant.training.trainers import Blend
from deliberant.util.errors import UserError
from tests.stages.trainable import Fuse, Killed, TrainableRun, make_run

pytestmark = pytest.mark.numbers

TEXTS = [f"<think>[F{number % 3}] says</think>answer {number}" for number in range(8)]
SFT = {"epochs": 2, "batch_size": 4, "learning_rate": 1e-2, "save_steps": 2, "helpful_ratio": 0.0}
RL: dict[str, Any] = {
    "steps": 2,
    "prompts_per_step": 2,
    "group_size": 4,
    "batch_size": 4,
    "helpful_share": 0.0,
    "learning_rate": 1e-2,
    "max_new_tokens": 8,
    "save_steps": 1,
}


@pytest.fixture(params=["tiny_model", "tiny_llama"])
def model(request: pytest.FixtureRequest) -> Path:
    found: Path = request.getfixturevalue(request.param)
    return found


def made(folder: Path, model: Path, fuse: Fuse | None = None, **lora: Any) -> TrainableRun:
    return make_run(folder, model, TEXTS, fuse=fuse, sft=SFT, rl=RL, lora={"rank": 4, "alpha": 8, **lora})


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return {name: each.float() for name, each in state_of(LocalSampler.load(folder).model).items()}


def test_a_merged_checkpoint_is_a_whole_model_of_which_only_adapted_matrices_moved(
    tmp_path: Path, tiny_llama: Path
) -> None:
    run = made(tmp_path, tiny_llama, targets=["q_proj", "down_proj"])
    sft(run)
    before, after = weights(tiny_llama), weights(run.root / "sft/checkpoint")
    assert before.keys() == after.keys()
    moved = {name.split(".")[-2] for name in before if not torch.equal(before[name], after[name])}
    assert moved == {"q_proj", "down_proj"}


def test_an_adapter_and_its_merged_twin_are_the_same_model(tmp_path: Path, model: Path) -> None:
    whole, apart = (made(tmp_path / str(merge), model, merge=merge) for merge in (True, False))
    for run in (whole, apart):
        sft(run)
    merged, loaded = (LocalSampler.load(run.root / "sft/checkpoint") for run in (whole, apart))
    assert not (apart.root / "sft/checkpoint/model.safetensors").exists()
    ids = torch.tensor([merged.encode([{"role": "user", "content": "how?"}])])
    torch.testing.assert_close(loaded.model(ids).logits, merged.model(ids).logits, rtol=1e-4, atol=1e-4)
    assert not torch.allclose(merged.model(ids).logits, LocalSampler.load(model).model(ids).logits, atol=1e-3)


def test_rl_goes_on_with_the_adapter_that_sft_left(tmp_path: Path, model: Path) -> None:
    run = made(tmp_path, model, merge=False)
    sft(run)
    rl(run)
    names = {
        arm: json.loads((run.root / arm / "checkpoint/adapter_config.json").read_text()) for arm in ("sft", "sft+rl")
    }
    assert names["sft"] == names["sft+rl"], "one base, one shape, written alike"
    # the judge likes everything alike, so nothing moves: what RL saved is the adapter that it was given
    before, after = (weights(run.root / arm / "checkpoint") for arm in ("sft", "sft+rl"))
    for name, value in before.items():
        torch.testing.assert_close(after[name], value)


def test_training_that_was_killed_resumes_to_the_same_adapter(tmp_path: Path, model: Path) -> None:
    straight = made(tmp_path / "straight", model, merge=False)
    sft(straight)
    with pytest.raises(Killed):
        sft(made(tmp_path / "killed", model, fuse=Fuse(3), merge=False))
    again = made(tmp_path / "killed", model, merge=False)
    sft(again)
    one, other = (weights(run.root / "sft/checkpoint") for run in (straight, again))
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_an_adapter_of_another_base_is_refused(tmp_path: Path, tiny_llama: Path) -> None:
    base = tmp_path / "base"
    shutil.copytree(tiny_llama, base)
    run = made(tmp_path, base, merge=False)
    sft(run)
    config = json.loads((base / "config.json").read_text())
    (base / "config.json").write_text(json.dumps({**config, "rms_norm_eps": 0.5}))
    with pytest.raises(UserError, match=r"checkpoint: is an adapter of another base than .*base is now; restore"):
        LocalSampler.load(run.root / "sft/checkpoint")


def test_a_target_that_no_module_has_is_the_users_mistake(tmp_path: Path, tiny_llama: Path) -> None:
    run = made(tmp_path, tiny_llama, targets=["q_prj"])
    with pytest.raises(UserError, match=r"lora\.targets: no module .* is called q_prj; it has .*q_proj"):
        sft(run)


def test_blending_a_new_adapter_goes_a_share_of_the_way_and_none_of_an_old_one_restores_it(tiny_llama: Path) -> None:
    base = LocalSampler.load(tiny_llama).model
    start = {name: each.clone() for name, each in base.state_dict().items()}
    model = with_adapter(base, Lora(rank=2, alpha=4), seed=0)
    blend = Blend(model, lambda: 0.25)
    shake(model, 1)
    whole = {name: each.clone() for name, each in state_of(model).items()}
    blend.on_train_end(model=model)
    part = state_of(model)
    for name, value in start.items():
        torch.testing.assert_close(part[name], value + 0.25 * (whole[name] - value))
    again = Blend(model, lambda: 0.0)
    kept = {name: each.clone() for name, each in state_of(model).items()}
    shake(model, 2)
    again.on_train_end(model=model)
    assert all(torch.equal(kept[name], each) for name, each in state_of(model).items())


def shake(model: Any, seed: int) -> None:
    """Stands for training: every trained number moves."""
    torch.manual_seed(seed)
    with torch.no_grad():
        for each in model.parameters():
            if each.requires_grad:
                each.add_(torch.randn_like(each))


def test_the_same_seed_makes_the_same_adapter(tiny_llama: Path) -> None:
    one, other, third = (state(with_adapter(LocalSampler.load(tiny_llama).model, Lora(), seed)) for seed in (0, 0, 1))
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert any(not torch.equal(one[name], third[name]) for name in one)


def state(model: Any) -> dict[str, torch.Tensor]:
    return {name: each for name, each in model.state_dict().items() if ".lora_" in name}
