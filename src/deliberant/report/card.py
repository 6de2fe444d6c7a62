"""The card of an exported data set: README.md with the front matter that the Hub and `datasets` read.

What other people wrote (names, sources, licences, reasons) is escaped by the template's environment: each value is
one line of plain text in Markdown and in HTML, whatever it holds.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from markupsafe import Markup, escape

from deliberant.policy import Policy
from deliberant.report.templates import template_environment
from deliberant.run.folder import Manifest
from deliberant.run.recipe import Recipe
from deliberant.version import VERSION

UNSTATED = "not stated"
SNAPSHOT = re.compile(r".*/models--([^/]+)/snapshots/([^/]+)/?")
"""Where the Hub's cache keeps a model, `--` for the `/` of its name."""
SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))


@dataclass(frozen=True)
class Origin:
    """One data set that prompts came from, None where they do not say: its prompts, and the SFT rows made of them."""

    source: str | None
    licence: str | None
    prompts: int
    rows: int


@dataclass(frozen=True)
class Card:
    """All that the card says. `covers`: the run's hashes; `manifests`: filter's, helpful's and sft's.

    `rows` and `columns` by configuration; `arms`: the arms that were trained by reinforcement learning.
    """

    run: str
    policy: Policy
    recipe: Recipe
    covers: Mapping[str, str]
    manifests: Mapping[str, Manifest]
    rows: Mapping[str, int]
    columns: Mapping[str, Sequence[str]]
    origins: Sequence[Origin]
    arms: Sequence[str]


def render_card(card: Card) -> str:
    """README.md as text; the same card gives the same text."""
    environment = template_environment(
        "deliberant.report",
        autoescape=False,  # `plain` escapes for HTML and Markdown
        finalize=lambda value: value if isinstance(value, Markup) else escape_line(value),
        keep_trailing_newline=True,
    )
    counts = {stage: manifest["counts"] for stage, manifest in card.manifests.items()}
    return environment.get_template("card.jinja").render(
        card=card,
        front=Markup(yaml.safe_dump(front_matter(card), sort_keys=False, allow_unicode=True, width=1000)),
        names=pointers(card),
        recipe=Markup(fenced(recipe_text(card), "yaml")),
        counts=counts,
        reasons={stage: rejections(counts[stage]) for stage in ("filter", "helpful")},
        categories=[each.id for each in card.policy.categories if f"samples/{each.id}" in counts["filter"]],
        unstated=UNSTATED,
        version=VERSION,
        codes=sorted({f"{each['version']}, sources {each['code']}" for each in card.manifests.values()}),
    )


def is_card(text: str) -> bool:
    """Whether this is a card that `render_card` made, by the tags in its front matter."""
    return text.startswith("---\n") and "\ntags:\n- deliberant\n- deliberative-alignment\n" in text.split("\n---\n")[0]


def front_matter(card: Card) -> dict[str, Any]:
    """The metadata by which the Hub shows the data set and `datasets.load_dataset` finds its configurations."""
    total = sum(card.rows.values())
    return {
        "pretty_name": f"{card.policy.name} {card.policy.version}: deliberative alignment data",
        "license": "other" if any(each.licence for each in card.origins) else "unknown",
        "task_categories": ["text-generation"],
        "size_categories": [next((name for limit, name in SIZES if total < limit), "n>1M")],
        "tags": ["deliberant", "deliberative-alignment", "safety", "not-for-all-audiences"],
        "configs": [
            {
                "config_name": name,
                "data_files": [{"split": "train", "path": f"{name}/train.parquet"}],
                **({"default": True} if name == "sft" else {}),
            }
            for name in card.rows
        ],
    }


def pointers(card: Card) -> dict[str, str]:
    """Who wrote the samples, who judged them, and with which prompt files, by name."""
    recipe = card.recipe
    return {
        "base": name_of((recipe.writer or recipe.base).model),
        "judge": name_of(recipe.judge.filter.model),
        "templates": name_of(recipe.templates),
    }


def recipe_text(card: Card) -> str:
    """The recipe as YAML. What points to something is named by its hash, so that no path of a machine leaves it."""
    settings = card.recipe.model_dump(mode="json", exclude={"writer", "budget", "prices"})
    covers = {**card.covers, "base": card.covers["writer"], "judge": card.covers["filter"]}
    named = {role: f"{name} (hash {covers[role]})" for role, name in pointers(card).items()}
    named["policy"] = f"{card.policy.name} {card.policy.version} (hash {card.policy.hash})"
    named["prompts"] = f"(hash {card.covers['prompts']})"
    return yaml.safe_dump(settings | named, sort_keys=False, allow_unicode=True)


def name_of(pointer: str) -> str:
    """A recipe's word for something without the path that leads to it: `micro`, a Hub id, or a folder's own name."""
    if cached := SNAPSHOT.fullmatch(pointer):
        return f"{cached[1].replace('--', '/')}, revision {cached[2]}"
    return Path(pointer).name if Path(pointer).is_absolute() else pointer


def rejections(counts: Mapping[str, int]) -> dict[str, int]:
    """Reason -> samples, of a manifest's counts; those that never came up included."""
    return {name.partition("/")[2]: count for name, count in counts.items() if name.startswith("rejected/")}


def escape_line(value: Any) -> Markup:
    """A value as one line of text that neither Markdown nor HTML reads anything into."""
    line = " ".join(str(value).split())
    return Markup(re.sub(r"([\\`*_{}\[\]()#|~$])", r"\\\1", str(escape(line))).replace("&\\#", "&#"))


def fenced(text: str, language: str) -> str:
    """A code block that no run of backticks in the text can close."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{text.rstrip()}\n{fence}"
