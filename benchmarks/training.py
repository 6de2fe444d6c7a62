"""What our training stages cost beside stock TRL on the same work: `python -m benchmarks.training RUN`.

RUN is a run that has been through filter and sft. One thread; ratios are what counts: above 1, ours is faster.

- sft: tokens a second of our stage on the run's rows, which are of mixed length, against `SFTTrainer` with best-fit
  packing (padding-free, which TRL recommends) at each pack length of `--packs`, about as many tokens a step as ours.
- rl: seconds a step from the checkpoint of `--start`, against `GRPOTrainer` as it comes: its own generation
  (`model.generate`), the same prompts in the same order, rate, loss and reward function. Both call the run's judge, and
  both have it read only once what was answered twice; the stock trainer's time is shown without the judge, too.
  Rewards and groups of one reward stand beside the times, with 95% intervals over the steps: they should be the same.

Both multiply in bf16 where the processor does. Medians over the steps without the first two, which warm caches and
prove that the sampler has the trainer's weights.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import statistics
import time
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any

import torch
from datasets import Dataset
from transformers import AutoModelForCausalLM, PrinterCallback, TrainerCallback
from trl import GRPOConfig, GRPOTrainer, SFTConfig, SFTTrainer

from deliberant.evals.statistics import Tally, rate
from deliberant.prompts import Prompt
from deliberant.run.run import Run
from deliberant.run.schedule import plan_prompts
from deliberant.stages import rl, sft
from deliberant.training import trainers as training
from deliberant.training.rollouts import Rollouts
from deliberant.training.rows import TrainingRow
from deliberant.util.files import Row, read_rows
from deliberant.util.progress import NullProgress

WARM = 2
"""Steps at the start that do not count."""


class Clock(NullProgress):
    """A progress bar that notes when each step was done."""

    def __init__(self) -> None:
        self.times: list[float] = []

    def advance(self, n: int = 1) -> None:
        self.times.append(time.perf_counter())

    def take(self) -> list[float]:
        """Seconds of each step but the first since the last call."""
        seconds = [after - before for before, after in pairwise(self.times)]
        self.times.clear()
        return seconds


class Steps(TrainerCallback):  # type: ignore[misc]
    """The same for a stock trainer."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock

    def on_step_end(self, *_: Any, **__: Any) -> None:
        self.clock.advance()


def stock_settings(run: Run, folder: Path) -> dict[str, Any]:
    return {**training.common_settings(folder, run.recipe.seed, 10_000), "save_strategy": "no"}


def stage_folder(folder: Path, name: str) -> Any:
    (folder / name).mkdir()
    return SimpleNamespace(dir=folder / name, name=name)


def tokens_per_second(steps: Sequence[float], tokens: Sequence[int]) -> float:
    return sum(tokens[WARM:]) / sum(steps[WARM - 1 :])


def ours_sft(run: Run, folder: Path, rows: list[TrainingRow], clock: Clock) -> float:
    stage = stage_folder(folder, "sft")
    sft.fit(run, stage, run.trainable(), rows)
    return tokens_per_second(clock.take()[1:], [row["tokens"] for row in read_rows(stage.dir / "metrics.jsonl")])


def stock_sft(run: Run, folder: Path, rows: list[TrainingRow], clock: Clock, pack: int, a_step: int) -> float:
    """`a_step`: tokens of a step of ours, which the packs of a step come to as well."""
    model, tokenizer = training.trainable(run.trainable(), run.recipe.sft.train_embeddings, None, run.recipe.seed)
    trainer = SFTTrainer(
        model=model,
        processing_class=tokenizer,
        train_dataset=Dataset.from_list([{"input_ids": row.input_ids, "labels": row.labels} for row in rows]),
        args=SFTConfig(
            **stock_settings(run, folder),
            gradient_checkpointing=False,
            packing=True,
            max_length=pack,
            per_device_train_batch_size=1,
            gradient_accumulation_steps=max(1, round(a_step / pack)),
            num_train_epochs=1,
            learning_rate=run.recipe.sft.learning_rate,
        ),
        callbacks=[Steps(clock)],
    )
    trainer.remove_callback(PrinterCallback)
    packed = [sum(each) for each in trainer.train_dataset["seq_lengths"]]
    trainer.train()
    steps = clock.take()
    return statistics.fmean(packed) * trainer.args.gradient_accumulation_steps / statistics.fmean(steps[WARM - 1 :])


def ours_rl(run: Run, folder: Path, start: str, plan: list[Prompt], clock: Clock) -> tuple[list[float], list[Row]]:
    stage = stage_folder(folder, "sft+rl")
    rl.fit(run, stage, run.trainable(start), run.judge("reward"), list(plan))
    return clock.take()[WARM:], read_rows(stage.dir / "metrics.jsonl")


