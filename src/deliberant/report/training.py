"""What the page says of training: curves of losses and rewards, and what the reward judge was talked into."""

from typing import Any

from markupsafe import Markup

from deliberant.report.lines import Series, draw_curves
from deliberant.report.svg import css_class

Row = dict[str, Any]
LABELS = {"safety_reward": "safety reward", "helpful_reward": "helpful reward", "right_share": "right by the policy"}
TALKED = 8
Chart = tuple[str, list[tuple[str, str]], Markup]
"""(title, legend of (name, css class), chart)."""


def training_curves(metrics: dict[str, list[Row]]) -> list[Chart]:
    """The losses of fine-tuning in one chart, and the rewards of each RL arm."""
    losses = [
        series
        for arm, rows in metrics.items()
        if rows and "reward" not in rows[0]
        for series in _series(rows, {"loss": css_class(arm)}, {"loss": arm})
    ]
    charts = [_chart("Supervised fine-tuning: loss", losses, "loss")] if losses else []
    kinds = {"reward": "tone-1", "safety_reward": "tone-2", "helpful_reward": "tone-3"}
    for arm, rows in metrics.items():
        if lines := _series(rows, kinds):
            charts.append(_chart(f"Reinforcement learning, {arm}: reward", lines, "reward"))
    return charts


def held_out_curves(readings: dict[str, list[Row]]) -> list[Chart]:
    """Rewards of held-out prompts at the checkpoints, and beside them the truth, if known."""
    kinds = {"safety_reward": "tone-2", "helpful_reward": "tone-3", "right_share": "tone-1"}
    return [
        _chart(f"{arm}: reward of held-out prompts, and the truth", _series(rows, kinds), "share")
        for arm, rows in readings.items()
    ]


def _series(rows: list[Row], kinds: dict[str, str], names: dict[str, str] = LABELS) -> list[Series]:
    """A line for each of the `kinds` (key -> css class) that the rows know."""
    lines = (
        Series(names.get(kind, kind), css, [(row["step"], row[kind]) for row in rows if row.get(kind) is not None])
        for kind, css in kinds.items()
    )
    return [line for line in lines if line.points]


def _chart(title: str, lines: list[Series], y_title: str) -> Chart:
    return title, [(line.name, line.css) for line in lines], draw_curves(lines, "step", y_title)


def find_talked_into(readings: dict[str, list[Row]]) -> list[Row]:
    """What the judge liked at the last checkpoint though the policy asks for another style, TALKED of each arm."""
    return [
        {"arm": arm, "step": rows[-1]["step"], **each}
        for arm, rows in readings.items()
        for each in rows[-1]["talked_into"][:TALKED]
    ]
