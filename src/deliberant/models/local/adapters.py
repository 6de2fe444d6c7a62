"""LoRA adapters (Hu et al. 2021, arXiv 2106.09685): loaded with their base, and read as the weights that they make."""

from pathlib import Path
from typing import Any

from torch import Tensor

from deliberant.models.checkpoint import model_folder, model_hash
from deliberant.util.errors import UserError
from deliberant.util.files import read_json, write_json

CONFIG = "adapter_config.json"
BASE_NOTE = "adapter_base.json"
"""Beside an adapter that we saved: the base it belongs to, by name and by hash."""


def is_adapter(folder: Path) -> bool:
    return (folder / CONFIG).is_file()


def note_base(folder: Path, base: str) -> None:
    """Write down which model an adapter was trained on: a folder, or the name of one on the Hub."""
    write_json(folder / BASE_NOTE, {"model": base, "hash": model_hash(model_folder(base))})


def base_of(folder: Path) -> Path:
    """The folder of an adapter's base. UserError where it is gone, or another model by now."""
    config = read_json(folder / CONFIG, "restore it")
    name = str(config["base_model_name_or_path"])
    if not (folder / BASE_NOTE).exists():
        return model_folder(name)
    note = read_json(folder / BASE_NOTE, "restore it")
    base = model_folder(note["model"])
    if model_hash(base) != note["hash"]:
        raise UserError(f"{folder}: is an adapter of another base than {base} is now; restore that model")
    return base


def state_of(model: Any) -> dict[str, Tensor]:
    """The state of a model by the names it has without adapters, what they add added in; weights are not copied.

    W + (alpha / rank) B A for each adapted matrix, in the precision of W.
    """
    if not hasattr(model, "peft_config"):
        state: dict[str, Tensor] = model.state_dict()
        return state
    inner = model.get_base_model()
    state = {
        name.replace(".base_layer.", "."): value.detach()
        for name, value in inner.state_dict().items()
        if ".lora_" not in name
    }
    for name, module in inner.named_modules():
        if hasattr(module, "get_delta_weight"):
            weight = state[f"{name}.weight"]
            state[f"{name}.weight"] = weight + module.get_delta_weight("default").detach().to(weight)
    return state
