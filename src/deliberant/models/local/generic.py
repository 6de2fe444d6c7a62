"""The general path: any Hugging Face causal LM through its own forward and cache, with the sampler's seeding.

A prefix shared by many rows is prefilled once and its cache copied to each of them, where the model's layers all attend
to everything before; other models (sliding windows, no position ids) prefill each distinct prompt whole. Rows that have
ended leave the batch.
"""

import copy
import inspect
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from deliberant.models.local.batches import Group, Tokens

PREFILL_TOKENS = 4096
"""Padded tokens per prefill forward, so that its memory is bounded."""


class Generic:
    """A live model; sees weight changes as they happen."""

    copied = True
    """A shared prefix is cached once for each row."""

    def __init__(self, model: Any) -> None:
        from transformers.cache_utils import DynamicCache, DynamicLayer

        self.model = model
        self.itemsize: int = model.dtype.itemsize
        self.takes = inspect.signature(model.forward).parameters
        # Rows of unlike prefixes are padded in their middle, which a window, counting cached positions, would see.
        layers = DynamicCache(config=model.config).layers
        self.shares = "position_ids" in self.takes and all(type(layer) is DynamicLayer for layer in layers)

    def forward(self, cache: Any, seen: Tensor, tokens: Tensor) -> "Part":
        """The cache with `tokens` [rows, n] behind it; `seen` [rows, cached + n] is 0 where there is padding."""
        model = self.model
        positions = (seen.cumsum(1) - 1).clamp(min=0)[:, -tokens.shape[1] :]
        inputs = {"input_ids": tokens, "attention_mask": seen, "past_key_values": cache, "use_cache": True}
        optional = {"position_ids": positions, "logits_to_keep": 1}
        inputs |= {name: value for name, value in optional.items() if name in self.takes}
        training = model.training
        if training:
            model.eval()
        try:
            out = model(**inputs)
        finally:
            model.train(training)
        return out.past_key_values, seen, out.logits[:, -1].float()

    def open(self, groups: Sequence[Group], room: int) -> "GenericBatch":
        return GenericBatch(self, groups)


Part = tuple[Any, Tensor, Tensor]
"""Some rows' cache, where they are not padding [rows, cached], and their logits [rows, vocabulary]."""


class GenericBatch:
    """Rows in flight. `logits` [rows, vocabulary] (fp32) predict each row's next token; rows as in the groups."""

    def __init__(self, engine: Generic, groups: Sequence[Group]) -> None:
        self.engine = engine
        if not engine.shares:
            whole = [group.prefix + suffix for group in groups for suffix in group.suffixes]
            groups = [Group((), tuple(whole), tuple(range(len(whole))))]
        parts: list[Part] = []
        order: list[int] = []
        rows = 0
        for group in groups:
            row: dict[Tokens, int] = {}
            for suffixes, part in self._prefilled(group):
                row |= {suffix: rows + place for place, suffix in enumerate(suffixes)}
                rows += len(suffixes)
                parts.append(part)
            order += [row[suffix] for suffix in group.suffixes]
        self.cache, self.seen, self.logits = parts[0] if len(parts) == 1 else _joined(parts)
        if order != list(range(rows)):
            self.keep(torch.tensor(order, device=self.seen.device))

    def _prefilled(self, group: Group) -> Iterator[tuple[list[Tokens], Part]]:
        """A group's distinct suffixes, some at a time."""
        engine, device = self.engine, self.engine.model.device
        past, before = None, torch.ones(1, 0, dtype=torch.long, device=device)
        if group.prefix:
            past, before, _ = self._extended(past, before, group.prefix)
        distinct = sorted(set(group.suffixes), key=lambda suffix: (len(suffix), suffix))
        while distinct:
            width = len(distinct[-1])
            count = max(1, PREFILL_TOKENS // width) if engine.shares else len(distinct)
            chunk, distinct = distinct[-count:], distinct[:-count]
            cache = copy.deepcopy(past) if distinct else past
            if engine.shares and len(chunk) == 1:
                yield chunk, self._extended(cache, before, chunk[0])
                continue
            if cache is not None:
                cache.batch_repeat_interleave(len(chunk))
            tokens = torch.tensor([[0] * (width - len(suffix)) + list(suffix) for suffix in chunk], device=device)
            seen = torch.tensor([[0] * (width - len(suffix)) + [1] * len(suffix) for suffix in chunk], device=device)
            seen = torch.cat([before.expand(len(chunk), -1), seen], 1)
            yield chunk, engine.forward(cache, seen, tokens)

    def _extended(self, cache: Any, seen: Tensor, tokens: Tokens) -> Part:
        """One row with `tokens` behind it, some at a time."""
        for start in range(0, len(tokens), PREFILL_TOKENS):
            some = torch.tensor([tokens[start : start + PREFILL_TOKENS]], device=seen.device)
            cache, seen, logits = self.engine.forward(cache, torch.cat([seen, torch.ones_like(some)], 1), some)
        return cache, seen, logits

    def advance(self, tokens: Tensor) -> None:
        """Append one token per row [rows]; `logits` then predict the next."""
        self.cache, self.seen, self.logits = self.engine.forward(
            self.cache, F.pad(self.seen, (0, 1), value=1), tokens[:, None]
        )

    def keep(self, rows: Tensor) -> None:
        """Select rows by index; an index may repeat."""
        self.cache.batch_select_indices(rows)
        self.seen, self.logits = self.seen[rows], self.logits[rows]


def _joined(parts: Sequence[Part]) -> Part:
    """All rows of some parts, padded on the left to one length."""
    from transformers.cache_utils import DynamicCache

    length = max(seen.shape[1] for _, seen, _ in parts)

    def cached(layer: int, name: str) -> Tensor:
        tensors = [getattr(cache.layers[layer], name) for cache, _, _ in parts]
        return torch.cat([F.pad(tensor, (0, 0, length - tensor.shape[2], 0)) for tensor in tensors])

    layers = [(cached(layer, "keys"), cached(layer, "values")) for layer in range(len(parts[0][0].layers))]
    seen = torch.cat([F.pad(seen, (length - seen.shape[1], 0)) for _, seen, _ in parts])
    return DynamicCache(layers), seen, torch.cat([logits for _, _, logits in parts])
