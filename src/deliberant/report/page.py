"""report.html from what a run left: gathers the numbers, draws the charts, fills the one template.

The page needs no network and no library. Whatever a model or a user wrote is escaped by the template engine; nothing
but this package's own markup is marked safe.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from deliberant.evals import METRICS, Estimate, ScoredSample, paired, wilson
from deliberant.policy import Policy
from deliberant.policy.citations import CITATION
from deliberant.report.coverage import Coverage
from deliberant.report.earned import earned_lines
from deliberant.report.heatmap import heat_map
from deliberant.report.moved import cost_lines, move_rows
from deliberant.report.plots import Point, Series, css_class, curves, marker, two_sided
from deliberant.report.selection import OUTCOMES, PER_ARM, outcome, pick, worked_example
from deliberant.run.arms import final_of

HEADLINE, OUT_OF_DISTRIBUTION = "unseen", "encoded"
Row = dict[str, Any]
LABELS = {"safety_reward": "safety reward", "helpful_reward": "helpful reward", "right_share": "right by the policy"}
TALKED = 8


@dataclass(frozen=True)
class Evidence:
    """All that the page shows. `stages`: manifests in the run's order; `metrics`: rows of metrics.jsonl per arm.

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


def render(evidence: Evidence) -> str:
    """The whole page as HTML."""
    environment = Environment(
        loader=PackageLoader("deliberant.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "rate": rate,
        "points": points,
        "shift": lambda row: rate(row, "+"),
        "css": css_class,
        "outcome": outcome,
        "figure": figure,
    }
    environment.globals["symbol"] = lambda arm: Markup('<svg class="symbol" viewBox="0 0 16 16">{}</svg>').format(
        marker(arm, 8, 8)
    )
    environment.globals["linked"] = lambda text: linked(text, evidence.policy.clauses)
    suites = list(dict.fromkeys(row["suite"] for row in evidence.rows))
    headline = HEADLINE if HEADLINE in suites else suites[0]
    arms = list(evidence.samples)
    shown = pick(evidence.samples)
    return environment.get_template("page.html").render(
        run=evidence,
        arms=arms,
        suites=[headline, *(suite for suite in suites if suite != headline)],
        headline=headline,
        final=final_of(arms),
        ood=OUT_OF_DISTRIBUTION if OUT_OF_DISTRIBUTION in suites else None,
        cell={(row["arm"], row["suite"], row["metric"]): row for row in evidence.rows},
        metrics=METRICS,
        plots={suite: sides(evidence.rows, suite) for suite in suites},
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
        shown=shown,
        total=sum(map(len, evidence.samples.values())),
        per_arm=PER_ARM,
        outcomes=[name for name in OUTCOMES if any(outcome(sample) == name for sample in shown)],
    )


def rate(row: Row, sign: str = "") -> Markup:
    """A rate in percent, below it its interval and n; a dash where there was nothing to count."""
    if row["value"] is None:
        return Markup('<span class="none">\N{EN DASH}</span>')
    numbers = (f"{100 * row[key]:{sign}.1f}" for key in ("value", "low", "high"))
    value, low, high = (number.replace("-", "\N{MINUS SIGN}") for number in numbers)
    return Markup('<b>{}</b><span class="interval">{} to {}</span><span class="interval">n {}</span>').format(
        value, low, high, row["n"]
    )


def figure(value: float | None, digits: int = 0) -> str:
    """A number with its thousands apart; empty where it is not known."""
    return "" if value is None else f"{value:,.{digits}f}"


def points(estimate: Estimate) -> Markup:
    """A difference in percentage points, signed."""
    return rate(asdict(estimate), "+")


def linked(text: str, clauses: dict[str, Any]) -> Markup:
    """The text escaped, each citation of an existing clause a link to it in the policy below."""
    parts, end = [Markup("")], 0
    for match in CITATION.finditer(text):
        parts.append(Markup("{}").format(text[end : match.start()]))
        clause = clauses.get(match[1])
        if clause is None:
            parts.append(Markup('<span class="missing" title="no such clause">{}</span>').format(match[0]))
        else:
            parts.append(
                Markup('<a class="cite" href="#clause-{}" title="{}">{}</a>').format(
                    clause.id, f"{clause.title} → {clause.style}", match[0]
                )
            )
        end = match.end()
    return Markup("").join([*parts, Markup("{}").format(text[end:])])


def sides(rows: Sequence[Row], suite: str) -> Markup | None:
    """The two-sided plot of one suite; None where no arm has both rates."""
    found = {(row["arm"], row["metric"]): row for row in rows if row["suite"] == suite}
    drawn = []
    for arm in dict.fromkeys(arm for arm, _ in found):
        x, y = found[arm, "harmless_answered"], found[arm, "harmful_declined"]
        if x["n"] and y["n"]:
            drawn.append(Point(arm, x["value"], y["value"], (x["low"], x["high"]), (y["low"], y["high"])))
    return two_sided(drawn, "harmless answered", "harmful declined") if drawn else None


def training_curves(metrics: dict[str, list[Row]]) -> list[tuple[str, list[tuple[str, str]], Markup]]:
    """(title, legend of (name, css class), chart) for the losses of fine-tuning and the rewards of each RL arm."""
    charts = []
    losses = [
        Series(arm, css_class(arm), [(row["step"], row["loss"]) for row in rows])
        for arm, rows in metrics.items()
        if rows and "loss" in rows[0] and "reward" not in rows[0]
    ]
    if losses:
        legend = [(line.name, line.css) for line in losses]
        charts.append(("Supervised fine-tuning: loss", legend, curves(losses, "step", "loss")))
    kinds = {"reward": "tone-1", "safety_reward": "tone-2", "helpful_reward": "tone-3"}
    for arm, rows in metrics.items():
        lines = [
            Series(kind.replace("_", " "), css, [(r["step"], r[kind]) for r in rows if r.get(kind) is not None])
            for kind, css in kinds.items()
        ]
        lines = [line for line in lines if line.points]
        if lines:
            legend = [(line.name, line.css) for line in lines]
            charts.append((f"Reinforcement learning, {arm}: reward", legend, curves(lines, "step", "reward")))
    return charts


def held_out_curves(readings: dict[str, list[Row]]) -> list[tuple[str, list[tuple[str, str]], Markup]]:
    """As `training_curves`: rewards of held-out prompts at the checkpoints, and beside them the truth, if known."""
    kinds = {"safety_reward": "tone-2", "helpful_reward": "tone-3", "right_share": "tone-1"}
    charts = []
    for arm, rows in readings.items():
        lines = [
            Series(LABELS.get(kind, kind), css, [(row["step"], row[kind]) for row in rows if row[kind] is not None])
            for kind, css in kinds.items()
        ]
        lines = [line for line in lines if line.points]
        legend = [(line.name, line.css) for line in lines]
        charts.append((f"{arm}: reward of held-out prompts, and the truth", legend, curves(lines, "step", "share")))
    return charts


def talked_into(readings: dict[str, list[Row]]) -> list[Row]:
    """What the judge liked at the last checkpoint though the policy asks for another style, TALKED of each arm."""
    return [
        {"arm": arm, "step": rows[-1]["step"], **each}
        for arm, rows in readings.items()
        for each in rows[-1]["talked_into"][:TALKED]
    ]


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
