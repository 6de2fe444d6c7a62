"""What the machine offers: where models run, what it multiplies, how much it can cache."""

import os
from typing import Any

import torch

MOST = 131_072
"""Cached positions beyond which a batch gains no more speed."""


def device() -> torch.device:
    """The GPU if there is one, otherwise the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def multiplies_bf16() -> bool:
    """Whether `device()` has units for bf16 (CUDA, AMX, AVX512-BF16); elsewhere it is emulated, slower than fp32."""
    if device().type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    capabilities = torch.cpu.get_capabilities()
    return bool(capabilities.get("amx_bf16") or capabilities.get("avx512_bf16"))


def cache_positions(config: Any, parameters: int, itemsize: int) -> int:
    """Positions of keys and values that take a quarter of the memory beside the weights: 1 to `MOST`.

    `itemsize`: bytes per number, of weights and cache. It goes by the memory installed, not by what is free now: the
    same machine has to batch alike when a run resumes.
    """
    if device().type == "cuda":
        installed: int = torch.cuda.get_device_properties(0).total_memory
    else:
        installed = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    config = config.get_text_config()
    heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    dim = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    position: int = 2 * config.num_hidden_layers * heads * dim * itemsize
    return max(1, min(MOST, (installed - parameters * itemsize) // 4 // position))
