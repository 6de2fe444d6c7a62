"""How far two readers of the same samples agree: rates, Cohen's kappa, Krippendorff's alpha, each with its interval.

Both coefficients (`evals.agreement`) correct for agreement by chance; alpha takes any number of readers.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from deliberant.evals import Estimate, Tally, rate
from deliberant.evals.agreement import alpha
from deliberant.evals.agreement import kappa as cohens_kappa
from deliberant.evals.statistics import RESAMPLES

NO_TRIAL = Tally(0, 0)


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
    figures = []
    for name, applies, missing in kinds:
        tallies = [Tally(pair.people is pair.judge, 1) if applies(pair) else NO_TRIAL for pair in scored]
        figures.append(figure(name, tallies, scored, missing))
    return figures


def kappa(pairs: Sequence[Pair], reviewer: str | None = None, resamples: int = RESAMPLES) -> Figure:
    """Cohen's kappa of people and judge, or of one `reviewer` and the judge, on what both have read."""
    scored = [pair for pair in pairs if pair.judge is not None]

    def estimate(weights: Sequence[float] | None) -> Estimate:
        people, judge = [pair.people for pair in scored], [pair.judge for pair in scored]
        return cohens_kappa(people, judge, [pair.family for pair in scored], weights, resamples)

    unscored = len(pairs) - len(scored)
    if reviewer is not None:
        return Figure(f"Cohen's kappa, judge and {reviewer}", estimate(None), None, unscored)
    return Figure("Cohen's kappa", estimate(None), estimate([pair.weight for pair in scored]), unscored)


def judge_alpha(pairs: Sequence[Pair], resamples: int = RESAMPLES) -> Figure:
    """Krippendorff's alpha of two readers, the people and the judge; it takes no weights."""
    scored = [pair for pair in pairs if pair.judge is not None]
    words = [(pair.people, pair.judge is True) for pair in scored]
    estimate = alpha(words, [pair.family for pair in scored], resamples)
    return Figure("Krippendorff's alpha", estimate, None, len(pairs) - len(scored))


def reviewers_alpha(
    decisions: Mapping[tuple[str, str], bool], families: Mapping[str, str], resamples: int = RESAMPLES
) -> Figure:
    """Krippendorff's alpha between reviewers, over samples that at least two have read.

    `decisions`: (sample, reviewer) -> accepted; `families`: sample -> family. `unscored`: samples that one alone read.
    """
    read: dict[str, list[bool]] = defaultdict(list)
    for (sample, _), decision in decisions.items():
        read[sample].append(decision)
    several = [sample for sample, words in read.items() if len(words) > 1]
    estimate = alpha([read[sample] for sample in several], [families[sample] for sample in several], resamples)
    return Figure("Krippendorff's alpha", estimate, None, len(read) - len(several))


def figure(name: str, tallies: Sequence[Tally], pairs: Sequence[Pair], unscored: int) -> Figure:
    """A rate of the labelled samples, and the same weighted to the run."""
    families, weights = [pair.family for pair in pairs], [pair.weight for pair in pairs]
    return Figure(name, rate(tallies, families), rate(tallies, families, weights=weights), unscored)


def confusion(pairs: Sequence[Pair]) -> dict[str, dict[str, int]]:
    """people's decision -> judge's decision, or unscored -> samples."""
    words = {True: "accept", False: "reject", None: "unscored"}
    return {
        words[people]: {
            words[judge]: sum(pair.people is people and pair.judge is judge for pair in pairs) for judge in words
        }
        for people in (True, False)
    }
