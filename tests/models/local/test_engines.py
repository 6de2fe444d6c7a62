"""Both engines against transformers' own forward: logits agree at every step, however rows are batched."""

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor

from deliberant.models.local import decoder, generic
from deliberant.models.local.batches import Tokens, plan
from deliberant.models.local.decoder import Decoder, supports
from deliberant.models.local.generic import Generic

LLAMA3_ROPE = {
    "rope_type": "llama3",
    "rope_theta": 10000.0,
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}
FAST: dict[str, tuple[str, dict[str, Any]]] = {
    "llama": ("llama", {}),
    "llama 3": ("llama", {"rope_parameters": LLAMA3_ROPE, "tie_word_embeddings": False}),
    "qwen2": ("qwen2", {}),
    "qwen2 untied": ("qwen2", {"tie_word_embeddings": False}),
    "qwen3": ("qwen3", {}),
}
GENERAL: dict[str, tuple[str, dict[str, Any]]] = {
    "gpt2": ("gpt2", {"n_positions": 512, "n_embd": 32, "n_layer": 2, "n_head": 4}),
    "llama with biases": ("llama", {"attention_bias": True}),
    "gemma 2": ("gemma2", {"sliding_window": 16}),
    "gemma 3": ("gemma3_text", {"sliding_window": 16}),
    "mistral": ("mistral", {"sliding_window": 16}),
}
SHARED = {"gpt2", "llama with biases", *FAST}


def build(architecture: str, changes: dict[str, Any]) -> Any:
    """Two layers, 97 tokens, grouped queries; no weight, norm or bias has a value that would hide its absence."""
    from transformers import AutoConfig, AutoModelForCausalLM

    shape = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4}
    shape |= {"num_key_value_heads": 2, "head_dim": 8, "max_position_embeddings": 512}
    ids = {"vocab_size": 97, "bos_token_id": None, "eos_token_id": None, "pad_token_id": 0}
    config = AutoConfig.for_model(architecture, **(changes if architecture == "gpt2" else shape | changes), **ids)
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(0)
        model = AutoModelForCausalLM.from_config(config).eval()
        for weight in model.parameters():
            weight.add_(torch.randn_like(weight) * 0.25)
    return model


@pytest.fixture
def poisoned() -> Iterator[None]:
    """Uninitialised memory reads as NaN, so that a result that depends on it cannot pass by luck."""
    torch.use_deterministic_algorithms(True)
    yield
    torch.use_deterministic_algorithms(False)


def workload() -> list[Tokens]:
    """Two families under one stem, one prompt twice, and a stranger; lengths from 1 to 110."""
    draw = torch.Generator().manual_seed(1)

    def words(length: int) -> Tokens:
        return tuple(torch.randint(97, (length,), generator=draw).tolist())

    stem, one, two = words(60), words(40), words(40)
    rows = [stem + view + words(length) for view in (one, two) for length in (1, 3, 10, 2, 9, 10)]
    return [*rows, rows[3], words(1), words(30)]


def expected(model: Any, row: Tokens) -> Tensor:
    with torch.inference_mode():
        logits: Tensor = model(torch.tensor([row])).logits[0, -1].float()
    return logits


def compare(model: Any, engine: Decoder | Generic, batch_tokens: int, sharing: bool) -> int:
    """The engine's logits beside the model's for given continuations, with rows leaving; the number of batches."""
    prompts = workload()
    if not sharing:
        prompts = [(number, *prompt[1:]) for number, prompt in enumerate(prompts)]
    batches = plan(prompts, 6, batch_tokens, 8 if batch_tokens < 10_000 else 256, engine.copied)
    for groups in batches:
        rows = [prompts[row] for group in groups for row in group.rows]
        with torch.inference_mode():
            batch = engine.open(groups, 6)
            for step in range(6):
                wanted = torch.stack([expected(model, row) for row in rows])
                torch.testing.assert_close(batch.logits, wanted, rtol=1e-3, atol=1e-3)
                if step == 2 and len(rows) > 2:
                    kept = [row for row in range(len(rows)) if row % 3]
                    batch.keep(torch.tensor(kept))
                    rows = [rows[row] for row in kept]
                tokens = [(7 * step + 5 * number) % 97 for number in range(len(rows))]
                rows = [(*row, token) for row, token in zip(rows, tokens, strict=True)]
                batch.advance(torch.tensor(tokens))
    return len(batches)


@pytest.mark.usefixtures("poisoned")
@pytest.mark.parametrize("batch_tokens", [600, 100_000])
@pytest.mark.parametrize("sharing", [True, False])
@pytest.mark.parametrize("prefill", [16, 1024])
@pytest.mark.parametrize("name", [*FAST, *GENERAL])
def test_logits_equal_transformers(
    name: str, batch_tokens: int, sharing: bool, prefill: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decoder, "PREFILL_TOKENS", prefill)
    monkeypatch.setattr(generic, "PREFILL_TOKENS", prefill)
    model = build(*(FAST | GENERAL)[name])
    assert supports(model.config) == (name in FAST)
    engine = Decoder(model) if name in FAST else Generic(model)
    assert (compare(model, engine, batch_tokens, sharing) > 1) == (batch_tokens == 600)


@pytest.mark.parametrize("name", [*FAST, *GENERAL])
def test_the_general_path_shares_prefixes_where_every_layer_sees_everything(name: str) -> None:
    model = build(*(FAST | GENERAL)[name])
    engine = Generic(model)
    assert engine.shares == (name in SHARED)
    seen = 0
    forward = engine.model.forward

    def counted(**inputs: Any) -> Any:
        nonlocal seen
        seen += inputs["input_ids"].numel()
        return forward(**inputs)

    engine.model.forward = counted
    prompts = [(*range(90), number, 1) for number in range(10)]
    [groups] = plan(prompts, 6, 100_000, 256, engine.copied)
    with torch.inference_mode():
        engine.open(groups, 6)
    assert seen == (90 + 10 * 2 if engine.shares else 10 * 92)


def test_bf16_products_are_close_to_fp32() -> None:
    model = build("llama", {})
    [groups] = plan(workload(), 6, 100_000, 256)
    with torch.inference_mode():
        exact, rough = (Decoder(model, dtype).open(groups, 6).logits for dtype in (torch.float32, torch.bfloat16))
    assert 0 < (exact - rough).std() < 0.1 * exact.std()


def test_a_quantised_model_is_left_to_transformers() -> None:
    config = build("llama", {}).config
    assert supports(config)
    config.quantization_config = {"quant_method": "bitsandbytes"}
    assert not supports(config)
