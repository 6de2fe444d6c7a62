"""How far two readers of the same samples agree: rates, Cohen's kappa, Krippendorff's alpha, each with its interval.

Cohen's kappa (1960) is scikit-learn's, Krippendorff's alpha for nominal data (2011) the package's of that name. Both
correct for agreement by chance; alpha takes any number of readers, each of whom may have read only some of the samples.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deliberant.evals import Estimate, Tally, rate
from deliberant.evals.statistics import coefficient


@dataclass(frozen=True)
class Pair:
    """One sample read by both: what `people` said and what the other one, the judge, said (None: it gave no score).

    `weight`: how many samples of the run it stands for.
    """

    family: str
    people: bool
    judge: bool | None
    weight: float = 1.0


@dataclass(frozen=True)
class Figure:
    """One measure: `labelled` over the samples that were labelled, `run` weighted to all that the run has.

    `run` is None where weighting has no meaning. `unscored`: samples that this measure would count if they had a score.
    """

    name: str
    labelled: Estimate
    run: Estimate | None
    unscored: int

    def row(self) -> dict[str, Any]:
        """As JSON; `run` null where it has no meaning."""
        run = None if self.run is None else {key: getattr(self.run, key) for key in ("value", "low", "high")}
        return {"figure": self.name, **asdict(self.labelled), "unscored": self.unscored, "run": run}


def rates(pairs: Sequence[Pair]) -> list[Figure]:
    """Accuracy, and precision and recall of accepting and of rejecting, people being right."""
    scored = [pair for pair in pairs if pair.judge is not None]
    unscored = {word: sum(pair.judge is None and pair.people is word for pair in pairs) for word in (True, False)}
    nobody = sum(unscored.values())
    kinds: list[tuple[str, Callable[[Pair], bool], int]] = [
        ("accuracy", lambda pair: True, nobody),
        ("precision of accept", lambda pair: pair.judge is True, nobody),
        ("recall of accept", lambda pair: pair.people, unscored[True]),
        ("precision of reject", lambda pair: pair.judge is False, nobody),
        ("recall of reject", lambda pair: not pair.people, unscored[False]),
    ]
    found = []
    for name, applies, missing in kinds:
        tallies = [Tally(pair.people is pair.judge, 1) if applies(pair) else Tally(0, 0) for pair in scored]
        found.append(Figure(name, *both(tallies, scored), missing))
    return found


def kappa(pairs: Sequence[Pair], name: str = "Cohen's kappa") -> Figure:
    """Cohen's kappa of people and judge."""
    scored = [pair for pair in pairs if pair.judge is not None]
    people = np.array([pair.people for pair in scored], dtype=np.int64)
    judge = np.array([pair.judge for pair in scored], dtype=np.int64)

    def estimated(weights: NDArray[np.float64]) -> Estimate:
        return coefficient(lambda at: cohen(people[at], judge[at], weights[at]), [pair.family for pair in scored])

    weighted = estimated(np.array([pair.weight for pair in scored]))
    return Figure(name, estimated(np.ones(len(scored))), weighted, len(pairs) - len(scored))


def judge_alpha(pairs: Sequence[Pair]) -> Figure:
    """Krippendorff's alpha of two readers, the people and the judge; the library takes no weights."""
    scored = [pair for pair in pairs if pair.judge is not None]
    table = np.array([[float(pair.people), float(pair.judge or False)] for pair in scored]).reshape(-1, 2).T
    found = coefficient(lambda at: alpha(table[:, at]), [pair.family for pair in scored])
    return Figure("Krippendorff's alpha", found, None, len(pairs) - len(scored))


def both(tallies: Sequence[Tally], pairs: Sequence[Pair]) -> tuple[Estimate, Estimate]:
    """A rate of the labelled samples and the same weighted to the run."""
    families = [pair.family for pair in pairs]
    return rate(tallies, families), rate(tallies, families, weights=[pair.weight for pair in pairs])


def confusion(pairs: Sequence[Pair]) -> dict[str, dict[str, int]]:
    """people's decision -> judge's decision, or unscored -> samples."""
    words = {True: "accept", False: "reject", None: "unscored"}
    return {
        words[people]: {
            words[judge]: sum(pair.people is people and pair.judge is judge for pair in pairs) for judge in words
        }
        for people in (True, False)
    }


def reviewers_alpha(decisions: Mapping[tuple[str, str], bool], families: Mapping[str, str]) -> Figure:
    """Krippendorff's alpha between reviewers, over samples that at least two have read.

    `decisions`: (sample, reviewer) -> accepted; `families`: sample -> family. Samples that one alone has read are in
    `unscored`.
    """
    readers = sorted({reviewer for _, reviewer in decisions})
    samples = list(dict.fromkeys(sample for sample, _ in decisions))
    table = np.array(
        [[float(decisions.get((sample, reader), math.nan)) for sample in samples] for reader in readers]
    ).reshape(len(readers), len(samples))
    several = np.flatnonzero((~np.isnan(table)).sum(axis=0) >= 2)
    table = table[:, several]
    found = coefficient(lambda at: alpha(table[:, at]), [families[samples[place]] for place in several])
    return Figure("Krippendorff's alpha", found, None, len(samples) - len(several))


def cohen(first: NDArray[np.int64], second: NDArray[np.int64], weights: NDArray[np.float64]) -> float:
    """Cohen's kappa; NaN where both say the same of every sample, since chance alone would do that."""
    from sklearn.metrics import cohen_kappa_score

    if len(first) == 0 or (first.min() == first.max() == second.min() == second.max()):
        return math.nan
    return float(cohen_kappa_score(first, second, labels=[0, 1], sample_weight=weights))


def alpha(table: NDArray[np.float64]) -> float:
    """Krippendorff's alpha of readers by samples, NaN = not read; NaN where only one decision was ever made."""
    import krippendorff

    values = np.unique(table[~np.isnan(table)])
    if len(values) < 2:
        return math.nan
    return float(krippendorff.alpha(reliability_data=table, level_of_measurement="nominal", value_domain=[0.0, 1.0]))
