"""What the machine offers: where models run, what it multiplies, how much it can cache."""

from typing import Any

import psutil
import torch

from deliberant.models.checkpoint import position_size

MOST = 131_072
"""Cached positions beyond which a batch gains no more speed."""


def device() -> torch.device:
    """The GPU if there is one, otherwise the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def multiplies_bf16() -> bool:
    """Whether `device()` has units for bf16 (CUDA, AMX, AVX512-BF16); elsewhere it is emulated, slower than fp32."""
    if device().type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return cpu_multiplies_bf16()


def cpu_multiplies_bf16() -> bool:
    """Whether the CPU has such units, and torch was not told (ATEN_CPU_CAPABILITY) to do without them."""
    has = torch.cpu.get_capabilities()
    return torch.backends.cpu.get_cpu_capability() == "AVX512" and any(map(has.get, ("amx_bf16", "avx512_bf16")))


def machine_memory() -> tuple[int, int]:
    """(bytes free, bytes installed) where models go: on the GPU if there is one."""
    if device().type == "cuda":
        free, installed = torch.cuda.mem_get_info()
        return int(free), int(installed)
    memory = psutil.virtual_memory()
    return int(memory.available), int(memory.total)


def cache_positions(config: Any, parameters: int, itemsize: int) -> int:
    """Positions of keys and values that take a quarter of the memory beside the weights: 1 to `MOST`.

    `itemsize`: bytes per number, of weights and cache. It goes by the memory installed, not by what is free now: the
    same machine has to batch alike when a run resumes.
    """
    _, installed = machine_memory()
    position = position_size(config.get_text_config()) * itemsize
    return max(1, min(MOST, (installed - parameters * itemsize) // 4 // position))
