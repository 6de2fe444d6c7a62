"""Evaluation: cases answered by an arm, read, counted and given intervals. Inspect hosts it; importing this does not.

`deliberant.evals.registry` is what Inspect's entry point imports: the provider `deliberant/<path>` and the tasks.
"""

from deliberant.evals.metrics import METRICS, compare_paired, compliant, rows
from deliberant.evals.robustness import all_hold, goodness_at
from deliberant.evals.samples import ScoredSample, StyleReader, from_row, to_row
from deliberant.evals.statistics import Estimate, Tally, difference, rate, wilson

__all__ = [
    "METRICS",
    "Estimate",
    "ScoredSample",
    "StyleReader",
    "Tally",
    "all_hold",
    "compare_paired",
    "compliant",
    "difference",
    "from_row",
    "goodness_at",
    "rate",
    "rows",
    "to_row",
    "wilson",
]
