"""What an edit of the policy moved: the answers of two runs to the same cases, both read by the policy as it is now.

The old run's answers stand for not having trained on the edit. Differences are paired, and resampled by prompt family.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from typing import Any, Unpack

from deliberant.evals.metrics import METRICS, clause_facts
from deliberant.evals.samples import ScoredSample
from deliberant.evals.statistics import Bootstrap, difference, rate
from deliberant.policy import Policy
from deliberant.prompts import Case

ASKED_ANEW, TOUCHED, UNTOUCHED = PARTS = ("asked anew", "touched", "untouched")
"""Cases of which the policy now asks another style or clause; others of touched categories; all the rest."""
SHOWN = ("style", "compliance")


def moves(
    old: Sequence[ScoredSample],
    new: Sequence[ScoredSample],
    policy: Policy,
    touches: Callable[[Case], bool],
    **bootstrap: Unpack[Bootstrap],
) -> list[dict[str, Any]]:
    """Rows {arm, suite, part, metric, old, new, change, unscored} over the cases that both runs answered.

    `old`, `new` and `change` (new minus old) are {value, low, high, n}; `unscored` counts cases that one of the two
    has no reading for, which are left out. Parts without a case have no row.
    """
    clauses = clause_facts(policy)
    before = {(sample.arm, sample.case.prompt.id): sample for sample in old}
    groups: dict[tuple[str, str, str], list[tuple[ScoredSample, ScoredSample]]] = {}
    for sample in new:
        was = before.get((sample.arm, sample.case.prompt.id))
        if was is None or was.case.prompt.messages != sample.case.prompt.messages:
            continue
        part = UNTOUCHED if not touches(sample.case) else TOUCHED
        if (was.case.truth.style, was.case.truth.clause) != (sample.case.truth.style, sample.case.truth.clause):
            part = ASKED_ANEW
        groups.setdefault((sample.arm, sample.case.suite, part), []).append((replace(was, case=sample.case), sample))
    rows = []
    order = {key: place for place, key in enumerate(dict.fromkeys((arm, suite) for arm, suite, _ in groups))}
    for arm, suite, part in sorted(groups, key=lambda key: (order[key[:2]], PARTS.index(key[2]))):
        pairs = groups[arm, suite, part]
        for metric in (each for each in METRICS if each.name in SHOWN):
            read = [
                (metric.read(was, clauses), metric.read(now, clauses), now.case.prompt.family) for was, now in pairs
            ]
            scored = [(was, now, family) for was, now, family in read if was is not None and now is not None]
            olds, news = [was for was, _, _ in scored], [now for _, now, _ in scored]
            families = [family for _, _, family in scored]
            rows.append(
                {
                    "arm": arm,
                    "suite": suite,
                    "part": part,
                    "metric": metric.name,
                    "old": asdict(rate(olds, families, **bootstrap)),
                    "new": asdict(rate(news, families, **bootstrap)),
                    "change": asdict(difference(news, olds, families, **bootstrap)),
                    "unscored": len(pairs) - len(scored),
                }
            )
    return rows
