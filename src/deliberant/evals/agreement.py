"""How far two readings of the same samples agree, beyond chance; and a second judge's reading of a sample of answers.

Cohen's kappa (1960) is scikit-learn's, Krippendorff's alpha for nominal data (2011) Inspect's (the package
`krippendorff` is under the GPL). Alpha takes any number of readers, who may have read only some of the samples.
"""

import math
from collections.abc import Callable, Hashable, Sequence
from dataclasses import asdict, replace
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from deliberant.evals.samples import ScoredSample
from deliberant.evals.statistics import RESAMPLES, Estimate, Tally, coefficient, rate
from deliberant.util.files import fingerprint


def kappa(
    ours: Sequence[Hashable],
    theirs: Sequence[Hashable],
    families: Sequence[str],
    weights: Sequence[float] | None = None,
    resamples: int = RESAMPLES,
) -> Estimate:
    """Cohen's kappa of two readers. No value where both say the same of every sample: chance alone would do that."""
    from sklearn.metrics import cohen_kappa_score

    codes = _codes([*ours, *theirs])
    one, other = codes[: len(ours)], codes[len(ours) :]
    weight = np.array(weights or [1.0] * len(ours))
    labels = sorted(set(codes.tolist()))

    def statistic(at: NDArray[np.intp]) -> float:
        if len(set(one[at]) | set(other[at])) < 2:
            return math.nan
        return float(cohen_kappa_score(one[at], other[at], labels=labels, sample_weight=weight[at]))

    return coefficient(statistic, families, resamples=resamples)


def alpha(read: Sequence[Sequence[Hashable]], families: Sequence[str], resamples: int = RESAMPLES) -> Estimate:
    """Krippendorff's alpha. `read`: what two or more readers said of each sample. No value where all said the same."""
    from inspect_ai.scorer import SampleScore, Score, krippendorff_alpha

    codes = iter(_codes([word for words in read for word in words]).tolist())
    scores = [SampleScore(score=Score(value=[next(codes) for _ in words])) for words in read]
    compute = cast(Callable[[list[SampleScore]], float], krippendorff_alpha(level="nominal"))

    def statistic(at: NDArray[np.intp]) -> float:
        if len({word for place in at for word in read[place]}) < 2:
            return math.nan
        return compute([scores[place] for place in at])

    return coefficient(statistic, families, resamples=resamples)


def _codes(words: Sequence[Hashable]) -> NDArray[np.int64]:
    known: dict[Hashable, int] = {}
    return np.array([known.setdefault(word, len(known)) for word in words], dtype=np.int64)


def draw_for_second(samples: Sequence[ScoredSample], n: int, seed: int = 0) -> list[ScoredSample]:
    """At most `n` of the samples that a judge was asked about, drawn by a hash of seed and id."""
    asked = [sample for sample in samples if sample.verdicts]
    return sorted(asked, key=lambda each: fingerprint([seed, each.arm, each.case.prompt.id, each.epoch]))[:n]


def strip_grade(sample: ScoredSample) -> ScoredSample:
    """The sample as it was before a judge read it."""
    return replace(sample, style=None, harm=None, judged=False, verdicts=())


def agreement(
    first: Sequence[ScoredSample], second: Sequence[ScoredSample], resamples: int = RESAMPLES
) -> dict[str, Any]:
    """How far two gradings of the same samples, in the same order, give the same style.

    {agree, kappa, alpha, unscored}, the last for answers that one of the two gave no verdict on.
    """
    pairs = [(a, b) for a, b in zip(first, second, strict=True) if not a.unscored and not b.unscored]
    families = [a.case.prompt.family for a, _ in pairs]
    ours, theirs = [a.style for a, _ in pairs], [b.style for _, b in pairs]
    alike = [Tally(int(a == b), 1) for a, b in zip(ours, theirs, strict=True)]
    return {
        "agree": asdict(rate(alike, families, resamples=resamples)),
        "kappa": asdict(kappa(ours, theirs, families, resamples=resamples)),
        "alpha": asdict(alpha(list(zip(ours, theirs, strict=True)), families, resamples=resamples)),
        "unscored": len(first) - len(pairs),
    }
