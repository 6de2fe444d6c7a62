"""Rates and paired differences with 95% intervals, resampled by prompt family.

A family (an original and all its rewrites) succeeds or fails together, so prompts are not independent draws: the
bootstrap resamples whole families. Its percentiles are too narrow where few families are seen or few of them fail, so
it gives the variance alone. A rate's interval is Wilson's with the effective number of trials that this variance makes
(Korn and Graubard 1998; Franco et al. 2019), a difference's is Student's; the quantile of both is t, since the variance
is known by as many degrees of freedom as the families' spread has (Satterthwaite 1946). `benchmarks/coverage.py`
measures how often they hold the truth.

Where every family is alike (all successes, all failures, or one family alone) there is no variance: the interval is
Wilson's with families, not prompts, as its count; that is the wide, honest choice.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 1000
_Z = 1.959963984540054  # the 97.5% point of the standard normal
_FREEDOM = (1, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 60, 120, math.inf)
_STUDENT = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.306, 2.228, 2.131, 2.086, 2.042, 2.000, 1.980, _Z)
"""The 97.5% points of Student's t by degrees of freedom, as tables have them; between them 1 / df is interpolated."""


class Bootstrap(TypedDict, total=False):
    """How an interval is resampled: RESAMPLES times and by seed 0 where nothing else is said."""

    resamples: int
    seed: int


@dataclass(frozen=True)
class Estimate:
    """`value` with its 95% interval, all as fractions; None where there was nothing to count. `n` counts trials."""

    value: float | None
    low: float | None
    high: float | None
    n: int


@dataclass(frozen=True)
class Tally:
    """What one sample adds to a rate: `hits` out of `trials`; (0, 0) where the metric does not apply to it.

    Fractions are expectations, such as the chance that one of its readings is drawn.
    """

    hits: float
    trials: float


def wilson(value: float, n: float, quantile: float = _Z) -> tuple[float, float]:
    """Wilson's 95% interval (Wilson 1927) around the fraction `value` of `n` > 0 independent trials."""
    centre = value + quantile**2 / (2 * n)
    half = quantile * math.sqrt(value * (1 - value) / n + quantile**2 / (4 * n**2))
    scale = 1 + quantile**2 / n
    return max(0.0, (centre - half) / scale), min(1.0, (centre + half) / scale)


