"""Is the judge to be trusted? Its verdicts beside those of people, on the samples that people have labelled.

    deliberant judge calibrate RUN

The paper gives no agreement of its judge with people, neither k nor what a wrong hint does (2.3.2); all three are
measured here. Samples that the filter rejected without asking the judge say nothing about the judge; they count in the
filter's own rows.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import comb
from typing import TYPE_CHECKING, Any

from deliberant.evals import Tally
from deliberant.evals.statistics import RESAMPLES
from deliberant.judge import Verdict, minimum
from deliberant.review.agreement import (
    Figure,
    Pair,
    both,
    confusion,
    judge_alpha,
    kappa,
    rates,
    reviewer_kappa,
    reviewers_alpha,
)
from deliberant.review.people import Labelled, People
from deliberant.review.samples import Entry, Samples

if TYPE_CHECKING:
    from deliberant.util.progress import Progress

Verdicts = Mapping[str, Sequence[Verdict]]
"""Sample -> the judge's readings of it."""


@dataclass(frozen=True)
class Depth:
    """What taking the lowest of `k` readings does: the mean over every choice of k of the readings there are."""

    k: int
    figures: list[Figure]


@dataclass(frozen=True)
class Calibration:
    """All that is measured on a run's labels; `counts` say on what, and what was left out."""

    threshold: int
    counts: dict[str, int]
    confusion: dict[str, dict[str, int]]
    judge: list[Figure]
    filter: list[Figure]
    reviewers: list[Figure]
    clauses: list[Figure]
    depths: list[Depth]

    def json(self) -> dict[str, Any]:
        """The whole as one JSON object."""
        return {
            "threshold": self.threshold,
            "counts": self.counts,
            "confusion": self.confusion,
            **{
                name: [figure.row() for figure in getattr(self, name)]
                for name in ("judge", "filter", "reviewers", "clauses")
            },
            "min_of_k": [
                {"k": depth.k, "figures": [figure.row() for figure in depth.figures]} for depth in self.depths
            ],
        }


def calibrate(
    samples: Samples,
    people: People,
    progress: "Progress",
    readings: Verdicts | None = None,
    resamples: int = RESAMPLES,
) -> Calibration:
    """Every figure. `readings` of the judged samples take the place of the filter's own, to see a larger k."""
    judged = [each for each in people.labelled if each.entry.judged]
    verdicts = {
        each.entry.id: (readings or {}).get(each.entry.id, each.readings) for each in people.read if each.entry.judged
    }
    said = {name: accepted(found, samples.threshold) for name, found in verdicts.items()}
    weight = weights(samples.entries, [each.entry for each in people.labelled])
    pairs = [pair(each, said[each.entry.id], weight) for each in judged]
    names = people.reviewers if len(people.reviewers) > 1 else []
    with progress("intervals", 2 + len(names)) as bar:
        measured = rates(pairs)
        for coefficient in (kappa, judge_alpha):
            measured.append(coefficient(pairs, resamples=resamples))
            bar.advance()
        between = []
        if names:
            between.append(reviewers_alpha(people.decisions, people.families, resamples=resamples))
        for name in names:
            own = [
                Pair(each.prompt.family, decision, said[each.entry.id])
                for each in people.read
                if each.entry.judged and (decision := people.decisions.get((each.entry.id, name))) is not None
            ]
            between.append(reviewer_kappa(own, name, resamples=resamples))
            bar.advance()
    strata = Counter(map(_stratum, samples.entries))
    covered = {_stratum(each.entry) for each in people.labelled}
    return Calibration(
        threshold=samples.threshold,
        counts={
            **people.counts,
            "not_judged": len(people.labelled) - len(judged),
            "judged": len(judged),
            "readings": sum(map(len, verdicts.values())),
            "readings_unscored": sum(one.unscored is not None for each in verdicts.values() for one in each),
            "strata": len(strata),
            "strata_without_label": len(strata.keys() - covered),
            "samples_in_strata_without_label": sum(n for stratum, n in strata.items() if stratum not in covered),
        },
        confusion=confusion(pairs),
        judge=measured,
        filter=rates([pair(each, each.entry.kept, weight) for each in people.labelled]),
        reviewers=between,
        clauses=_clauses(people.labelled, verdicts, weight),
        depths=depths(judged, verdicts, weight, samples.threshold),
    )


def of_pairs(pairs: Sequence[Pair], threshold: int, counts: dict[str, int]) -> Calibration:
    """The judge's figures alone: of pairs that no filter and no several reviewers stand behind."""
    figures = [*rates(pairs), kappa(pairs), judge_alpha(pairs)]
    return Calibration(threshold, counts, confusion(pairs), figures, [], [], [], [])


