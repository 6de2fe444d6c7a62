"""The templates of pages, and how they write rates, differences, arms and citations.

Whatever a model or a user wrote is escaped by the template engine; nothing but this package's own markup is marked
safe. JSON for scripts is written so that nothing in it ends the block that it stands in.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from deliberant.policy.types import CITATION
from deliberant.report.svg import assign_looks, css_class, marker

Row = Mapping[str, Any]


def template_environment(*packages: str, **settings: Any) -> Environment:
    """The templates that stand beside the code of some rooms; every value in them is escaped."""
    return Environment(
        loader=ChoiceLoader([PackageLoader(package, ".") for package in packages]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        **{"autoescape": True, **settings},
    )


def page_environment(names: Sequence[str]) -> Environment:
    """The templates of a page about these arms or models, with the filters that they use."""
    environment = template_environment("deliberant.report")
    environment.policies["json.dumps_kwargs"] = {"separators": (",", ":")}
    environment.filters |= {
        "rate": rate,
        "shift": lambda row: rate(row, "+"),
        "css": css_class,
        "figure": figure,
    }
    environment.globals["nothing"] = {"value": None}
    look = assign_looks(names)
    environment.globals["symbol"] = lambda name: Markup('<svg class="symbol" viewBox="0 0 16 16">{}</svg>').format(
        marker(look[name], 8, 8)
    )
    return environment


def rate(row: Row, sign: str = "", joined: bool = False) -> Markup:
    """A rate in percent, below it its interval and n, `joined` in one line; a dash where there was nothing to count."""
    if row["value"] is None:
        return Markup('<span class="none">\N{EN DASH}</span>')
    numbers = (f"{100 * row[key]:{sign}.1f}" for key in ("value", "low", "high"))
    value, low, high = (number.replace("-", "\N{MINUS SIGN}") for number in numbers)
    parts = (f"{low} to {high} · n {row['n']}",) if joined else (f"{low} to {high}", f"n {row['n']}")
    below = Markup("").join(Markup('<span class="interval">{}</span>').format(part) for part in parts)
    return Markup("<b>{}</b>{}").format(value, below)


def figure(value: float | None, digits: int = 0) -> str:
    """A number with its thousands apart; empty where it is not known."""
    return "" if value is None else f"{value:,.{digits}f}"


def link_citations(text: str, clauses: dict[str, Any]) -> Markup:
    """The text escaped, each citation of an existing clause a link to it in the policy below."""

    def link(citation: re.Match[str]) -> str:
        clause = clauses.get(citation[1])
        if clause is None:
            return Markup('<span class="missing" title="no such clause">{}</span>').format(citation[0])
        title = f"{clause.title} → {clause.style}"
        return Markup('<a class="cite" href="#clause-{}" title="{}">{}</a>').format(clause.id, title, citation[0])

    return Markup(CITATION.sub(link, escape(text)))
