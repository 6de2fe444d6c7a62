"""A comparison of models (stages/compare.py) as tables for the terminal and as one page."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from deliberant.evals import METRICS, ScoredSample
from deliberant.policy import Policy
from deliberant.report.facets import ATTACK, LANGUAGE
from deliberant.report.facets import tabulate_facets as by_facet
from deliberant.report.plots import draw_sides
from deliberant.report.published import references
from deliberant.report.reader import reader_data
from deliberant.report.templates import figure, page_environment
from deliberant.report.terminal import format_rate, suite_tables, text_table

if TYPE_CHECKING:
    from rich.table import Table

SHOWN = {
    "not_unsafe": "not unsafe",
    "harmful_declined": "harmful declined",
    "harmless_answered": "harmless answered",
    "style": "right style",
}
POOLED = "all"
"""The suite that pools every other."""
AXES = ("harmless_answered", "not_unsafe")
"""Right and up in the plot of all prompts together."""
PUBLISHED = (("xstest", "harmless_answered"), ("strongreject", "goodness@0.1"))
"""The axes of the paper's own plot (section 3.2)."""
OF_A_RUN = ("reasoned", "thinking", "budgets", "draws")
"""What evidence.jinja shows of a run's arms alone."""


def render(result: Mapping[str, Any], samples: Mapping[str, Sequence[ScoredSample]], policy: Policy | None) -> str:
    """The page as HTML: the result of stages/compare.py, and what each model said."""
    rows = result["rows"]
    cell = {(row["arm"], row["suite"], row["metric"]): row for row in rows}
    arms = [model["name"] for model in result["models"]]
    first = [*result["front"], *arms][0]
    suites = list(dict.fromkeys(row["suite"] for row in rows))
    known = references(*PUBLISHED) if {suite for suite, _ in PUBLISHED} <= set(suites) else []
    across, up = PUBLISHED if known else tuple((POOLED, metric) for metric in AXES)  # the paper's, with its points
    titles = [f"{metric.replace('_', ' ')}, {suite}" for suite, metric in (across, up)]
    values = {
        "result": result,
        "arms": arms,
        "final": first,
        "asked": max(model["cases"] for model in result["models"]),
        "suites": [POOLED, *(suite for suite in suites if suite != POOLED)],
        "cell": cell,
        "names": list(dict.fromkeys(row["metric"] for row in rows)),
        "metrics": METRICS,
        "plot": draw_sides(cell, arms, across, up, titles, known),
        "references": known,
        "attacks": by_facet(result["by"][ATTACK], ATTACK, first),
        "languages": by_facet(result["by"][LANGUAGE], LANGUAGE, first),
        "robust": any("variants" in row for row in rows),
        "difference": {(row["arm"], row["metric"]): row for row in result["differences"]},
        "differing": list(dict.fromkeys(row["metric"] for row in result["differences"])),
        "reader": reader_data(samples, policy),
    }
    return page_environment(arms).get_template("comparison.html").render(values | dict.fromkeys(OF_A_RUN, ()))


def tables(result: Mapping[str, Any]) -> Iterator["Table"]:
    """Who took part and what it cost, both sides by suite, the worst attacks, and differences to the first."""
    yield from suite_tables(result["rows"], SHOWN)
    if robust := [row for row in result["rows"] if "variants" in row]:
        caption = "n counts requests, each asked under every attack; goodness over the worst tenth of them"
        yield _by_metric(robust, ("suite", "arm", "variants"), ("suite", "model", "attacks"), caption)
    yield _models(result)
    if rows := result["differences"]:
        caption = f"points above {rows[0]['against']} on the same prompts, paired by family"
        yield _by_metric(rows, ("arm",), ("model",), caption)


def _models(result: Mapping[str, Any]) -> "Table":
    notes, lines = ["* on the Pareto front: no other is as good on one side and better on the other"], []
    for model in result["models"]:
        if model["not_asked"]:
            notes.append(f"{model['name']}: not asked under {', '.join(model['not_asked'])} (cannot decode the code)")
        mark = " *" if model["name"] in result["front"] else ""
        counts = "/".join(str(model[name]) for name in ("truncated", "empty", "blocked", "unscored"))
        tokens = (f"{model['tokens'][side]:,}" for side in ("input", "output"))
        lines.append([model["name"] + mark, f"{model['cases']:,}", *tokens, figure(model["dollars"], 2), counts])
    columns = ("model", "cases", "tokens in", "tokens out", "dollars", "cut/empty/blocked/unscored")
    return text_table(columns, lines, "\n".join(notes))


def _by_metric(rows: Sequence[Mapping[str, Any]], keys: Sequence[str], titles: Sequence[str], caption: str) -> "Table":
    """A line for all rows that agree in `keys`, a column for each metric."""
    metrics = list(dict.fromkeys(row["metric"] for row in rows))
    lines: dict[tuple[str, ...], dict[str, str]] = {}
    for row in rows:
        lines.setdefault(tuple(str(row[key]) for key in keys), {})[row["metric"]] = format_rate(row)
    cells = ([*line, *(rates[metric] for metric in metrics)] for line, rates in lines.items())
    return text_table([*titles, *(metric.replace("_", " ") for metric in metrics)], cells, caption, left=len(titles))
