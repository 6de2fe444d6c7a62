"""Seeded token draws: a row's randomness depends on its own seed, never on the batch it travels in.

One uniform number per row and step, turned into a token by the inverse of the cumulative distribution: about a tenth of
the work of Gumbel noise over the vocabulary. Everything stays on the logits' device.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from deliberant.models.types import Sampling
from deliberant.util.errors import RunError

BLOCK = 512
"""Tokens that are summed together: the search finds a block first, then the token in it."""
CANDIDATES = 512
"""Likeliest tokens among which a nucleus is looked for before the whole vocabulary is sorted."""


def uniforms(seeds: Sequence[int], steps: int) -> Tensor:
    """[rows, steps], float64 in [0, 1): row i is the stream of `seeds[i]`, whatever `steps` is."""
    from numpy.random import Generator, Philox

    return torch.tensor([Generator(Philox(key=seed)).random(steps).tolist() for seed in seeds], dtype=torch.float64)


def draw(logits: Tensor, uniform: Tensor, sampling: Sampling) -> Tensor:
    """Token ids [rows] from logits [rows, vocabulary] and uniforms [rows]; temperature 0 takes the likeliest.

    `top_p` keeps the smallest set of likeliest tokens whose probability reaches it (nucleus sampling). RunError if the
    model has come apart (NaN).
    """
    best, tokens = logits.max(-1)
    if best.isnan().any():
        raise RunError("the model's logits are not numbers; its weights have diverged")
    if sampling.temperature == 0:
        return tokens
    probabilities = (logits / sampling.temperature).softmax(-1)
    if sampling.top_p >= 1:
        return _invert(probabilities, uniform)
    tokens, mass = _nucleus(*probabilities.topk(min(CANDIDATES, logits.shape[1])), uniform, sampling.top_p)
    wide = (mass < sampling.top_p).nonzero()[:, 0]  # row by row, so that no row depends on its neighbours
    if len(wide) and logits.shape[1] > CANDIDATES:
        ranked = probabilities[wide].sort(-1, descending=True)
        tokens[wide], _ = _nucleus(*ranked, uniform[wide], sampling.top_p)
    return tokens


def _nucleus(ranked: Tensor, tokens: Tensor, uniform: Tensor, top_p: float) -> tuple[Tensor, Tensor]:
    """Tokens drawn from the nucleus of ranked probabilities [rows, candidates], and the mass [rows] of all of them."""
    cumulative = ranked.cumsum(-1, dtype=torch.float64)
    kept = ranked.masked_fill(cumulative - ranked >= top_p, 0.0)
    return tokens.gather(-1, _invert(kept, uniform)[:, None])[:, 0], cumulative[:, -1]


def _invert(weights: Tensor, uniform: Tensor) -> Tensor:
    """Index [rows] at which cumulative weights [rows, n] pass the share `uniform` [rows] of their sum.

    Cumulative sums are float64: in fp32 the tail of a large vocabulary would vanish. Only block sums and one block of
    each row are summed so.
    """
    rows = len(weights)
    blocks = F.pad(weights, (0, -weights.shape[1] % BLOCK)).view(rows, -1, BLOCK)
    sums = blocks.sum(-1).double()
    block, rest = _search(sums, uniform * sums.sum(-1))
    token, _ = _search(blocks[torch.arange(rows, device=block.device), block], rest)
    return block * BLOCK + token


def _search(weights: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Index [rows] at which cumulative weights pass `target`, never one of weight 0, and what is left of `target`."""
    cumulative = weights.cumsum(-1, dtype=torch.float64)
    total = cumulative[:, -1:]
    below = torch.nextafter(total, torch.zeros_like(total))  # a draw on the total itself has no token
    target = torch.minimum(target[:, None], below)
    index = torch.searchsorted(cumulative, target, right=True)
    rest = target - cumulative.gather(-1, index) + weights.gather(-1, index)
    return index[:, 0], rest[:, 0].clamp(min=0)
