"""The general path: any Hugging Face causal LM through its own forward and cache, with the sampler's seeding.

Identical prompts are prefilled once and rows that have ended leave the batch; shared prefixes are computed per prompt.
"""

import inspect
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from deliberant.models.local.batches import Group, Tokens


class Generic:
    """A live model; sees weight changes as they happen."""

    def __init__(self, model: Any) -> None:
        self.model = model
        self.takes = inspect.signature(model.forward).parameters

    def open(self, groups: Sequence[Group], room: int) -> "GenericBatch":
        return GenericBatch(self, [group.prefix + suffix for group in groups for suffix in group.suffixes])


class GenericBatch:
    """Rows in flight. `logits` [rows, vocabulary] (fp32, CPU) predict each row's next token; rows as in the groups."""

    def __init__(self, engine: Generic, prompts: Sequence[Tokens]) -> None:
        self.engine = engine
        distinct = list(dict.fromkeys(prompts))
        width = max(map(len, distinct))
        tokens = torch.tensor([[0] * (width - len(prompt)) + list(prompt) for prompt in distinct])
        self.seen = torch.tensor([[0] * (width - len(prompt)) + [1] * len(prompt) for prompt in distinct])
        self.cache: Any = None
        self._forward(tokens, (self.seen.cumsum(1) - 1).clamp(min=0))
        if len(distinct) < len(prompts):
            number = {prompt: index for index, prompt in enumerate(distinct)}
            self.keep(torch.tensor([number[prompt] for prompt in prompts]))

    def _forward(self, tokens: Tensor, positions: Tensor) -> None:
        model = self.engine.model
        inputs: dict[str, Any] = {
            "input_ids": tokens.to(model.device),
            "attention_mask": self.seen.to(model.device),
            "past_key_values": self.cache,
            "use_cache": True,
        }
        optional = {"position_ids": positions.to(model.device), "logits_to_keep": 1}
        inputs |= {name: value for name, value in optional.items() if name in self.engine.takes}
        training = model.training
        if training:
            model.eval()
        try:
            out = model(**inputs)
        finally:
            model.train(training)
        self.cache = out.past_key_values
        self.logits: Tensor = out.logits[:, -1].float().cpu()

    def advance(self, tokens: Tensor) -> None:
        """Append one token per row [rows]; `logits` then predict the next."""
        self.seen = torch.cat([self.seen, self.seen.new_ones(len(tokens), 1)], 1)
        self._forward(tokens[:, None], self.seen.sum(1, keepdim=True) - 1)

    def keep(self, rows: Tensor) -> None:
        """Select rows by index; an index may repeat."""
        self.cache.batch_select_indices(rows.to(self.engine.model.device))
        self.seen, self.logits = self.seen[rows], self.logits[rows]
