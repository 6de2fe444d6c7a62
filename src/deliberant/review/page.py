"""The review page as HTML: one sample, what it cites, what the judge said of it once that may be seen, and the form.

Whatever a model or a user wrote is escaped by the template engine; nothing but this package's own markup is marked
safe. The page works without scripts; the one it has gives it keys.
"""

from dataclasses import replace
from functools import cache
from typing import Any

from jinja2 import Environment

from deliberant.policy import find_citations
from deliberant.report.templates import link_citations, template_environment
from deliberant.review.labels import LONGEST
from deliberant.review.samples import Entry
from deliberant.review.session import SHOWN, Session, View

MESSAGE = """\
<!doctype html><html lang="en"><meta charset="utf-8"><title>Deliberant review</title>
<p>{{ text }}</p>{% if base %}<p><a href="{{ base }}">back to the samples</a></p>{% endif %}</html>
"""


@cache
def environment() -> Environment:
    """Our own templates, and the report's for its style."""
    return template_environment("deliberant.review", "deliberant.report")


def render(session: Session, view: View, token: str, nonce: str) -> str:
    """The whole page; `token` is the session's secret, `nonce` allows the page's own style and script."""
    values: dict[str, Any] = {
        "session": session,
        "policy": session.samples.policy,
        "view": view,
        "shown": SHOWN,
        "base": f"/{token}/",
        "token": token,
        "nonce": nonce,
        "longest": LONGEST,
        "note": None,
        "entry": None,
    }
    if session.entries:
        entry = session.entries[view.at]
        nothing = session.left(view) is None and not session.fits(entry, view)
        words = "Nothing undecided is left" if view.show == SHOWN[0] else "Nothing fits"
        values["note"] = f"{words} with these filters." if nothing else None
        values["links"] = {
            "k": _link(session.next(view, -1), view),
            "j": _link(session.next(replace(view, show="all") if view.show == SHOWN[0] else view), view),
            "u": _link(session.left(replace(view, show=SHOWN[0])), view),
        }
        values |= _sample(session, entry)
    return environment().get_template("review.html").render(values)


def message(text: str, base: str) -> str:
    """A page that says one thing, such as why a label was not stored."""
    return environment().from_string(MESSAGE).render(text=text, base=base)


def _sample(session: Session, entry: Entry) -> dict[str, Any]:
    row, label, policy = entry.row, session.decided.get(entry.id), session.samples.policy
    corrected = [label.clause] if label and label.clause else []
    names = dict.fromkeys([*row["cited"], *find_citations(row["answer"]), *corrected])
    return {
        "entry": entry,
        "row": row,
        "prompt": session.prompts[entry.prompt_id],
        "label": label,
        "open": session.open(entry),
        "clauses": [policy.clauses[name] for name in names if name in policy.clauses],
        "unknown": [name for name in names if name not in policy.clauses],
        "linked": lambda text: link_citations(text, policy.clauses),
        "categories": sorted(policy.categories, key=lambda category: category.id not in entry.categories),
    }


def _link(at: int | None, view: View) -> str | None:
    return None if at is None else "?" + replace(view, at=at).query