def stock_rl(
    run: Run, folder: Path, start: str, plan: list[Prompt], clock: Clock
) -> tuple[list[float], list[Row], list[float]]:
    """Seconds of each step, its account, and seconds of the judge in it."""
    recipe, begun = run.recipe.rl, run.trainable(start)
    model = AutoModelForCausalLM.from_pretrained(begun.source, dtype=torch.float32)
    for matrix in (model.get_input_embeddings(), model.get_output_embeddings()):
        matrix.weight.requires_grad_(recipe.train_embeddings)
    sampler = run.trainable(start)
    rollouts = Rollouts(sampler, recipe.sampling, run.judge("reward"), run.policy, plan, recipe.judge_k, 0)
    judged: list[float] = []
    accounts: list[Row] = []

    def reward(completion_ids: list[list[int]], place: list[int], trainer_state: Any, **_: Any) -> list[float | None]:
        began = time.perf_counter()
        rollouts.completions = [sampler.read((), *sampler.cut(list(ids))) for ids in completion_ids]
        earned = rollouts.reward(place, trainer_state)
        judged.append(time.perf_counter() - began)
        accounts.append(rollouts.account)
        return earned

    trainer = GRPOTrainer(
        model=model,
        processing_class=begun.tokenizer,
        reward_funcs=[reward],
        train_dataset=Dataset.from_list(
            [{"prompt": [dict(turn) for turn in prompt.messages], "place": i} for i, prompt in enumerate(plan)]
        ),
        args=GRPOConfig(
            **stock_settings(run, folder),
            max_steps=recipe.steps,
            shuffle_dataset=False,
            num_generations=recipe.group_size,
            gradient_checkpointing=False,
            per_device_train_batch_size=recipe.batch_size,
            gradient_accumulation_steps=recipe.prompts_per_step * recipe.group_size // recipe.batch_size,
            learning_rate=recipe.learning_rate,
            lr_scheduler_type="constant",
            temperature=recipe.temperature,
            top_k=0,
            max_completion_length=recipe.max_new_tokens,
            beta=0.0,
            loss_type="dapo",
            scale_rewards="batch",
            disable_dropout=True,
        ),
        callbacks=[Steps(clock)],
    )
    trainer.remove_callback(PrinterCallback)
    trainer.train()
    return clock.take()[WARM - 1 :], accounts, judged[WARM:]


def told(accounts: Sequence[Row], groups: int) -> str:
    """Rewards and groups of one reward, in percent with a 95% interval over the steps."""
    said = []
    for name, share in (("reward", "reward"), ("uniform", "groups of one reward")):
        parts = [each[name] / (groups if name == "uniform" else 1) for each in accounts]
        found = rate([Tally(part, 1) for part in parts], [f"{step}" for step in range(len(parts))])
        assert found.value is not None and found.low is not None and found.high is not None
        said.append(f"{share} {100 * found.value:.1f} [{100 * found.low:.1f}, {100 * found.high:.1f}]")
    return ", ".join(said)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--steps", type=int, default=12, help="of RL")
    parser.add_argument("--start", default="sft", help="arm that RL starts from; sft+rl for groups of late training")
    parser.add_argument("--packs", type=int, nargs="+", default=[512, 1024, 2048])
    parser.add_argument("--rows", type=int, default=960, help="that sft trains on, once")
    given = parser.parse_args()
    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    clock = Clock()
    run = Run.reopen(given.run, clock)
    update: dict[str, Any] = {"steps": given.steps, "held_out": 0, "save_steps": 10_000}
    rl_recipe = run.recipe.rl.model_copy(update=update)
    sft_recipe = run.recipe.sft.model_copy(update={"epochs": 1, "blend": 1.0, "save_steps": 10_000})
    run.recipe = run.recipe.model_copy(update={"rl": rl_recipe, "sft": sft_recipe})
    rows = sft.collect_rows(run, "sft").rows[: given.rows]
    lengths = sorted(row.tokens for row in rows)
    print(f"sft: {len(rows)} rows of {lengths[0]} to {lengths[-1]} tokens, median {lengths[len(lengths) // 2]}")
    with TemporaryDirectory() as name, training.quiet():
        folder = Path(name)
        mine = ours_sft(run, folder, rows, clock)
        a_step = sum(lengths) * sft_recipe.batch_size // len(rows)
        print(f"  ours {mine:.0f} tokens/s, {a_step} a step")
        best = 0.0
        for pack in given.packs:
            theirs = stock_sft(run, folder, rows, clock, pack, a_step)
            best = max(best, theirs)
            print(f"  stock, packs of {pack}: {theirs:.0f} tokens/s")
        print(f"  ours/stock at its best: {mine / best:.2f}", flush=True)
        plan = plan_prompts(run)
        steps, mine_told = ours_rl(run, folder, given.start, plan, clock)
        theirs_steps, theirs_told, judge = stock_rl(run, folder, given.start, plan, clock)
        ours, stock, judging = (statistics.median(each) for each in (steps, theirs_steps, judge))
        groups = rl_recipe.prompts_per_step
        print(f"rl: {given.steps} steps of {groups} x {rl_recipe.group_size} from {given.start}")
        print(f"  ours {ours:.2f} s a step, judge included; {told(mine_told, groups)}")
        print(f"  stock {stock:.2f} s, {judging:.2f} of them judge; {told(theirs_told, groups)}")
        print(f"  stock/ours {stock / ours:.2f}; without the judge of stock's {(stock - judging) / ours:.2f}")


if __name__ == "__main__":
    main()
