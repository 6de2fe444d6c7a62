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
    NO_TRIAL,
    Figure,
    Pair,
    confusion,
    figure,
    judge_alpha,
    kappa,
    rates,
    reviewers_alpha,
)
from deliberant.review.people import Labelled, People
from deliberant.review.samples import Samples

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
        groups = ("judge", "filter", "reviewers", "clauses")
        return {
            **{name: getattr(self, name) for name in ("threshold", "counts", "confusion")},
            **{name: [each.row() for each in getattr(self, name)] for name in groups},
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
    verdicts = {each.entry.id: each.entry.readings for each in people.read if each.entry.judged} | dict(readings or {})
    decisions = {name: decide(read, samples.threshold) for name, read in verdicts.items()}
    pairs = [pair(each, decisions[each.entry.id]) for each in judged]
    names = people.reviewers if len(people.reviewers) > 1 else []
    with progress("intervals", 2 + len(names)) as bar:
        of_judge = [*rates(pairs), kappa(pairs, resamples=resamples), judge_alpha(pairs, resamples=resamples)]
        bar.advance(2)
        between = [reviewers_alpha(people.decisions, people.families, resamples=resamples)] if names else []
        for name in names:
            own = [
                Pair(each.prompt.family, decision, decisions[each.entry.id])
                for each in people.read
                if each.entry.judged and (decision := people.decisions.get((each.entry.id, name))) is not None
            ]
            between.append(kappa(own, name, resamples))
            bar.advance()
    strata = Counter(entry.stratum for entry in samples.entries)
    unread = strata.keys() - {each.entry.stratum for each in people.labelled}
    return Calibration(
        threshold=samples.threshold,
        counts={
            **people.counts,
            "not_judged": len(people.labelled) - len(judged),
            "judged": len(judged),
            "readings": sum(map(len, verdicts.values())),
            "readings_unscored": sum(one.unscored is not None for read in verdicts.values() for one in read),
            "strata": len(strata),
            "strata_without_label": len(unread),
            "samples_in_strata_without_label": sum(strata[stratum] for stratum in unread),
        },
        confusion=confusion(pairs),
        judge=of_judge,
        filter=rates([pair(each, each.entry.kept) for each in people.labelled]),
        reviewers=between,
        clauses=_clauses(people.labelled, verdicts),
        depths=depths(judged, verdicts, samples.threshold),
    )


def calibrate_pairs(pairs: Sequence[Pair], threshold: int, counts: dict[str, int]) -> Calibration:
    """The judge's figures alone: of pairs that no filter and no several reviewers stand behind."""
    figures = [*rates(pairs), kappa(pairs), judge_alpha(pairs)]
    return Calibration(threshold, counts, confusion(pairs), figures, [], [], [], [])


def pair(each: Labelled, judge: bool | None = None) -> Pair:
    """A labelled sample beside a decision of the judge or the filter."""
    return Pair(each.prompt.family, each.people, judge, each.weight)


def decide(verdicts: Sequence[Verdict], threshold: int) -> bool | None:
    """Whether the lowest score reaches the threshold; None where no reading has a score."""
    score = minimum(verdicts)
    return None if score is None else score >= threshold


def depths(judged: Sequence[Labelled], verdicts: Verdicts, threshold: int) -> list[Depth]:
    """The lowest of k readings for every k that each sample has readings for."""
    most = min((len(verdicts[each.entry.id]) for each in judged), default=0)
    return [
        Depth(k, _depth([(each, *chances(verdicts[each.entry.id], k, threshold)) for each in judged]))
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


def _depth(judged: Sequence[tuple[Labelled, float, float]]) -> list[Figure]:
    """Of samples, each with the chances that it is accepted and that it is scored."""
    pairs, figures = [pair(each) for each, _, _ in judged], []
    for name, applies in (("accepted", None), ("agreement", None), ("false accept", False), ("false reject", True)):
        tallies, unscored = [], 0.0
        for each, accepts, scores in judged:
            if applies is not None and each.people is not applies:
                tallies.append(NO_TRIAL)
                continue
            rejected = name == "false reject" or (name == "agreement" and not each.people)
            tallies.append(Tally(scores - accepts if rejected else accepts, scores))
            unscored += 1 - scores
        figures.append(figure(name, tallies, pairs, round(unscored)))
    return figures


def _clauses(labelled: Sequence[Labelled], verdicts: Verdicts) -> list[Figure]:
    """Who finds the clause that people say applies: the sample itself, and the reading that decided its score."""
    known = [each for each in labelled if each.clause is not None]
    judged = [each for each in known if each.entry.judged]
    deciding = [_deciding(verdicts[each.entry.id]) for each in judged]
    own = [Tally(each.clause in each.entry.row["cited"], 1) for each in known]
    read = [
        NO_TRIAL if reading is None else Tally(reading.clause == each.clause, 1)
        for each, reading in zip(judged, deciding, strict=True)
    ]
    return [
        figure("sample cites people's clause", own, [pair(each) for each in known], 0),
        figure("judge names people's clause", read, [pair(each) for each in judged], deciding.count(None)),
    ]


def _deciding(verdicts: Sequence[Verdict]) -> Verdict | None:
    """The first reading with the lowest score."""
    return min((one for one in verdicts if one.score is not None), key=lambda one: one.score or 0, default=None)
