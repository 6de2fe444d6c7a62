"""Weights that several processes hold in parts (FSDP2, DeepSpeed ZeRO), made whole to sample from them and to save.

Whatever gathers here has to run in all processes together.
"""

import copy
import os
from typing import Any

import torch
from torch.distributed.tensor import DTensor, distribute_tensor

from deliberant.models.local.hardware import device
from deliberant.models.local.sampler import LocalSampler
from deliberant.training.proofs import WRAPPERS


def sharded() -> bool:
    """Whether this launch asks for weights in parts."""
    return any(os.environ.get(flag, "").lower() == "true" for flag in WRAPPERS)


def whole_state(trainer: Any) -> dict[str, Any] | None:
    """The weights by name, on the CPU of the process that leads; None where every process has them whole."""
    state: dict[str, Any] | None = trainer.accelerator.get_state_dict(trainer.model_wrapped) if sharded() else None
    return state


def place_like(trained: torch.Tensor, whole: torch.Tensor) -> torch.Tensor:
    """`whole` in the place and the number format of `trained`, and in parts where that is."""
    if isinstance(trained, DTensor):
        placed = whole.to(trained.device, trained.dtype)
        return distribute_tensor(placed, trained.device_mesh, trained.placements, src_data_rank=None)
    return whole.to(trained)


class ShardSampler(LocalSampler):
    """Samples from a whole copy of weights that are trained in parts; `refresh` gathers them into it.

    Each process draws its own completions, of lengths that differ, and so cannot gather layer by layer while it does.
    The copy takes memory for the weights once more, in bf16 on a GPU.
    """

    def __init__(self, trained: Any, tokenizer: Any, *, identity: str) -> None:
        self.trained = trained
        whole = copy.deepcopy(trained).requires_grad_(False)
        if torch.cuda.is_available():
            whole = whole.to(device(), torch.bfloat16)
        super().__init__(whole, tokenizer, identity=identity)

    def refresh(self) -> None:
        with torch.no_grad():
            for mine, part in zip(self.model.parameters(), self.trained.parameters(), strict=True):
                mine.copy_(part.full_tensor() if isinstance(part, DTensor) else part)
        super().refresh()
