"""What a local model's files say before its weights are loaded: chat template, context, memory, disk."""

import math
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from deliberant.models.checkpoint import position_size
from deliberant.models.formats import chat_prompt, find_opened_format
from deliberant.prompts.types import Message
from deliberant.util.errors import UserError, explain_not_installed

Severity = Literal["ok", "warn", "stop"]

WEIGHT = 4
"""Bytes a parameter takes where it is sampled from: fp32 on a CPU, more than enough on a GPU."""
TRAINED = 16
"""Bytes a parameter takes where it is trained: weights, gradients and Adam's two moments, all fp32."""
SAVED = 16
"""Bytes a parameter takes on disk while it is trained: weights and moments to resume from, and the checkpoint."""
TIGHT = 0.8
"""The share of free memory beyond which activations, which are not counted, may not fit."""
GIGABYTE = 1e9


@dataclass(frozen=True)
class Finding:
    """One line about a role. "stop": nothing can come of the run. `remedy` names the recipe key to change."""

    severity: Severity
    role: str
    message: str
    remedy: str = ""

    @property
    def line(self) -> str:
        return f"{self.role}: {self.message}" + (f"; {self.remedy}" if self.remedy else "")


class Checkpoint:
    """A model's folder, of which only small files are read. UserError: no readable configuration or tokenizer."""

    def __init__(self, folder: Path, trust_remote_code: bool = False) -> None:
        try:
            from transformers import AutoConfig, AutoTokenizer
        except ModuleNotFoundError as error:
            raise explain_not_installed(error) from error

        self.folder = folder
        try:
            self.config = AutoConfig.from_pretrained(folder, trust_remote_code=trust_remote_code).get_text_config()
            self.tokenizer: Any = AutoTokenizer.from_pretrained(folder, trust_remote_code=trust_remote_code)
        except Exception as error:  # whatever transformers raises over files that are not ours
            reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
            if "trust_remote_code" in str(error):
                raise UserError(
                    f"{folder}: the model comes with code of its own, which is not run; read it, then set "
                    "base.trust_remote_code: true, or name another model"
                ) from error
            raise UserError(f"{folder}: cannot be read ({reason}); check that the checkpoint is whole") from error

    @cached_property
    def parameters(self) -> int:
        """From the headers of the weights; where there are none, from their size, as if two bytes each."""
        files = sorted(self.folder.glob("*.safetensors"))
        if files:
            return sum(_elements(file) for file in files)
        return sum(file.stat().st_size for file in self.folder.glob("*.bin")) // 2

    @property
    def positions(self) -> int | None:
        """The longest context; None where the configuration does not say."""
        longest: int | None = getattr(self.config, "max_position_embeddings", None)
        return longest

    def tokens(self, messages: Sequence[Message]) -> int:
        """Of a conversation in the chat template."""
        ids = self.tokenizer.apply_chat_template(list(messages), add_generation_prompt=True, return_dict=False)
        return len(ids)

    def findings(self, role: str) -> Iterable[Finding]:
        """What its tokenizer and chat template will do to a run."""
        tokenizer, key = self.tokenizer, f"{role}.model"
        if tokenizer.chat_template is None:
            yield Finding(
                "stop",
                role,
                f"{self.folder} has no chat template",
                f"put chat_template.jinja there, or name an instruct model as {key}",
            )
            return
        if tokenizer.eos_token is None:
            yield Finding("stop", role, "the tokenizer has no end of turn (eos_token)", f"name another {key}")
        elif tokenizer.pad_token is None:
            yield Finding("ok", role, "the tokenizer has no pad token; its end of turn is used instead")
        if opened := find_opened_format(chat_prompt(tokenizer)):
            yield Finding("ok", role, f"the chat template opens the reasoning ({opened.open})")
        if "strftime_now" in str(tokenizer.chat_template):
            yield Finding(
                "warn",
                role,
                "the chat template writes today's date, so the same recipe draws other rows tomorrow",
                f"write a fixed date into chat_template.jinja, in a copy that {key} names",
            )


def memory(models: Mapping[str, Checkpoint], trained: str | None, positions: int) -> Finding:
    """Whether all local models fit side by side with one row of `positions`, and one more copy that is `trained`."""
    unique = {each.folder: each for each in models.values()}.values()
    sampling = sum(each.parameters * WEIGHT + positions * position_size(each.config) * WEIGHT for each in unique)
    training = models[trained].parameters * TRAINED if trained else 0
    from deliberant.models.local.hardware import machine_memory

    free, installed = machine_memory()
    parts = f"weights and cache take {sampling / GIGABYTE:.1f} GB"
    if trained:
        parts += f", training {training / GIGABYTE:.1f} GB more ({TRAINED} bytes a parameter)"
    message = f"{parts}; {free / GIGABYTE:.1f} of {installed / GIGABYTE:.1f} GB are free"
    needed = sampling + training
    smaller = "name a smaller base.model" if trained else "name a smaller model, or one on a server (vllm:, api:)"
    if needed > installed:
        return Finding("stop", "memory", message, smaller)
    if needed > TIGHT * free:
        return Finding("warn", "memory", message, f"end other programs, or {smaller}")
    return Finding("ok", "memory", message)


def disk(base: Checkpoint, arms: int, root: Path) -> Finding:
    """Whether the checkpoints of so many trained arms fit where the run lies, one of them in the making."""
    needed = base.parameters * (arms * WEIGHT + SAVED - WEIGHT)
    place = next(each for each in (root, *root.absolute().parents) if each.exists())
    free = shutil.disk_usage(place).free
    message = f"checkpoints take {needed / GIGABYTE:.1f} GB; {free / GIGABYTE:.1f} GB are free at {place}"
    if needed <= free:
        return Finding("ok", "disk", message)
    return Finding("stop", "disk", message, "free some space, give another --root, or name fewer evaluate.arms")


def _elements(file: Path) -> int:
    """Numbers in a safetensors file, by its header."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file, framework="pt") as tensors:
            names = tensors.keys()
            return sum(math.prod(tensors.get_slice(name).get_shape()) for name in names)
    except (OSError, SafetensorError) as error:
        raise UserError(f"{file}: cannot be read ({error}); check that the checkpoint is whole") from error
