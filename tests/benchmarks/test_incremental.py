"""The pure functions of benchmarks/incremental.py; the runs behind it are in tests/test_readme.py."""

from pathlib import Path
from typing import Any

from benchmarks.incremental import figures, taken
from benchmarks.results import Cost


def row(arm: str, value: float | None, metric: str = "style", n: int = 9) -> dict[str, Any]:
    low, high = (None, None) if value is None else (value - 0.02, value + 0.02)
    return {"arm": arm, "suite": "unseen", "metric": metric, "value": value, "low": low, "high": high, "n": n}


def test_a_figure_is_within_where_our_value_lies_in_the_full_runs_interval() -> None:
    full = [row("sft", 0.9), row("rl", 0.9), row("sft", 0.9, "citation_exists"), row("base", None, n=0)]
    ours = [row("sft", 0.915), row("rl", 0.87), row("sft", 0.1, "citation_exists"), row("base", None, n=0)]
    assert [(each.arm, each.within) for each in figures(full, ours)] == [("sft", True), ("rl", False)]
    assert figures(full, []) == []


def test_time_is_the_wall_where_it_was_measured(tmp_path: Path) -> None:
    assert taken(tmp_path, Cost(12.5, 1)) == (12.5, "wall")
    assert taken(tmp_path, None) == (0, "sum over stages")
