"""LoRA for both training stages (Hu et al. 2021, arXiv 2106.09685): made, continued, saved; peft does the work."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from deliberant.models.local.adapters import CONFIG, note_base
from deliberant.util.errors import UserError
from deliberant.util.files import read_json, write_json

if TYPE_CHECKING:
    from deliberant.run.recipe import Lora


def with_adapter(model: Any, lora: "Lora", seed: int) -> Any:
    """The model with an adapter to train: its own, where it has one, else a new one that changes nothing yet.

    UserError: no module has a name that `lora.targets` gives.
    """
    from peft import LoraConfig, PeftModel, get_peft_model

    if isinstance(model, PeftModel):
        model.set_requires_grad("default")
        return model
    targets = lora.targets if isinstance(lora.targets, str) else list(lora.targets)
    config = LoraConfig(
        r=lora.rank, lora_alpha=lora.alpha, lora_dropout=lora.dropout, target_modules=targets, task_type="CAUSAL_LM"
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        try:
            return get_peft_model(model, config)
        except ValueError as error:
            names = {name.rpartition(".")[2] for name, each in model.named_modules() if hasattr(each, "in_features")}
            raise UserError(
                f"lora.targets: no module of the model is called {' or '.join(lora.targets)}; it has "
                f"{', '.join(sorted(names))}"
            ) from error


def save_adapter(model: Any, folder: Path, base: str, state: dict[str, Any] | None = None) -> None:
    """The adapter alone, the base named beside it; transformers and peft load such a folder as a model."""
    model.peft_config["default"].base_model_name_or_path = base
    model.save_pretrained(folder, selected_adapters=["default"], state_dict=state)
    config = read_json(folder / CONFIG, "")
    write_json(folder / CONFIG, {**config, "target_modules": sorted(config["target_modules"])})  # peft writes a set
    model.get_base_model().config.save_pretrained(folder)
    note_base(folder, base)
