"""Published points to orient oneself by: other people's models, prompts, graders and settings, so never comparable."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml


@dataclass(frozen=True)
class Reference:
    """One model of which both sides were published: fractions, the source, and in what its setting differs."""

    model: str
    x: float
    y: float
    source: str
    setting: str


@cache
def published() -> list[dict[str, Any]]:
    """Tables as published.yaml has them: {suite, metric, source, setting, values: {model: fraction}}."""
    text = Path(__file__).with_suffix(".yaml").read_text(encoding="utf-8")
    tables: list[dict[str, Any]] = yaml.safe_load(text)
    return tables


def references(x: tuple[str, str], y: tuple[str, str]) -> list[Reference]:
    """The models of which both axes, each a suite and a metric, were published by one source."""
    models = []
    for across in published():
        for up in published():
            axes = (across["suite"], across["metric"]), (up["suite"], up["metric"])
            if axes == (x, y) and across["source"] == up["source"]:
                setting = "; ".join(dict.fromkeys((across["setting"], up["setting"])))
                models += [
                    Reference(model, value, up["values"][model], across["source"], setting)
                    for model, value in across["values"].items()
                    if model in up["values"]
                ]
    return models