def rate(
    tallies: Sequence[Tally],
    families: Sequence[str],
    *,
    weights: Sequence[float] | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Estimate:
    """Sum of hits over sum of trials, with Wilson's interval for a variance bootstrapped over families.

    `tallies[i]` belongs to `families[i]`. `weights[i]`: how many samples of the whole it stands for, where samples were
    not drawn evenly; `n` counts trials unweighted. The same input and seed give the same interval.
    """
    scale = weights or [1] * len(tallies)
    counted = [Tally(each.hits * w, each.trials * w) for each, w in zip(tallies, scale, strict=True)]
    sums = _by_family([counted], families)
    if not len(sums):
        return Estimate(None, None, None, 0)
    hits, trials = sums.sum(axis=0)
    value = float(hits / trials)
    drawn = _resample(sums, resamples, seed)
    spread = _variance(drawn[:, 0] / drawn[:, 1], len(sums))
    if spread is None:
        low, high = wilson(value, len(sums))
    else:
        low, high = wilson(value, value * (1 - value) / spread, _quantile(sums[:, 0] - value * sums[:, 1]))
    return Estimate(value, low, high, round(sum(each.trials for each in tallies)))


def coefficient(
    statistic: Callable[[NDArray[np.intp]], float],
    families: Sequence[str],
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Estimate:
    """Any statistic of samples, such as a coefficient of agreement, with a percentile bootstrap over families.

    `statistic` takes the indices of samples, repeats allowed, and returns NaN where it is not defined (all alike); so
    does a resample, which is then left out. No interval where all resamples agree: unlike a rate's, a coefficient's
    has no formula to fall back on.
    """
    members: dict[str, list[int]] = {}
    for place, family in enumerate(families):
        members.setdefault(family, []).append(place)
    value = statistic(np.arange(len(families))) if families else math.nan
    if math.isnan(value):
        return Estimate(None, None, None, len(families))
    groups = [np.array(each) for each in members.values()]
    rng = np.random.default_rng(seed)
    drawn = [
        statistic(np.concatenate([groups[group] for group in rng.integers(len(groups), size=len(groups))]))
        for _ in range(resamples)
    ]
    defined = np.array([each for each in drawn if not math.isnan(each)])
    low, high = np.percentile(defined, [2.5, 97.5]).tolist() if len(defined) else (value, value)
    return Estimate(value, None, None, len(families)) if low == high else Estimate(value, low, high, len(families))


def difference(
    ours: Sequence[Tally],
    theirs: Sequence[Tally],
    families: Sequence[str],
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Estimate:
    """`ours` rate minus `theirs` on the same prompts (row i of both), resampled together; `n` counts our trials.

    Prompts without a trial on either side are left out. Where the paired bootstrap degenerates, every family differs
    alike; of those not seen a share may not, at most Wilson's upper bound of 0 in so many, and by -1 or 1 at the most.
    """
    both = [i for i, (a, b) in enumerate(zip(ours, theirs, strict=True)) if a.trials and b.trials]
    sums = _by_family([[ours[i] for i in both], [theirs[i] for i in both]], [families[i] for i in both])
    if not len(sums):
        return Estimate(None, None, None, 0)
    hits, trials, other_hits, other_trials = sums.sum(axis=0)
    p, q = float(hits / trials), float(other_hits / other_trials)
    drawn = _resample(sums, resamples, seed)
    spread = _variance(drawn[:, 0] / drawn[:, 1] - drawn[:, 2] / drawn[:, 3], len(sums))
    if spread is None:
        _, unlike = wilson(0, len(sums))
        low, high = p - q - unlike * (1 + p - q), p - q + unlike * (1 - p + q)
    else:
        shares = (sums[:, 0] - p * sums[:, 1]) / trials - (sums[:, 2] - q * sums[:, 3]) / other_trials
        half = _quantile(shares) * math.sqrt(spread)
        low, high = max(-1.0, p - q - half), min(1.0, p - q + half)
    return Estimate(p - q, low, high, int(trials))


def _by_family(arms: Sequence[Sequence[Tally]], families: Sequence[str]) -> NDArray[np.float64]:
    """[families with a trial, 2 * arms]: hits and trials of each arm, summed."""
    kept = [place for place, tally in enumerate(arms[0]) if tally.trials]
    number = {family: n for n, family in enumerate(dict.fromkeys(families[place] for place in kept))}
    rows = [[part for arm in arms for part in (arm[place].hits, arm[place].trials)] for place in kept]
    sums = np.zeros((len(number), 2 * len(arms)))
    places = np.array([number[families[place]] for place in kept], int)
    np.add.at(sums, places, np.array(rows, float).reshape(-1, 2 * len(arms)))
    return sums


def _resample(sums: NDArray[np.float64], resamples: int, seed: int) -> NDArray[np.float64]:
    """Sums of as many rows as there are, drawn with replacement, `resamples` times: [resamples, columns of `sums`].

    Rows that are alike, which are most of them, are drawn by how many of them there are.
    """
    rng = np.random.default_rng(seed)
    _, first, counts = np.unique(sums, axis=0, return_index=True, return_counts=True)
    order = first.argsort()  # whichever arm's columns come first
    kinds, shares = sums[first[order]], counts[order] / len(sums)
    return rng.multinomial(len(sums), shares, size=resamples) @ kinds


def _variance(drawn: NDArray[np.float64], families: int) -> float | None:
    """The variance of a statistic by its resamples, unbiased for so many families; None where they are all alike."""
    if np.ptp(drawn) < 1e-12:
        return None
    return float(drawn.var() * families / (families - 1))


def _quantile(shares: NDArray[np.float64]) -> float:
    """Student's t for a variance estimated from the families' `shares` in an error.

    Their kurtosis says how well they tell it: where few families differ from all others, poorly. One or two say
    next to nothing of it and count as four, or the interval of 76 right of 77 would begin at 80.
    """
    squares = shares**2
    kurtosis = (squares**2).mean() / squares.mean() ** 2
    freedom = min(max(8.0, 2 * len(shares) / max(kurtosis - 1, 1e-9)), len(shares) - 1)
    return float(np.interp(-1 / freedom, [-1 / each for each in _FREEDOM], _STUDENT))
