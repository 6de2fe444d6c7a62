"""How often 95% intervals hold the truth, where samples come in families that succeed or fail together.

    python -m benchmarks.coverage
    python -m benchmarks.coverage --trials 5000 --resamples 1000

Data are drawn whose truth is known: families of one size or of several, a correlation within them from none to nearly
all, rates from 0.5 to 0.98, and pairs of arms on the same prompts, which share a part of each family's and each
prompt's luck. Printed are the shares of trials in which the interval that Deliberant prints, and a percentile bootstrap
of the same families, hold the truth. Where fewer than some ten families are expected to have a failure, a rate can take
only a few values, so that no interval keeps to 95%: it jumps from one truth to the next. Such rows are marked by *.
"""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from deliberant.evals import Estimate, Tally, difference, rate

FAMILIES = (30, 100)
SIZES: dict[str, tuple[int, ...]] = {"1": (1,), "3": (3,), "10": (10,), "1 to 7": (1, 2, 3, 4, 5, 6, 7)}
CORRELATIONS = (0.0, 0.3, 0.8)
RATES = (0.5, 0.8, 0.9, 0.95, 0.98)
PAIRS = ((0.7, 0.7), (0.8, 0.7), (0.95, 0.9), (0.98, 0.9))
OWN_LUCK = 0.3
"""How much of what decides a prompt is luck of that prompt in both arms of a pair."""
ENOUGH = 10.0
LOW, HIGH = 93.5, 96.5

Counts = NDArray[np.int64]


@dataclass(frozen=True)
class Cell:
    """One kind of data, and percent of trials whose interval held the truth. `failing`: families with a failure, mean
    over trials; in a pair those whose arms differ."""

    families: int
    size: str
    correlation: float
    truth: tuple[float, ...]
    failing: float
    ours: float
    percentile: float

    @property
    def telling(self) -> bool:
        return self.failing >= ENOUGH

    def row(self) -> str:
        truth = " against ".join(f"{each:g}" for each in self.truth)
        mark = "" if self.telling else " *"
        about = f"| {self.families} | {self.size} | {self.correlation:g} | {truth}{mark} "
        return f"{about}| {self.ours:.1f} | {self.percentile:.1f} |"


def cells(trials: int, resamples: int, seed: int) -> Iterator[Cell]:
    """Rates first, then paired differences."""
    rng = np.random.default_rng(seed)
    truths = [(each,) for each in RATES] + list(PAIRS)
    for truth, families, size, correlation in product(truths, FAMILIES, SIZES, CORRELATIONS):
        if size == "1" and correlation:
            continue  # a family of one correlates with nothing
        found = [trial(rng, families, SIZES[size], correlation, truth, resamples) for _ in range(trials)]
        failing, ours, percentile = np.mean(found, axis=0)
        yield Cell(families, size, correlation, truth, failing, 100 * ours, 100 * percentile)


def trial(
    rng: np.random.Generator,
    families: int,
    sizes: Sequence[int],
    correlation: float,
    truth: tuple[float, ...],
    resamples: int,
) -> tuple[float, bool, bool]:
    """(families with a failure, whether our interval holds the truth, whether the percentiles do)."""
    counts = rng.choice(sizes, families)
    arms = (
        paired(rng, counts, truth, correlation) if len(truth) > 1 else [clustered(rng, counts, truth[0], correlation)]
    )
    kinds, alike = np.unique([*arms, counts], axis=1, return_counts=True)
    *sums, total = kinds @ rng.multinomial(families, alike / families, size=resamples).T
    drawn = [each / total for each in sums]
    tallies = [[Tally(int(hit), int(n)) for hit, n in zip(hits, counts, strict=True)] for hits in arms]
    names, seed = [str(family) for family in range(families)], int(rng.integers(2**32))
    if len(truth) == 1:
        found = rate(tallies[0], names, resamples=resamples, seed=seed)
        return (arms[0] < counts).sum(), _holds(found, truth[0]), _within(drawn[0], truth[0])
    found = difference(tallies[0], tallies[1], names, resamples=resamples, seed=seed)
    gap = truth[0] - truth[1]
    return (arms[0] != arms[1]).sum(), _holds(found, gap), _within(drawn[0] - drawn[1], gap)


def clustered(rng: np.random.Generator, counts: Counts, truth: float, correlation: float) -> Counts:
    """Hits of each family: its own rate is drawn (beta) around the truth, so that two of its prompts correlate so."""
    odds = 1 / correlation - 1 if correlation else 0
    own = rng.beta(truth * odds, (1 - truth) * odds, len(counts)) if correlation else truth
    return rng.binomial(counts, own)


def paired(rng: np.random.Generator, counts: Counts, truth: Sequence[float], correlation: float) -> list[Counts]:
    """Hits of each family in two arms: normal luck against a threshold. Of all luck but the prompt's own a share of
    `correlation` is the family's, half of that in both arms."""
    family = np.repeat(np.arange(len(counts)), counts)

    def luck(share: float, of_families: bool) -> NDArray[np.float64]:
        drawn: NDArray[np.float64] = rng.standard_normal(len(counts) if of_families else len(family)) * np.sqrt(share)
        return drawn[family] if of_families else drawn

    left = 1 - OWN_LUCK
    common = luck(left * correlation / 2, True) + luck(OWN_LUCK, False)
    arms = []
    for each in truth:
        own = luck(left * correlation / 2, True) + luck(left * (1 - correlation), False)
        arms.append(np.bincount(family[common + own < NormalDist().inv_cdf(each)], minlength=len(counts)))
    return arms


def _holds(found: Estimate, truth: float) -> bool:
    assert found.low is not None and found.high is not None
    return found.low - 1e-12 <= truth <= found.high + 1e-12


def _within(drawn: NDArray[np.float64], truth: float) -> bool:
    low, high = np.percentile(drawn, [2.5, 97.5])
    return bool(low - 1e-12 <= truth <= high + 1e-12)


def summary(found: Sequence[Cell]) -> list[str]:
    """How many cells meet the target, of those that tell enough and of the others."""
    lines = []
    for name, chosen in (("enough failing", True), ("fewer (*)", False)):
        some = [cell for cell in found if cell.telling == chosen]
        for way in ("ours", "percentile"):
            held = np.array([getattr(cell, way) for cell in some])
            below, above = (held < LOW).sum(), (held > HIGH).sum()
            lines.append(
                f"{name}, {way}: {len(some)} cells, mean {held.mean():.1f}, {held.min():.1f} to {held.max():.1f}; "
                f"{below} below {LOW}, {above} above {HIGH}"
            )
    return lines


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=1500)
    parser.add_argument("--resamples", type=int, default=400)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    print("| families | prompts each | correlation | truth | Deliberant | percentile |")
    print("| --- | --- | --- | --- | --- | --- |")
    found = []
    for cell in cells(options.trials, options.resamples, options.seed):
        found.append(cell)
        print(cell.row(), flush=True)
    print("\n".join(["", *summary(found)]))


if __name__ == "__main__":
    main()
