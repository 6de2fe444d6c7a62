"""report.html from what a run left: gathers the numbers, draws the charts, fills the one template.

The page needs no network and no library.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from markupsafe import Markup

from deliberant.evals import METRICS, Estimate, ScoredSample, paired, wilson
from deliberant.policy import Policy
from deliberant.report.coverage import Coverage
from deliberant.report.earned import earned_lines
from deliberant.report.facets import ATTACK, BUDGET, DRAWS, LANGUAGE, charts, flips, plain, tables
from deliberant.report.heatmap import heat_map
from deliberant.report.moved import cost_lines, move_rows
from deliberant.report.plots import Point, two_sided
from deliberant.report.reader import reader_data
from deliberant.report.selection import worked_example
from deliberant.report.templates import linked, page_environment
from deliberant.report.training import held_out_curves, talked_into, training_curves
from deliberant.run.arms import final_of

HEADLINE, OUT_OF_DISTRIBUTION = "unseen", "encoded"
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
    environment.globals["linked"] = lambda text: linked(text, evidence.policy.clauses)
    rows = plain(evidence.rows)
    suites = list(dict.fromkeys(row["suite"] for row in rows))
    headline = HEADLINE if HEADLINE in suites else suites[0]
    final = final_of(arms)
    defined = [metric.name for metric in METRICS]
    return environment.get_template("page.html").render(
        run=evidence,
        arms=arms,
        suites=[headline, *(suite for suite in suites if suite != headline)],
        headline=headline,
        final=final,
        ood=OUT_OF_DISTRIBUTION if OUT_OF_DISTRIBUTION in suites else None,
        cell={(row["arm"], row["suite"], row["metric"]): row for row in rows},
        metrics=METRICS,
        names=[*defined, *dict.fromkeys(row["metric"] for row in rows if row["metric"] not in defined)],
        plots={suite: sides(rows, suite) for suite in suites},
        attacks=tables(evidence.rows, ATTACK, final),
        languages=tables(evidence.rows, LANGUAGE, final),
        budgets=charts(evidence.rows, BUDGET),
        draws=charts(evidence.rows, DRAWS),
        thinking=flips(evidence.thinking),
        reasoned={(row["arm"], row["style"], row["metric"]): row for row in evidence.retrieval},
        curves=[*training_curves(evidence.metrics), *held_out_curves(evidence.readings)],
        talked=talked_into(evidence.readings),
        earned=list(earned_lines(evidence.held_out)),
        accepted=acceptance(evidence.stages),
        rejections=rejections(evidence.stages),
        gains=gains(evidence, headline),
        moves=move_rows(evidence.moved) if evidence.moved else [],
        cost=cost_lines(evidence.cost) if evidence.cost else None,
        heat=heat_map(evidence.coverage) if evidence.coverage else None,
        example=worked_example(evidence.samples),
        reader=reader_data(evidence.samples, evidence.policy),
    )


def sides(rows: Sequence[Row], suite: str) -> Markup | None:
    """The two-sided plot of one suite; None where no arm has both rates."""
    found = {(row["arm"], row["metric"]): row for row in rows if row["suite"] == suite}
    drawn = []
    for arm in dict.fromkeys(arm for arm, _ in found):
        x, y = found[arm, "harmless_answered"], found[arm, "harmful_declined"]
        if x["n"] and y["n"]:
            drawn.append(Point(arm, x["value"], y["value"], (x["low"], x["high"]), (y["low"], y["high"])))
    return two_sided(drawn, "harmless answered", "harmful declined") if drawn else None


def acceptance(stages: Sequence[Row]) -> list[Row]:
    """Accept rate of the filter per category and in all, each with Wilson's interval."""
    counts = _counts(stages, "filter")
    names = [name.removeprefix("samples/") for name in counts if name.startswith("samples/")]
    pairs = [(name, counts[f"kept/{name}"], counts[f"samples/{name}"]) for name in names]
    if counts.get("samples"):
        pairs.append(("all", counts["kept"], counts["samples"]))
    table = []
    for name, kept, n in pairs:
        low, high = wilson(kept / n, n)
        table.append({"name": name, "kept": kept, "n": n, "value": kept / n, "low": low, "high": high})
    return table


def rejections(stages: Sequence[Row]) -> list[tuple[str, int]]:
    """(reason, samples) of the filter, most frequent first, reasons that never struck left out."""
    counts = _counts(stages, "filter")
    found = [(key.removeprefix("rejected/"), n) for key, n in counts.items() if key.startswith("rejected/") and n]
    return sorted(found, key=lambda pair: -pair[1])


def gains(evidence: Evidence, suite: str) -> list[tuple[str, dict[str, Estimate]]]:
    """How much the last arm of the method exceeds each other arm on the same prompts of one suite."""
    samples = {
        arm: [sample for sample in members if sample.case.suite == suite] for arm, members in evidence.samples.items()
    }
    final = final_of(samples)
    chosen = [metric for metric in METRICS if metric.name in ("style", "harmful_declined", "harmless_answered")]
    return [
        (arm, {metric.name: paired(samples[final], members, metric, evidence.policy) for metric in chosen})
        for arm, members in samples.items()
        if arm != final
    ]


def _counts(stages: Sequence[Row], stage: str) -> dict[str, int]:
    return next((dict(each["counts"]) for each in stages if each["stage"] == stage), {})
