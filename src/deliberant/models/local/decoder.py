"""The fast path: batched decoding of Llama, Qwen2 and Qwen3 models on a CPU, with prompt prefixes computed once.

Three things make it faster than `model.generate`. Prefixes shared by many rows are prefilled once and kept once:
attention scores against a group's prefix are one matrix product for all its rows, and only the suffixes have a cache
per row (the idea of Hydragen, Juravsky et al. 2024). Rows that have ended leave the batch. And a step is few
operations: query/key/value and gate/up are fused, norm weights and the softmax scale are folded into the matrices, and
query and key dimensions are interleaved so that a rotation is one complex product.

Attention, norms and logits are fp32; `dtype` is what the matrix products run in.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from deliberant.models.local.adapters import state_of
from deliberant.models.local.batches import Group, Tokens, common

PREFILL_TOKENS = 1024
"""Padded tokens per prefill forward: large enough for full matrix speed, small enough for little memory."""

Attention = Callable[[int, Tensor, Tensor, Tensor], Tensor]
"""(layer, q [rows, tokens, heads, dim], k and v [rows, tokens, kv heads, dim]) -> [rows, tokens, heads * dim]"""


@dataclass(frozen=True)
class Layer:
    """One block's fused weights, laid out [in, out]."""

    qkv: Tensor
    qkv_bias: Tensor | None
    output: Tensor
    gate_up: Tensor
    down: Tensor
    qk_norm: Tensor | None


def supports(config: Any) -> bool:
    """Whether this decoder computes such a model exactly: plain Llama, Qwen2 or Qwen3, of any size."""
    return (
        config.model_type in ("llama", "qwen2", "qwen3")
        and config.hidden_act == "silu"
        and not getattr(config, "attention_bias", False)
        and not getattr(config, "mlp_bias", False)
        and config.rope_parameters["rope_type"] in ("default", "linear", "llama3", "yarn")
        and not getattr(config, "use_sliding_window", False)
        and getattr(config, "quantization_config", None) is None
    )


