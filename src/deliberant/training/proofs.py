"""What has to hold for hours of training not to be wasted: looked at when it starts, one line where it does not.

Imported inside the stages only, as `trainers` is.
"""

import math
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any

import torch
from transformers import TrainerCallback

from deliberant.training.rows import IGNORED
from deliberant.util.errors import RunError, UserError
from deliberant.util.processes import count, gather

TOLERANCE = 0.1
"""Mean difference in nats, of a token's log-probability, up to which sampler and trainer hold the same policy.

Units for bf16 differ by some hundredths; other weights, another template or temperature by whole ones.
"""
ROWS, TOKENS = 4, 64
"""Of a step's completions so many are compared, and their first tokens."""
WRAPPERS = {"ACCELERATE_USE_DEEPSPEED": "DeepSpeedEngine", "ACCELERATE_USE_FSDP": "FSDPModule"}
"""What accelerate's launcher says in the environment -> the class around the model."""


def check_labels(rows: Sequence[Mapping[str, Sequence[int]]]) -> None:
    """RunError naming the first training sequence without a token to learn from."""
    for number, row in enumerate(rows, start=1):
        if all(label == IGNORED for label in row["labels"][1:]):  # each token is predicted from the one before
            raise RunError(f"training sequence {number} of {len(rows)} has no token that carries loss; see rows.jsonl")


def check_finite(step: int, logs: Mapping[str, Any]) -> None:
    """RunError where a step's loss or gradient is not a number."""
    for name in ("loss", "grad_norm"):
        if not math.isfinite(logs.get(name, 0)):
            raise RunError(f"step {step}: {name} is {logs[name]}; lower the learning rate, or look at that step's rows")


def check_connected(trainer: Any) -> None:
    """RunError unless the launched processes train together, from the same weights, and share each step's rows.

    UserError for DeepSpeed ZeRO 3.
    """
    if os.environ.get("ACCELERATE_DEEPSPEED_ZERO_STAGE") == "3":
        raise UserError("DeepSpeed ZeRO 3 is not supported; recipes/accelerate/fsdp2.yaml shards as much")
    training = trainer.accelerator.num_processes
    if training != count():
        raise RunError(
            f"{count()} processes were launched and {training} would train, each alone; see docs/distributed.md"
        )
    if count() == 1:
        return
    weights = gather(sum(float(each.detach().double().sum()) for each in trainer.model.parameters()))
    if len(set(weights)) > 1:
        raise RunError("the processes start from different weights; set fsdp_cpu_ram_efficient_loading to false")
    sharing(trainer)


def sharing(trainer: Any) -> None:
    """RunError unless the processes' rows of the first step are, all together, those of one process."""
    batches = islice(iter(trainer.get_train_dataloader().batch_sampler), trainer.args.gradient_accumulation_steps)
    seen = [index for part in gather([index for batch in batches for index in batch]) for index in part]
    wanted = list(islice(iter(trainer._get_train_sampler(trainer.train_dataset)), len(seen)))
    if sorted(seen) != sorted(wanted):
        twice = len(seen) - len(set(seen))
        raise RunError(
            f"the processes do not share a step's rows ({twice} of {len(seen)} come twice); see docs/distributed.md"
        )


class Wrapped(TrainerCallback):  # type: ignore[misc]
    """RunError at the first step, unless the model is in the wrapper that the launch asked for."""

    def __init__(self, trainer: Any) -> None:
        self.trainer = trainer

    def on_train_begin(self, *_: Any, **__: Any) -> None:
        wrappers = [name for flag, name in WRAPPERS.items() if os.environ.get(flag, "").lower() == "true"]
        wanted = next(iter(wrappers), "DistributedDataParallel" if count() > 1 else None)
        made = type(self.trainer.model_wrapped)
        if wanted and wanted not in [base.__name__ for base in made.__mro__]:
            raise UserError(
                f"the launch asks for {wanted} and accelerate made {made.__name__}; without a GPU there is plain data "
                "parallel alone, see docs/distributed.md"
            )


def same_policy(trainer: Any, sampler: Any, scored: Mapping[str, Any]) -> None:
    """RunError unless the sampler gives the tokens that were drawn the trainer's log-probabilities.

    `scored`: TRL's batch, (rows, tokens) each. Run in all processes together.
    """
    ids, mask = scored["completion_ids"][:ROWS, :TOKENS], scored["completion_mask"][:ROWS, :TOKENS]
    prompts, shown = scored["prompt_ids"][:ROWS], scored["prompt_mask"][:ROWS]
    with torch.no_grad():
        log_probs, _, _ = trainer._get_per_token_logps_and_entropies(
            trainer.model, torch.cat([prompts, ids], 1), torch.cat([shown, mask], 1), ids.size(1)
        )
    differences: list[float] = []
    for row in range(len(ids)):
        kept = mask[row].bool()
        drawn = sampler.log_probs(
            prompts[row][shown[row].bool()].tolist(), ids[row][kept].tolist(), trainer.temperature
        )
        differences += (log_probs[row][kept].float().cpu() - drawn.cpu()).abs().tolist()
    mean = max(gather(sum(differences) / len(differences)))
    if not mean <= TOLERANCE:
        raise RunError(
            f"sampler and trainer do not hold the same policy: a token's log-probability differs by {mean:.2f} nats "
            f"(up to {TOLERANCE} is rounding); this is a fault of ours or of the model's code, please report it"
        )


@contextmanager
def fitting(remedy: str) -> Iterator[None]:
    """Turn running out of memory into one line with the setting to change."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not isinstance(error, torch.OutOfMemoryError | MemoryError) and "allocate memory" not in str(error):
            raise
        raise RunError(
            f"out of memory; {remedy}: the same recipe with one of them set goes on with this run"
        ) from error
