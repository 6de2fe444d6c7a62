from typing import Any

from deliberant.report import cost_lines, moved_lines, moved_table
from tests.report.test_terminal import show


def estimate(value: float | None, n: int = 4) -> dict[str, Any]:
    low, high = (None, None) if value is None else (value - 0.1, value + 0.1)
    return {"value": value, "low": low, "high": high, "n": n}


def moved() -> dict[str, Any]:
    row = {"suite": "unseen", "part": "asked anew", "unscored": 2, "old": estimate(0.25), "new": estimate(0.75)}
    rows = [
        {**row, "arm": arm, "metric": metric, "change": estimate(change)}
        for arm in ("sft", "[bold]")
        for metric, change in (("style", 0.5), ("compliance", -0.25))
    ]
    return {
        "from": "micro-1",
        "policy": ["~ T1 burglary (theft): restyled refuse -> comply"],
        "prompts": {"touched": 3, "untouched": 7, "added": 1, "removed": 0},
        "rows": {"generate": {"reused": 28, "made": 12}, "filter": {"reused": 27, "made": 11}},
        "cases": {"touched": 1, "untouched": 2, "not compared": 0},
        "moves": rows,
    }


def test_the_edit_and_what_was_reused_in_words() -> None:
    assert list(moved_lines(moved())) == [
        "moved since micro-1:",
        "  ~ T1 burglary (theft): restyled refuse -> comply",
        "prompts touched: 3 of 10, 1 added",
        "rows reused and made: generate 28 and 12, filter 27 and 11",
    ]
    left = {**moved(), "policy": [], "cases": {"not compared": 5}}
    assert "  the policy is the same" in moved_lines(left)
    assert [*moved_lines(left)][-1].startswith("cases that the old run has not, or has otherwise: 5")


def test_the_table_has_both_runs_the_changes_and_what_is_unscored() -> None:
    text = show([moved_table(moved(), ["[bold]"])])
    assert "[bold]" in text and "sft" not in text
    for part in ("25.0", "75.0", "50.0", "-25.0", "n=4", "asked anew"):
        assert part in text


def test_the_cost_is_against_the_same_stages_and_against_all() -> None:
    cost = {"seconds": 80.0, "same": 200.0, "whole": 400.0, "full": "micro-1", "stages": []}
    assert cost_lines(cost) == [
        "took 80 s over its stages",
        "40% of the 200 s that the same stages of micro-1 took",
        "20% of the 400 s that all stages of micro-1 took",
    ]
    assert cost_lines({**cost, "same": 0}) == ["took 80 s over its stages", cost_lines(cost)[2]]
