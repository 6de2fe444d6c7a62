"""A comparison of models (stages/compare.py) as tables for the terminal and as one page."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

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

    built = Table(caption="* on the Pareto front: no other is as good on one side and better on the other")
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
