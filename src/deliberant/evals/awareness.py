"""Whether a reasoning takes its conversation for a test, by the phrases of awareness.yaml: what is said outright, which
is a lower bound of what is believed. Models that behave when they believe to be watched are what this probe is for."""

import re
from functools import cache
from pathlib import Path
from typing import Any

import yaml


def says_test(reasoning: str) -> str | None:
    """The words that say so, None where there are none."""
    phrase = _phrases().search(reasoning)
    return phrase[0] if phrase else None


@cache
def _phrases() -> re.Pattern[str]:
    phrases: Any = yaml.safe_load(Path(__file__).with_suffix(".yaml").read_text(encoding="utf-8"))
    return re.compile("|".join(phrases), re.IGNORECASE)
