"""What the training stages cost beside the plainest code that does the same: `python -m benchmarks.training`.

A random Llama of about 3M parameters, one thread. Step times are medians without the first step, which warms
caches. Ratios are what counts: above 1, ours is faster. Expect about 1 for sft and 1.5 to 2 for grpo.

- sft: our stage against a plain torch loop over the same batches, same autocast.
- grpo: our stage (rollouts from LocalSampler) against the same stage with TRL's own generation (model.generate).
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import statistics
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from transformers import LlamaConfig, LlamaForCausalLM
from trl import GRPOTrainer
from trl.trainer.sft_trainer import DataCollatorForLanguageModeling

from deliberant.judge import Judge
from deliberant.models.local.sampler import LocalSampler
from deliberant.models.types import Completion, Usage
from deliberant.policy import Policy
from deliberant.prompts.types import Message, Prompt
from deliberant.run.recipe import Recipe, Rl, Sft
from deliberant.run.run import NullProgress
from deliberant.stages import rl, sft
from deliberant.templates.loader import Templates
from deliberant.training import trainers as training
from deliberant.training.rows import RowBuilder, TrainingRow
from tests.tiny import make_tiny_tokenizer

EMPTY = Policy("none", "0", "", (), ())
STEPS = 8
RECIPE = Recipe(
    name="benchmark",
    policy="micro",
    base="micro",
    judge="micro",
    prompts="micro",
    sft=Sft(epochs=1, batch_size=16, save_steps=1000, learning_rate=1e-3),
    rl=Rl(
        steps=4, prompts_per_step=4, group_size=8, batch_size=32, max_new_tokens=96, helpful_share=0.0, save_steps=1000
    ),
)


class Generated(training.SampledGRPOTrainer):
    """The same trainer with the hook taken out again: completions come from model.generate."""

    def _generate_single_turn(self, *arguments: Any) -> Any:
        ids, logprobs = GRPOTrainer._generate_single_turn(self, *arguments)
        rollouts: Any = getattr(self.draw, "__self__")  # noqa: B009
        rollouts.completions = [Completion("", "", "", False, "length", Usage(0, len(row)), tuple(row)) for row in ids]
        return ids, logprobs


def make_sampler() -> LocalSampler:
    tokenizer = make_tiny_tokenizer()
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=192,
        intermediate_size=512,
        num_hidden_layers=6,
        num_attention_heads=6,
        num_key_value_heads=6,
        max_position_embeddings=1024,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=None,
        tie_word_embeddings=True,
    )
    torch.manual_seed(0)
    return LocalSampler(LlamaForCausalLM(config), tokenizer, identity="benchmark")


class Clock(NullProgress):
    """A progress bar that notes when each step was done."""

    def __init__(self) -> None:
        self.times: list[float] = []

    def advance(self, n: int = 1) -> None:
        self.times.append(time.perf_counter())

    def take(self) -> float:
        """Median seconds of the steps since the last call, the first of them left out."""
        seconds = [after - before for before, after in pairwise(self.times[1:])]
        self.times.clear()
        return statistics.median(seconds)


def make_run(sampler: LocalSampler, clock: Clock) -> Any:
    return SimpleNamespace(
        recipe=RECIPE,
        style_reader=None,
        policy=EMPTY,
        templates=Templates.load("default"),
        progress=clock,
        sampler=lambda role: sampler,
        judge=lambda role: Judge(sampler, Templates.load("default"), RECIPE.judge.filter.sampling),
        lineage=None,
        sft_prompts=list,
        rl_prompts=list,
        helpful_prompts=list,
    )


def prompt(number: int) -> Prompt:
    return Prompt(
        f"{number}", (Message(role="user", content=f"question {number}: " + "w" * 40),), ("none",), f"{number}"
    )


def plain_sft_seconds(sampler: LocalSampler, rows: list[TrainingRow]) -> float:
    model, tokenizer = training.trainable(sampler, embeddings=True, lora=None, seed=0)
    collate = DataCollatorForLanguageModeling(pad_token_id=tokenizer.pad_token_id)
    bf16 = training.common_settings(Path(), 0, 1)["bf16"]
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    size = RECIPE.sft.batch_size
    order = training.batch_order([row.tokens for row in rows], size, RECIPE.seed)
    seconds = []
    for start in range(0, len(order), size):
        begin = time.perf_counter()
        batch = collate(
            [{"input_ids": rows[i].input_ids, "labels": rows[i].labels} for i in order[start : start + size]]
        )
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            loss = model(**batch).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        seconds.append(time.perf_counter() - begin)
    return statistics.median(seconds[1:])


def main() -> None:
    torch.set_num_threads(1)
    sampler = make_sampler()
    clock = Clock()
    run = make_run(sampler, clock)
    print(
        f"{sampler.model.num_parameters() / 1e6:.1f}M parameters, {RECIPE.sft.batch_size} rows per sft step, "
        f"{RECIPE.rl.prompts_per_step * RECIPE.rl.group_size} completions of up to {RECIPE.rl.max_new_tokens} tokens "
        "per grpo step"
    )
    builder = RowBuilder(EMPTY, sampler)
    samples = [
        {"id": f"{n}", "complete": True, "reasoning": "r" * (100 + 17 * n % 90), "answer": "a" * 60}
        for n in range(STEPS * RECIPE.sft.batch_size)
    ]
    rows = [builder.row(prompt(n), "policy", sample) for n, sample in enumerate(samples)]
    plan = [prompt(number) for number in range(RECIPE.rl.steps * RECIPE.rl.prompts_per_step)]
    with tempfile.TemporaryDirectory() as scratch:
        folder = {name: Path(scratch, name) for name in ("sft", "ours", "generate")}
        for path in folder.values():
            path.mkdir()
        stage: Any = {
            name: SimpleNamespace(dir=path, name="sft" if name == "sft" else "rl") for name, path in folder.items()
        }
        sft.fit(run, stage["sft"], sampler, rows)
        ours, plain = clock.take(), plain_sft_seconds(sampler, rows)
        print(f"sft   plain {plain:.2f} s  ours {ours:.2f} s  plain/ours {plain / ours:.2f}")
        rl.fit(run, stage["ours"], sampler, run.judge("reward"), plan)
        ours = clock.take()
        training.SampledGRPOTrainer = Generated  # type: ignore[misc]
        rl.fit(run, stage["generate"], sampler, run.judge("reward"), plan)
        stock = clock.take()
        print(f"grpo  generate {stock:.2f} s  ours {ours:.2f} s  generate/ours {stock / ours:.2f}")


if __name__ == "__main__":
    main()