class Decoder:
    """A frozen copy of a model's weights, arranged for speed; build a new one after the weights change."""

    itemsize = 4
    """Bytes of a cached number."""
    copied = False
    """A shared prefix is cached once, however many rows have it."""

    @torch.inference_mode()
    def __init__(self, model: Any, dtype: torch.dtype = torch.float32) -> None:
        config, weights = model.config, state_of(model)
        rotary = (model.get_base_model() if hasattr(model, "peft_config") else model).model.rotary_emb
        self.dtype = dtype
        self.heads: int = config.num_attention_heads
        self.kv_heads: int = config.num_key_value_heads
        self.dim: int = getattr(config, "head_dim", None) or config.hidden_size // self.heads
        self.eps: float = config.rms_norm_eps
        self.frequencies = rotary.inv_freq.float()
        self.rotary_scale = float(rotary.attention_scaling)
        self.embedding = weights["model.embed_tokens.weight"].detach().clone()
        self.head = self._matrix(weights["lm_head.weight"], weights["model.norm.weight"])
        self.layers = [self._layer(weights, f"model.layers.{number}") for number in range(config.num_hidden_layers)]

    def _matrix(self, weight: Tensor, norm: Tensor | None = None) -> Tensor:
        """[in, out] in the working dtype, the preceding norm's weight folded in."""
        matrix = weight.detach().float()
        if norm is not None:
            matrix = matrix * norm.float()
        return matrix.t().to(self.dtype).contiguous()

    def _layer(self, weights: Mapping[str, Tensor], layer: str) -> Layer:
        def weight(name: str) -> Tensor:
            return weights[f"{layer}.{name}.weight"]

        scale = self.dim**-0.5
        query, key = self._interleaved(weight("self_attn.q_proj")), self._interleaved(weight("self_attn.k_proj"))
        qk_norm = bias = None
        if f"{layer}.self_attn.q_norm.weight" in weights:
            norms = [
                self._interleaved(weight("self_attn.q_norm")) * scale,
                self._interleaved(weight("self_attn.k_norm")),
            ]
            qk_norm = torch.stack([norms[0]] * self.heads + [norms[1]] * self.kv_heads)
        else:
            query = query * scale
        if f"{layer}.self_attn.q_proj.bias" in weights:
            q, k, v = (weights[f"{layer}.self_attn.{name}_proj.bias"].detach().float() for name in "qkv")
            bias = torch.cat([self._interleaved(q) * (1 if qk_norm is not None else scale), self._interleaved(k), v])
        return Layer(
            qkv=self._matrix(torch.cat([query, key, weight("self_attn.v_proj").float()]), weight("input_layernorm")),
            qkv_bias=bias,
            output=self._matrix(weight("self_attn.o_proj")),
            gate_up=self._matrix(
                torch.cat([weight("mlp.gate_proj"), weight("mlp.up_proj")]), weight("post_attention_layernorm")
            ),
            down=self._matrix(weight("mlp.down_proj")),
            qk_norm=qk_norm,
        )

    def _interleaved(self, weight: Tensor) -> Tensor:
        """Rows reordered per head from (first half, second half) to pairs: what `view_as_complex` rotates."""
        halves = weight.detach().float().view(-1, 2, self.dim // 2, *weight.shape[1:])
        return halves.transpose(1, 2).reshape(weight.shape)

    def forward(self, tokens: Tensor, positions: Tensor, attend: Attention) -> Tensor:
        """Last hidden states [rows, tokens, hidden], unnormalised, of token ids and positions [rows, tokens]."""
        x: Tensor = self.embedding[tokens].float()
        angles = positions[..., None, None] * self.frequencies
        rotation = torch.polar(torch.full_like(angles, self.rotary_scale), angles)
        rotated = self.heads + self.kv_heads
        for number, layer in enumerate(self.layers):
            qkv = (self._normed(x) @ layer.qkv).float()
            if layer.qkv_bias is not None:
                qkv += layer.qkv_bias
            qkv = qkv.view(*tokens.shape, -1, self.dim)
            qk, v = qkv[..., :rotated, :], qkv[..., rotated:, :]
            if layer.qk_norm is not None:
                qk = F.rms_norm(qk, (self.dim,), eps=self.eps) * layer.qk_norm
            turned = torch.view_as_complex(qk.reshape(*qk.shape[:-1], -1, 2)) * rotation
            qk = torch.view_as_real(turned).flatten(-2)
            mixed = attend(number, qk[..., : self.heads, :], qk[..., self.heads :, :], v)
            x = x + mixed.to(self.dtype) @ layer.output
            gate, up = (self._normed(x) @ layer.gate_up).chunk(2, -1)
            x = x + (F.silu(gate) * up) @ layer.down
        return x

    def _normed(self, x: Tensor) -> Tensor:
        normed: Tensor = F.rms_norm(x, x.shape[-1:], eps=self.eps)
        return normed.to(self.dtype)

    def logits(self, x: Tensor) -> Tensor:
        """[rows, vocabulary], fp32, of last hidden states [rows, hidden]."""
        return (self._normed(x) @ self.head).float()

    def cache(self, rows: int, length: int) -> Tensor:
        """Room for keys and values: [layers, 2, rows, kv heads, length, dim]."""
        return torch.zeros(len(self.layers), 2, rows, self.kv_heads, length, self.dim)  # masked garbage may be NaN

    def prefill(self, past: Tensor, suffixes: Sequence[Tokens]) -> tuple[Tensor, Tensor]:
        """Left-padded cache and last hidden states [rows, hidden] of suffixes that all continue `past` (one row)."""
        width, shared = max(map(len, suffixes)), past.shape[4]
        padding = torch.tensor([width - len(suffix) for suffix in suffixes])
        tokens = torch.tensor([[0] * (width - len(suffix)) + list(suffix) for suffix in suffixes])
        columns = torch.arange(width)
        positions = (columns - padding[:, None]).clamp(min=0) + shared
        own = (columns[:, None] >= columns) & (columns >= padding[:, None, None])
        own |= torch.eye(width, dtype=torch.bool)  # a pad row that sees nothing would be NaN
        seen = torch.cat([own.new_ones(len(suffixes), width, shared), own], 2)[:, None]
        cache = self.cache(len(suffixes), width)

        def attend(layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
            cache[layer, 0], cache[layer, 1] = k.transpose(1, 2), v.transpose(1, 2)
            keys, values = (
                torch.cat([past[layer, part].expand(len(suffixes), -1, -1, -1), cache[layer, part]], 2)
                for part in (0, 1)
            )
            out = F.scaled_dot_product_attention(
                q.transpose(1, 2), keys, values, attn_mask=seen, scale=1.0, enable_gqa=True
            )
            return out.transpose(1, 2).flatten(2)

        return cache, self.forward(tokens, positions, attend)[:, -1]

    def extend(self, past: Tensor, tokens: Tokens) -> tuple[Tensor, Tensor]:
        """One row's cache `past` with `tokens` behind it, some at a time, and its last hidden state [1, hidden]."""
        for start in range(0, len(tokens), PREFILL_TOKENS):
            own, last = self.prefill(past, [tokens[start : start + PREFILL_TOKENS]])
            past = torch.cat([past, own], 4)
        return past, last

    def open(self, groups: Sequence[Group], room: int) -> "DecoderBatch":
        return DecoderBatch(self, groups, room)


class DecoderBatch:
    """Rows in flight. `logits` [rows, vocabulary] predict each row's next token; rows are in the groups' order."""

    def __init__(self, decoder: Decoder, groups: Sequence[Group], room: int) -> None:
        self.decoder = decoder
        longest = max(len(suffix) for group in groups for suffix in group.suffixes)
        rows = sum(len(group.rows) for group in groups)
        self.cache = decoder.cache(rows, longest + room)
        self.used = longest
        self.padding: list[int] = []  # of each row, on the left; complete once filled
        lengths = [len(group.prefix) + len(suffix) for group in groups for suffix in group.suffixes]
        self.positions = torch.tensor(lengths)  # of the next token
        self.prefixes: list[tuple[Tensor, int]] = []  # cache and number of rows, in row order
        last: list[Tensor] = []
        prefix: Tokens = ()
        past = decoder.cache(1, 0)
        for group in groups:
            kept = common(prefix, group.prefix)
            past = past[..., :kept, :]
            if kept < len(group.prefix):
                past, _ = decoder.extend(past, group.prefix[kept:])
            prefix = group.prefix
            self.prefixes.append((past, len(group.rows)))
            last += self._fill(group.suffixes, past)
        padding = torch.tensor(self.padding)
        self.mask = torch.where(torch.arange(longest) < padding[:, None], -torch.inf, 0.0)
        self.logits = decoder.logits(torch.stack(last))

    def _fill(self, suffixes: Sequence[Tokens], past: Tensor) -> list[Tensor]:
        """Prefill one group's distinct suffixes, by length, into the rows of the cache; their last hidden states."""
        start = len(self.padding)
        self.padding += [self.used - len(suffix) for suffix in suffixes]
        places: dict[Tokens, list[int]] = {}
        for place, suffix in enumerate(suffixes):
            places.setdefault(suffix, []).append(place)
        distinct = sorted(places, key=len)
        last: list[Tensor] = [torch.empty(0)] * len(suffixes)
        while distinct:
            width = len(distinct[-1])
            count = max(1, PREFILL_TOKENS // width)
            chunk, distinct = distinct[-count:], distinct[:-count]
            if width > PREFILL_TOKENS:
                cache, states = self.decoder.extend(past, chunk[0])
                cache = cache[..., past.shape[4] :, :]
            else:
                cache, states = self.decoder.prefill(past, chunk)
            targets = [start + place for suffix in chunk for place in places[suffix]]
            sources = [source for source, suffix in enumerate(chunk) for _ in places[suffix]]
            self.cache[:, :, targets, :, self.used - width : self.used] = cache[:, :, sources]
            for target, source in zip(targets, sources, strict=True):
                last[target - start] = states[source]
        return last

    def advance(self, tokens: Tensor) -> None:
        """Append one token per row [rows]; `logits` then predict the next."""
        column = self.used
        self.used += 1
        mask = F.pad(self.mask, (0, self.used - self.mask.shape[1]))[:, None, None]
        attend = partial(self._attend, column, mask)
        x = self.decoder.forward(tokens[:, None], self.positions[:, None], attend)
        self.positions = self.positions + 1
        self.logits = self.decoder.logits(x[:, 0])

    def _attend(self, column: int, mask: Tensor, layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        rows, _, heads, dim = q.shape
        keys, values = self.cache[layer]
        keys[:, :, column], values[:, :, column] = k[:, 0], v[:, 0]
        kv_heads = keys.shape[1]
        q = q.view(rows, kv_heads, heads // kv_heads, dim)
        own = q @ keys[:, :, : column + 1].transpose(-1, -2)
        own += mask
        # Softmax over prefix and own positions in two parts, rescaled to a common maximum.
        top = own.amax(-1, keepdim=True)
        weights = (own - top).exp_()
        total = weights.sum(-1, keepdim=True)
        out = weights @ values[:, :, : column + 1]
        start = 0
        for past, count in self.prefixes:
            part = slice(start, start + count)
            start += count
            if past.shape[4] == 0 or count == 0:
                continue
            flat = q[part].transpose(0, 1).flatten(1, 2)
            scores = flat @ past[layer, 0, 0].transpose(-1, -2)
            peak = scores.amax(-1, keepdim=True)
            scores = (scores - peak).exp_()
            shape = (kv_heads, count, heads // kv_heads, -1)
            norm = scores.sum(-1, keepdim=True).view(shape).transpose(0, 1)
            mixed = (scores @ past[layer, 1, 0]).view(shape).transpose(0, 1)
            peak = peak.view(shape).transpose(0, 1)
            best = torch.maximum(peak, top[part])
            old, new = (top[part] - best).exp_(), (peak - best).exp_()
            out[part] = out[part] * old + mixed * new
            total[part] = total[part] * old + norm * new
        attended: Tensor = out / total
        return attended.view(rows, 1, heads * dim)

    def keep(self, rows: Tensor) -> None:
        """Drop every other row; `rows` are indices in increasing order."""
        for part in self.cache.flatten(0, 1):  # in place: a copy of all would double the memory
            part[: len(rows)] = part[rows]
        self.cache = self.cache[:, :, : len(rows)]
        self.mask, self.positions, self.logits = self.mask[rows], self.positions[rows], self.logits[rows]
        kept, start = rows.tolist(), 0
        prefixes = []
        for past, count in self.prefixes:
            prefixes.append((past, sum(start <= row < start + count for row in kept)))
            start += count
        self.prefixes = prefixes