def pair(each: Labelled, judge: bool | None, weight: Mapping[Entry, float]) -> Pair:
    """A labelled sample beside a decision of the judge or the filter."""
    return Pair(each.prompt.family, each.people, judge, weight[each.entry])


def accepted(verdicts: Sequence[Verdict], threshold: int) -> bool | None:
    """Whether the lowest score reaches the threshold; None where no reading has a score."""
    score = minimum(verdicts)
    return None if score is None else score >= threshold


def weights(entries: Sequence[Entry], labelled: Sequence[Entry]) -> dict[Entry, float]:
    """How many samples of the run each labelled one stands for: those of its stratum, over the labelled ones there.

    People read as many rejected samples as kept ones, or what they please; the run has them in other shares. Holds as
    far as the labelled samples of a stratum were drawn by chance.
    """
    strata, read = Counter(map(_stratum, entries)), Counter(map(_stratum, labelled))
    return {entry: strata[_stratum(entry)] / read[_stratum(entry)] for entry in labelled}


def depths(
    judged: Sequence[Labelled], verdicts: Verdicts, weight: Mapping[Entry, float], threshold: int
) -> list[Depth]:
    """The lowest of k readings for every k that each sample has readings for."""
    most = min((len(verdicts[each.entry.id]) for each in judged), default=0)
    return [
        Depth(k, _depth(judged, [chances(verdicts[each.entry.id], k, threshold) for each in judged], weight))
        for k in range(1, most + 1)
    ]


def chances(verdicts: Sequence[Verdict], k: int, threshold: int) -> tuple[float, float]:
    """The chances that k of these readings, drawn without replacement, accept the sample, and that they score it.

    Unscored readings are left out of the lowest score: k readings accept if each of them either accepts or has no
    score and at least one has, so (C(a + u, k) - C(u, k)) / C(n, k) with a accepting and u unscored of n.
    """
    accepting = sum(one.score is not None and one.score >= threshold for one in verdicts)
    unscored = sum(one.score is None for one in verdicts)
    ways = comb(len(verdicts), k)
    return (comb(accepting + unscored, k) - comb(unscored, k)) / ways, 1 - comb(unscored, k) / ways


def _depth(
    judged: Sequence[Labelled], found: Sequence[tuple[float, float]], weight: Mapping[Entry, float]
) -> list[Figure]:
    pairs = [pair(each, None, weight) for each in judged]
    none = Tally(0, 0)
    kinds = {
        "accepted": [Tally(accepts, scores) for accepts, scores in found],
        "agreement": [
            Tally(accepts if each.people else scores - accepts, scores)
            for each, (accepts, scores) in zip(judged, found, strict=True)
        ],
        "false accept": [
            none if each.people else Tally(accepts, scores)
            for each, (accepts, scores) in zip(judged, found, strict=True)
        ],
        "false reject": [
            Tally(scores - accepts, scores) if each.people else none
            for each, (accepts, scores) in zip(judged, found, strict=True)
        ],
    }
    applies = {"false accept": False, "false reject": True}
    return [
        Figure(
            name,
            *both(tallies, pairs),
            round(
                sum(
                    1 - scores
                    for each, (_, scores) in zip(judged, found, strict=True)
                    if applies.get(name, each.people) is each.people
                )
            ),
        )
        for name, tallies in kinds.items()
    ]


def _clauses(labelled: Sequence[Labelled], verdicts: Verdicts, weight: Mapping[Entry, float]) -> list[Figure]:
    """Who finds the clause that people say applies: the sample itself, and the reading that decided its score."""
    known = [each for each in labelled if each.clause is not None]
    judged = [each for each in known if each.entry.judged]
    named = [_deciding(verdicts[each.entry.id]) for each in judged]
    own = [Tally(each.clause in each.row["cited"], 1) for each in known]
    read = [
        Tally(one.clause == each.clause, 1) if one is not None else Tally(0, 0)
        for each, one in zip(judged, named, strict=True)
    ]
    return [
        Figure("sample cites people's clause", *both(own, [pair(each, None, weight) for each in known]), 0),
        Figure(
            "judge names people's clause", *both(read, [pair(each, None, weight) for each in judged]), named.count(None)
        ),
    ]


def _deciding(verdicts: Sequence[Verdict]) -> Verdict | None:
    """The first reading with the lowest score."""
    return next((one for one in verdicts if one.score is not None and one.score == minimum(verdicts)), None)


def _stratum(entry: Entry) -> tuple[str, bool, bool]:
    return entry.area, entry.kept, entry.judged
