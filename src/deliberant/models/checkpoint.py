"""Where a model is, and the hash that names it; needs no torch."""

from pathlib import Path
from typing import Any

from deliberant.util.errors import UserError
from deliberant.util.files import file_hash, fingerprint

MODEL_FILES = (".safetensors", ".bin", ".json", ".jinja", ".model", ".txt")
"""Suffixes of what shapes a sample: weights, configuration, tokenizer, chat template."""


def model_folder(model: str | Path) -> Path:
    """The folder of a model: a local one, or a Hub snapshot, downloaded where it is not there yet.

    UserError: it is neither, or holds no model.
    """
    folder = Path(model).resolve() if Path(model).is_dir() else _snapshot(str(model))
    if not (folder / "config.json").is_file():
        raise UserError(f"{folder}: holds no model (no config.json); give a folder that transformers can load")
    return folder


def model_hash(folder: Path) -> str:
    """16 hex digits over names and bytes of all `MODEL_FILES` in a model's folder."""
    return fingerprint({path.name: file_hash(path) for path in sorted(folder.iterdir()) if path.suffix in MODEL_FILES})


def position_size(config: Any) -> int:
    """Numbers that the keys and values of one position are, by the configuration of a text model."""
    heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    dim = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    return int(2 * config.num_hidden_layers * heads * dim)


def _snapshot(name: str) -> Path:
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(name, allow_patterns=[f"*{suffix}" for suffix in MODEL_FILES]))
    except (OSError, ValueError) as error:
        reason = str(error).split("\n")[0]
        raise UserError(f"model '{name}': is not a folder here, and the Hub did not give it ({reason})") from error
