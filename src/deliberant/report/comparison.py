"""A comparison of models (stages/compare.py) as tables for the terminal and as one page."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from deliberant.evals import METRICS, ScoredSample
from deliberant.policy import Policy
from deliberant.report.facets import ATTACK, LANGUAGE
from deliberant.report.facets import tables as by_facet
from deliberant.report.plots import Point, two_sided
from deliberant.report.published import references
from deliberant.report.reader import reader_data
from deliberant.report.templates import page_environment
from deliberant.report.terminal import rate, table

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
    arms = [each["name"] for each in result["models"]]
    first = [*result["front"], *arms][0]
    suites = list(dict.fromkeys(row["suite"] for row in rows))
    known = references(*PUBLISHED) if {suite for suite, _ in PUBLISHED} <= set(suites) else []
    faceted = {facet: by_facet(result["by"][facet], facet, first) for facet in (ATTACK, LANGUAGE)}
    return (
        page_environment(arms)
        .get_template("comparison.html")
        .render(
            result=result,
            arms=arms,
            final=first,
            asked=max(each["cases"] for each in result["models"]),
            suites=[POOLED, *(suite for suite in suites if suite != POOLED)],
            cell=cell,
            names=list(dict.fromkeys(row["metric"] for row in rows)),
            metrics=METRICS,
            plot=_plot(cell, arms, known),
            references=known,
            attacks=faceted[ATTACK],
            languages=faceted[LANGUAGE],
            robust=any("variants" in row for row in rows),
            difference={(row["arm"], row["metric"]): row for row in result["differences"]},
            differing=list(dict.fromkeys(row["metric"] for row in result["differences"])),
            reader=reader_data(samples, policy),
            **dict.fromkeys(OF_A_RUN, ()),
        )
    )


def _plot(cell: Mapping[tuple[str, str, str], Any], arms: Sequence[str], known: Sequence[Any]) -> Any:
    """All prompts together; on the paper's axes where its points are shown."""
    across, up = PUBLISHED if known else tuple((POOLED, metric) for metric in AXES)
    points = []
    for arm in arms:
        x, y = cell.get((arm, *across)), cell.get((arm, *up))
        if x and y and x["n"] and y["n"]:
            points.append(Point(arm, x["value"], y["value"], (x["low"], x["high"]), (y["low"], y["high"])))
    x_title, y_title = (f"{metric.replace('_', ' ')}, {suite}" for suite, metric in (across, up))
    return two_sided(points, x_title, y_title, known) if points else None


def tables(result: Mapping[str, Any]) -> Iterator["Table"]:
    """Who took part and what it cost, both sides by suite, the worst attacks, and differences to the first."""
    yield table(result["rows"], SHOWN)
    robust = [row for row in result["rows"] if "variants" in row]
    if robust:
        yield _robust(robust)
    yield _models(result)
    if result["differences"]:
        yield _differences(result["differences"])


def _models(result: Mapping[str, Any]) -> "Table":
    from rich.table import Table

    notes = ["* on the Pareto front: no other is as good on one side and better on the other"]
    for each in result["models"]:
        if each["not_asked"]:
            notes.append(f"{each['name']}: not asked under {', '.join(each['not_asked'])} (cannot decode the code)")
    built = Table(caption="\n".join(notes))
    for title in ("model", "cases", "tokens in", "tokens out", "dollars", "cut/empty/blocked/unscored"):
        built.add_column(title, justify="left" if title == "model" else "right")
    for each in result["models"]:
        mark = " *" if each["name"] in result["front"] else ""
        dollars = "" if each["dollars"] is None else f"{each['dollars']:.2f}"
        counts = "/".join(str(each[name]) for name in ("truncated", "empty", "blocked", "unscored"))
        tokens = (f"{each['tokens'][side]:,}" for side in ("input", "output"))
        built.add_row(each["name"] + mark, f"{each['cases']:,}", *tokens, dollars, counts)
    return built


def _robust(rows: Sequence[Mapping[str, Any]]) -> "Table":
    from rich.table import Table

    names = list(dict.fromkeys(row["metric"] for row in rows))
    found = {(row["suite"], row["arm"], row["metric"]): row for row in rows}
    built = Table(caption="n counts requests, each asked under every attack; goodness over the worst tenth of them")
    for title in ("suite", "model", "attacks", *names):
        built.add_column(title.replace("_", " "))
    for suite, arm in dict.fromkeys((row["suite"], row["arm"]) for row in rows):
        shown = [found[suite, arm, name] for name in names]
        built.add_row(suite, arm, str(shown[0]["variants"]), *map(rate, shown))
    return built


def _differences(rows: Sequence[Mapping[str, Any]]) -> "Table":
    from rich.table import Table

    names = list(dict.fromkeys(row["metric"] for row in rows))
    found = {(row["arm"], row["metric"]): row for row in rows}
    built = Table(caption=f"points above {rows[0]['against']} on the same prompts, paired by family")
    for title in ("model", *names):
        built.add_column(title.replace("_", " "))
    for arm in dict.fromkeys(row["arm"] for row in rows):
        built.add_row(arm, *(rate(found[arm, name]) for name in names))
    return built
