"""What spares GRPO work changes no gradient."""

from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from deliberant.training.trainers import SampledGRPOTrainer, common_settings, live_first, quiet
from tests.stages.scripted import HEARTH, POEM, PRUNING, SONG

pytestmark = pytest.mark.numbers

GROUPS = [HEARTH, POEM, PRUNING, SONG]


class PlainTrainer(SampledGRPOTrainer):
    """Every row in its place, each with its passes through the model."""

    @property
    def _skips(self) -> bool:
        return False


def stepped(
    kind: type[SampledGRPOTrainer], folder: Path, model: Path, earned: list[float | None], **settings: Any
) -> tuple[dict[str, Any], list[int]]:
    """One step of 16 rows, four a pass: each parameter's gradient, and the tokens of each forward pass."""
    from datasets import Dataset
    from transformers import AutoModelForCausalLM, AutoTokenizer, TrainerCallback
    from trl import GRPOConfig

    gradients: dict[str, Any] = {}
    passes: list[int] = []

    class Keep(TrainerCallback):  # type: ignore[misc]
        def on_pre_optimizer_step(self, *_: Any, model: Any, **__: Any) -> None:
            gradients.update({name: each.grad.clone() for name, each in model.named_parameters()})

    def draw(prompt_ids: list[list[int]], step: int) -> list[list[int]]:
        return [[65 + row, *[70] * (row * 5 % 13), trainer.processing_class.eos_token_id] for row in range(16)]

    with quiet():
        trainer = kind(
            draw=draw,
            reward_funcs=[lambda **_: earned],
            model=AutoModelForCausalLM.from_pretrained(model),
            processing_class=AutoTokenizer.from_pretrained(model),
            train_dataset=Dataset.from_list([{"prompt": [dict(turn) for turn in each.messages]} for each in GROUPS]),
            args=GRPOConfig(
                **{**common_settings(folder, 0, 10), "bf16": False},
                max_steps=1,
                shuffle_dataset=False,
                num_generations=4,
                per_device_train_batch_size=4,
                gradient_accumulation_steps=4,
                max_grad_norm=0,
                loss_type="dapo",
                scale_rewards="batch",
                disable_dropout=True,
                **settings,
            ),
            callbacks=[Keep()],
        )
        trainer.model.register_forward_pre_hook(
            lambda _, args, given: passes.append(given["input_ids"].numel()), with_kwargs=True
        )
        trainer.train()
    return gradients, passes


SOME = [1.0, 0.0, 0.5, 0.0, *[1.0] * 4, *[0.0] * 4, 0.0, 1.0, 1.0, None]


@pytest.mark.parametrize(
    ("earned", "passes"),
    [
        (SOME, 2),
        ([*[1.0] * 8, *SOME[:4], *[0.25] * 4], 1),
        ([row % 3 / 2 for row in range(16)], 4),
        ([*[0.5] * 4, *[None] * 4, *[1.0, None, None, None], *[0.0] * 4], 0),
    ],
)
def test_groups_of_one_reward_cost_no_pass_and_the_gradient_is_the_same(
    tmp_path: Path, tiny_llama: Path, earned: list[float | None], passes: int
) -> None:
    wanted, all_passes = stepped(PlainTrainer, tmp_path, tiny_llama, earned)
    found, made = stepped(SampledGRPOTrainer, tmp_path, tiny_llama, earned)
    assert (len(all_passes), len(made)) == (4, passes)
    assert max(made, default=0) <= max(all_passes) and sum(made) < sum(all_passes)
    assert any(each.abs().max() > 1e-4 for each in wanted.values()) == bool(passes)
    assert found.keys() == wanted.keys()
    for name in wanted:
        torch.testing.assert_close(found[name], wanted[name], rtol=1e-4, atol=1e-6)


def test_with_a_kl_term_every_row_is_read(tmp_path: Path, tiny_llama: Path) -> None:
    _, passes = stepped(SampledGRPOTrainer, tmp_path, tiny_llama, [0.0] * 16, beta=0.1)
    assert len(passes) == 4


ROWS = st.tuples(st.sampled_from([0.0, -0.5, 1.0]), st.integers(1, 6), st.integers(1, 6))


@given(st.integers(1, 4).flatmap(lambda size: st.lists(st.lists(ROWS, min_size=size, max_size=size), min_size=1)))
def test_rows_change_their_places_and_lose_nothing(step: list[list[tuple[float, int, int]]]) -> None:
    def padded(lengths: list[int], left: bool) -> tuple[Any, Any]:
        masks = [[0] * (6 - n) + [1] * n if left else [1] * n + [0] * (6 - n) for n in lengths]
        return torch.tensor(masks) * torch.arange(1, 7), torch.tensor(masks)

    batches = []
    for number, rows in enumerate(step):
        prompts, prompt_mask = padded([row[1] for row in rows], True)
        completions, completion_mask = padded([row[2] for row in rows], False)
        batches.append(
            {
                "prompt_ids": prompts,
                "prompt_mask": prompt_mask,
                "completion_ids": completions,
                "completion_mask": completion_mask,
                "advantages": torch.tensor([row[0] for row in rows]),
                "place": torch.arange(len(rows)) + number * len(rows),
                "num_items_in_batch": torch.tensor(99),
            }
        )
    given = [row for rows in step for row in rows]
    made = live_first(batches)
    assert len(made) == len(batches) and all(each["num_items_in_batch"] == 99 for each in made)
    order = [int(place) for each in made for place in each["place"]]
    assert sorted(order) == list(range(len(given)))
    live = [given[place][0] != 0 for place in order]
    assert live == sorted(live, reverse=True)
    for each in made:
        for row, place in enumerate(each["place"]):
            _, prompt, completion = given[int(place)]
            read = each["prompt_ids"][row][each["prompt_mask"][row] == 1]
            assert read.tolist() == list(range(7 - prompt, 7))
            said = each["completion_ids"][row][each["completion_mask"][row] == 1]
            assert said.tolist() == list(range(1, completion + 1))
        assert each["prompt_mask"].any(0).all() and each["completion_mask"].any(0).all(), "no column is only padding"
