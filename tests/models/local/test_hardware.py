import pytest
import torch
from transformers import GPT2Config, LlamaConfig

from deliberant.models.local import hardware
from deliberant.models.local.hardware import MOST, cache_positions

LLAMA = LlamaConfig(hidden_size=896, num_hidden_layers=24, num_attention_heads=14, num_key_value_heads=2)
POSITION = 2 * 24 * 2 * 64 * 4


def of_memory(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    monkeypatch.setattr(hardware, "machine_memory", lambda: (0, size))


def test_the_cache_gets_a_quarter_of_what_weights_leave(monkeypatch: pytest.MonkeyPatch) -> None:
    of_memory(monkeypatch, 8 << 30)
    assert cache_positions(LLAMA, 500_000_000, 4) == ((8 << 30) - 2_000_000_000) // 4 // POSITION < MOST
    assert cache_positions(GPT2Config(), 500_000_000, 4) == ((8 << 30) - 2_000_000_000) // 4 // (2 * 12 * 768 * 4)


def test_one_position_at_least_and_no_more_than_helps(monkeypatch: pytest.MonkeyPatch) -> None:
    of_memory(monkeypatch, 1 << 30)
    assert cache_positions(LLAMA, 500_000_000, 4) == 1
    of_memory(monkeypatch, 1 << 40)
    assert cache_positions(LLAMA, 500_000_000, 4) == MOST


@pytest.mark.parametrize(
    ("kernels", "units", "does"),
    [
        ("AVX512", {"avx512_f": True}, False),
        ("AVX512", {"avx512_bf16": True}, True),
        ("AVX512", {"amx_bf16": True, "avx512_bf16": False}, True),
        ("DEFAULT", {"amx_bf16": True}, False),
    ],
)
def test_bf16_is_for_processors_that_have_it(
    monkeypatch: pytest.MonkeyPatch, kernels: str, units: dict[str, bool], does: bool
) -> None:
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: kernels)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: units)
    assert hardware.cpu_multiplies_bf16() is does
