"""A checkpoint read for the fast path without transformers' model code, whose import takes longer than all the rest.

Only where the files leave nothing to interpret: a Llama or Qwen3 that spells out every number the decoder needs, plain
rotary positions, one safetensors file with just the expected tensors, a tokenizer that is nothing but tokenizer.json.
Every other checkpoint is transformers' business. The decoder gets the same numbers either way, so it draws the same
tokens; a test compares.
"""

from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch

from deliberant.models.checkpoint import json_object
from deliberant.models.local.decoder import Source, supported
from deliberant.models.local.plain import CLASSES

REQUIRED = (
    *("model_type", "hidden_act", "hidden_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads"),
    *("head_dim", "rms_norm_eps", "rope_parameters", "tie_word_embeddings", "max_position_embeddings", "eos_token_id"),
)
LAYER = (
    *("input_layernorm", "post_attention_layernorm", "mlp.gate_proj", "mlp.up_proj", "mlp.down_proj"),
    *(f"self_attn.{name}_proj" for name in "qkvo"),
)


class Stored:
    """A checkpoint folder; what `LocalSampler` asks of a model, and `live`, the model itself."""

    device = torch.device("cpu")

    def __init__(self, folder: Path, config: Any, ends: Any) -> None:
        self.folder, self.config = folder, config
        self.generation_config = SimpleNamespace(eos_token_id=ends)

    def source(self) -> Source:
        """The weights, read anew, and the rotary frequencies, by transformers' own formula."""
        from safetensors.torch import load_file

        weights = load_file(self.folder / "model.safetensors")
        if self.config.tie_word_embeddings:
            weights["lm_head.weight"] = weights["model.embed_tokens.weight"]
        dim, base = self.config.head_dim, self.config.rope_parameters["rope_theta"]
        frequencies = 1.0 / (base ** (torch.arange(0, dim, 2, dtype=torch.int64).float() / dim))
        return Source(self.config, weights, frequencies, 1.0)


def stored(folder: Path) -> Stored | None:
    """The checkpoint, where the fast path can read it; None where transformers has to."""
    files = {path.name for path in folder.iterdir()}
    if not {"config.json", "model.safetensors"} <= files or "adapter_config.json" in files:
        return None
    config, generation = json_object(folder / "config.json"), json_object(folder / "generation_config.json")
    rope = config.get("rope_parameters")
    if (
        any(config.get(name) is None for name in REQUIRED)
        or "quantization_config" in config
        or not (isinstance(rope, dict) and rope.keys() == {"rope_type", "rope_theta"})
        or rope["rope_type"] != "default"
    ):
        return None
    shape = SimpleNamespace(**config)
    sizes = _sizes(folder / "model.safetensors")
    if sizes.keys() != _names(shape) or not supported(shape, sum(sizes.values())):
        return None
    ends = generation.get("eos_token_id") if "generation_config.json" in files else config["eos_token_id"]
    return Stored(folder, shape, ends)


def load_tokenizer(folder: Path) -> Any:
    """The tokenizer of a checkpoint. The automatic class, which imports every model's, only where it is needed."""
    if json_object(folder / "tokenizer_config.json").get("tokenizer_class") in CLASSES:
        from transformers import PreTrainedTokenizerFast

        return PreTrainedTokenizerFast.from_pretrained(folder)
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(folder)


def _names(config: Any) -> set[str]:
    """The tensors that a plain checkpoint of this shape has, and no others."""
    layer = [*LAYER, *(["self_attn.q_norm", "self_attn.k_norm"] if config.model_type == "qwen3" else [])]
    names = [f"model.layers.{number}.{name}" for number in range(config.num_hidden_layers) for name in layer]
    names += ["model.embed_tokens", "model.norm", *([] if config.tie_word_embeddings else ["lm_head"])]
    return {f"{name}.weight" for name in names}


def _sizes(path: Path) -> Mapping[str, int]:
    """Tensor name -> number of elements; {} where the file is damaged, which transformers words better."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "pt") as file:
            return {name: torch.Size(file.get_slice(name).get_shape()).numel() for name in file.keys()}  # noqa: SIM118
    except SafetensorError:
        return {}
