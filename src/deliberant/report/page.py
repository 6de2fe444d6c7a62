"""report.html from what a run left: gathers the numbers, draws the charts, fills the one template.

The page needs no network and no library.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from deliberant.evals import METRICS, ScoredSample, compare_paired
from deliberant.policy import Policy
from deliberant.report.card import rejections
from deliberant.report.coverage import Coverage, Tally, titles
from deliberant.report.facets import (
    ATTACK,
    BUDGET,
    DRAWS,
    LANGUAGE,
    draw_charts,
    drop_faceted,
    tabulate_facets,
    tabulate_flips,
)
from deliberant.report.moved import cost_lines, move_rows
from deliberant.report.plots import draw_sides
from deliberant.report.reader import reader_data
from deliberant.report.selection import worked_example
from deliberant.report.templates import link_citations, page_environment
from deliberant.report.terminal import earned_lines
from deliberant.report.training import find_talked_into, held_out_curves, training_curves
from deliberant.run.arms import ARMS, final_of

HEADLINE, OUT_OF_DISTRIBUTION = "unseen", "encoded"
ACROSS, UP = "harmless_answered", "harmful_declined"
TITLES = ("harmless answered", "harmful declined")
"""Right and up in the plot of a suite."""
Row = dict[str, Any]


@dataclass(frozen=True)
class Evidence:
    """All that the page shows. `stages`: manifests in the run's order; `metrics`: rows of metrics.jsonl per arm.

    `rows`: result rows, also those that are told apart by attack, language, budget or number of draws (facets.py).
    `retrieval`, `thinking`: what evals/retrieval.py and evals/thinking.py say of the reasoning.
    `spent`: planned and actual figures of each stage (stages/plan.py). `held_out`: held_out.json of each arm that has
    one, `readings` its held_out.jsonl. `moved` and `cost`: of an incremental run, what stages/moved.py says of it.
    """

    name: str
    policy: Policy
    recipe: str
    facts: dict[str, str]
    notes: Sequence[str]
    stages: Sequence[Row]
    rows: Sequence[Row]
    samples: dict[str, list[ScoredSample]]
    metrics: dict[str, list[Row]]
    held_out: dict[str, Row] = field(default_factory=dict)
    readings: dict[str, list[Row]] = field(default_factory=dict)
    coverage: Coverage | None = None
    moved: Row | None = None
    cost: Row | None = None
    spent: Sequence[Row] = ()
    retrieval: Sequence[Row] = ()
    thinking: Sequence[Row] = ()


def render(evidence: Evidence) -> str:
    """The whole page as HTML."""
    arms = list(evidence.samples)
    environment = page_environment(arms)
    environment.globals["linked"] = lambda text: link_citations(text, evidence.policy.clauses)
    rows = drop_faceted(evidence.rows)
    suites = list(dict.fromkeys(row["suite"] for row in rows))
    headline = HEADLINE if HEADLINE in suites else suites[0]
    final = final_of(arms)
    defined = [metric.name for metric in METRICS]
    cell = {(row["arm"], row["suite"], row["metric"]): row for row in rows}
    filtered: dict[str, Any] = next((stage["counts"] for stage in evidence.stages if stage["stage"] == "filter"), {})
    return environment.get_template("page.html").render(
        run=evidence,
        arms=arms,
        ARMS=ARMS,
        suites=[headline, *(suite for suite in suites if suite != headline)],
        headline=headline,
        final=final,
        ood=OUT_OF_DISTRIBUTION if OUT_OF_DISTRIBUTION in suites else None,
        cell=cell,
        metrics=METRICS,
        names=[*defined, *dict.fromkeys(row["metric"] for row in rows if row["metric"] not in defined)],
        plots={suite: draw_sides(cell, arms, (suite, ACROSS), (suite, UP), TITLES) for suite in suites},
        attacks=tabulate_facets(evidence.rows, ATTACK, final),
        languages=tabulate_facets(evidence.rows, LANGUAGE, final),
        budgets=draw_charts(evidence.rows, BUDGET),
        draws=draw_charts(evidence.rows, DRAWS),
        thinking=tabulate_flips(evidence.thinking),
        reasoned={(row["arm"], row["style"], row["metric"]): row for row in evidence.retrieval},
        curves=[*training_curves(evidence.metrics), *held_out_curves(evidence.readings)],
        talked=find_talked_into(evidence.readings),
        earned=list(earned_lines(evidence.held_out)),
        accepted=acceptance(filtered),
        rejections=[(reason, n) for reason, n in Counter(rejections(filtered)).most_common() if n],
        gains=gains(evidence, headline),
        moves=move_rows(evidence.moved) if evidence.moved else [],
        cost=cost_lines(evidence.cost) if evidence.cost else None,
        covered=titles(evidence.coverage.columns) if evidence.coverage else [],
        example=worked_example(evidence.samples),
        reader=reader_data(evidence.samples, evidence.policy),
    )


def acceptance(counts: Mapping[str, int]) -> list[Row]:
    """Accept rate of the filter per category and in all, each with Wilson's interval."""
    names = [name.removeprefix("samples/") for name in counts if name.startswith("samples/")]
    pairs = [(name, counts[f"kept/{name}"], counts[f"samples/{name}"]) for name in names]
    if counts.get("samples"):
        pairs.append(("all", counts["kept"], counts["samples"]))
    return [{"name": name, "n": n, **Tally(samples=n, kept=kept).row()} for name, kept, n in pairs]


def gains(evidence: Evidence, suite: str) -> list[tuple[str, dict[str, Row]]]:
    """How much the last arm of the method exceeds each other arm on the same prompts of one suite, by metric."""
    samples = {
        arm: [sample for sample in members if sample.case.suite == suite] for arm, members in evidence.samples.items()
    }
    final = final_of(samples)
    chosen = [metric for metric in METRICS if metric.name in ("style", "harmful_declined", "harmless_answered")]
    return [
        (
            arm,
            {metric.name: vars(compare_paired(samples[final], members, metric, evidence.policy)) for metric in chosen},
        )
        for arm, members in samples.items()
        if arm != final
    ]
