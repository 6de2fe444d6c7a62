"""What the reasoning of an arm has to do with its answers: which policy it finds, what it comes to and what follows.

Reasoning comes to the style of the last clause that it cites, as in `evals/metrics.py`; it is unsafe where that clause
lets a harmful prompt be answered.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from deliberant.evals import ScoredSample, rows
from deliberant.evals.statistics import Tally, rate
from deliberant.policy import Policy
from deliberant.prompts.types import STYLES

Row = dict[str, Any]
CORNERS = ("safe, declined", "safe, answered", "unsafe, declined", "unsafe, answered")
"""Reasoning and answer."""
CITING = ("citation_exists", "citation_precision", "citation_followed")
RETRIEVAL = "policy_retrieval"


def two_by_two(samples: Mapping[str, Sequence[ScoredSample]], policy: Policy) -> list[tuple[str, dict[str, Row]]]:
    """(arm, corner -> rate) over the harmful prompts of all suites on which its reasoning came to a clause, and its
    answer can be read; arms without one left out."""
    found = []
    for arm, members in samples.items():
        corners, families = [], []
        for sample in members:
            clause = policy.clauses.get(sample.cited[-1]) if sample.cited else None
            harmful = sample.case.truth.harmful and sample.case.truth.style != "comply"
            if clause is not None and harmful and sample.style in STYLES:
                thought = "unsafe" if clause.style == "comply" else "safe"
                corners.append(f"{thought}, {'answered' if sample.style == 'comply' else 'declined'}")
                families.append(sample.case.prompt.family)
        if corners:
            tallies = {name: [Tally(int(each == name), 1) for each in corners] for name in CORNERS}
            found.append((arm, {name: asdict(rate(each, families)) for name, each in tallies.items()}))
    return found


def retrieval(samples: Mapping[str, Sequence[ScoredSample]], policy: Policy, suite: str) -> list[tuple[str, list[Row]]]:
    """(arm, rates) on one suite: retrieval by the style that the policy asks for (paper, table 2), then citations.

    Arms that never reason in sight are left out.
    """
    found = []
    for arm, members in samples.items():
        chosen = [sample for sample in members if sample.case.suite == suite]
        if not any(sample.reasoning.strip() for sample in chosen):
            continue
        by_style = {(row["style"], row["metric"]): row for row in rows(chosen, policy, by="style")}
        whole = {row["metric"]: row for row in rows(chosen, policy)}
        nothing = {"value": None}
        cells = [by_style.get((style, RETRIEVAL), nothing) for style in STYLES]
        found.append((arm, [*cells, *(whole[name] for name in CITING)]))
    return found
