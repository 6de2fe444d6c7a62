"""Rates and paired differences with 95% intervals, resampled by prompt family.

A family (an original and all its rewrites) succeeds or fails together, so prompts are not independent draws: the
bootstrap resamples whole families. Where it degenerates (every family alike: all successes, all failures, or one
family alone) the interval is Wilson's, with families, not prompts, as its count; that is the wide, honest choice.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 1000
_Z = 1.959963984540054  # the 97.5% point of the standard normal


@dataclass(frozen=True)
class Estimate:
    """`value` with its 95% interval, all as fractions; None where there was nothing to count. `n` counts trials."""

    value: float | None
    low: float | None
    high: float | None
    n: int


@dataclass(frozen=True)
class Tally:
    """What one sample adds to a rate: `hits` out of `trials`; (0, 0) where the metric does not apply to it."""

    hits: int
    trials: int


def wilson(value: float, n: int) -> tuple[float, float]:
    """Wilson's 95% interval (Wilson 1927) around the fraction `value` of `n` > 0 independent trials."""
    centre = value + _Z**2 / (2 * n)
    half = _Z * math.sqrt(value * (1 - value) / n + _Z**2 / (4 * n**2))
    scale = 1 + _Z**2 / n
    return max(0.0, (centre - half) / scale), min(1.0, (centre + half) / scale)


def rate(
    tallies: Sequence[Tally], families: Sequence[str], *, resamples: int = RESAMPLES, seed: int = 0
) -> Estimate:
    """Sum of hits over sum of trials, with a percentile bootstrap over families.

    `tallies[i]` belongs to `families[i]`. The same input and seed give the same interval.
    """
    hits, trials = _by_family(tallies, families)
    total = int(trials.sum())
    if not total:
        return Estimate(None, None, None, 0)
    value = float(hits.sum() / total)
    weights = _resample(len(hits), resamples, seed)
    low, high = _percentiles((weights @ hits) / (weights @ trials))
    if low == high:
        low, high = wilson(value, len(hits))
    return Estimate(value, low, high, total)


def difference(
    ours: Sequence[Tally],
    theirs: Sequence[Tally],
    families: Sequence[str],
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Estimate:
    """`ours` rate minus `theirs` on the same prompts (row i of both), resampled together; `n` counts our trials.

    Where the paired bootstrap degenerates the interval is Newcombe's (1998, method 10) over families.
    """
    assert len(ours) == len(theirs) == len(families)
    both = [i for i in range(len(ours)) if ours[i].trials and theirs[i].trials]
    if not both:
        return Estimate(None, None, None, 0)
    kept = [families[i] for i in both]
    hits, trials = _by_family([ours[i] for i in both], kept)
    other_hits, other_trials = _by_family([theirs[i] for i in both], kept)
    p, q = float(hits.sum() / trials.sum()), float(other_hits.sum() / other_trials.sum())
    weights = _resample(len(hits), resamples, seed)
    low, high = _percentiles((weights @ hits) / (weights @ trials) - (weights @ other_hits) / (weights @ other_trials))
    if low == high:
        (p_low, p_high), (q_low, q_high) = wilson(p, len(hits)), wilson(q, len(hits))
        low, high = p - q - math.hypot(p - p_low, q_high - q), p - q + math.hypot(p_high - p, q - q_low)
    return Estimate(p - q, low, high, int(trials.sum()))


def _by_family(
    tallies: Sequence[Tally], families: Sequence[str]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Hits and trials summed per family, families without a trial left out."""
    assert len(tallies) == len(families)
    sums: dict[str, list[int]] = {}
    for tally, family in zip(tallies, families, strict=True):
        if tally.trials:
            pair = sums.setdefault(family, [0, 0])
            pair[0] += tally.hits
            pair[1] += tally.trials
    table = np.array(list(sums.values()), dtype=np.float64).reshape(-1, 2)
    return table[:, 0], table[:, 1]


def _resample(families: int, resamples: int, seed: int) -> NDArray[np.float64]:
    """How often each family is drawn, [resamples, families]; each row sums to the number of families."""
    draws = np.random.default_rng(seed).multinomial(families, np.full(families, 1 / families), size=resamples)
    return draws.astype(np.float64)


def _percentiles(values: NDArray[np.float64]) -> tuple[float, float]:
    low, high = np.percentile(values, [2.5, 97.5])
    return float(low), float(high)
