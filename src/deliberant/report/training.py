"""What the page says of training: curves of losses and rewards, and what the reward judge was talked into."""

from typing import Any

from markupsafe import Markup

from deliberant.report.lines import Series, curves
from deliberant.report.svg import css_class

Row = dict[str, Any]
LABELS = {"safety_reward": "safety reward", "helpful_reward": "helpful reward", "right_share": "right by the policy"}
TALKED = 8


def training_curves(metrics: dict[str, list[Row]]) -> list[tuple[str, list[tuple[str, str]], Markup]]:
    """(title, legend of (name, css class), chart) for the losses of fine-tuning and the rewards of each RL arm."""
    charts = []
    losses = [
        Series(arm, css_class(arm), [(row["step"], row["loss"]) for row in rows])
        for arm, rows in metrics.items()
        if rows and "loss" in rows[0] and "reward" not in rows[0]
    ]
    if losses:
        legend = [(line.name, line.css) for line in losses]
        charts.append(("Supervised fine-tuning: loss", legend, curves(losses, "step", "loss")))
    kinds = {"reward": "tone-1", "safety_reward": "tone-2", "helpful_reward": "tone-3"}
    for arm, rows in metrics.items():
        lines = [
            Series(kind.replace("_", " "), css, [(r["step"], r[kind]) for r in rows if r.get(kind) is not None])
            for kind, css in kinds.items()
        ]
        lines = [line for line in lines if line.points]
        if lines:
            legend = [(line.name, line.css) for line in lines]
            charts.append((f"Reinforcement learning, {arm}: reward", legend, curves(lines, "step", "reward")))
    return charts


def held_out_curves(readings: dict[str, list[Row]]) -> list[tuple[str, list[tuple[str, str]], Markup]]:
    """As `training_curves`: rewards of held-out prompts at the checkpoints, and beside them the truth, if known."""
    kinds = {"safety_reward": "tone-2", "helpful_reward": "tone-3", "right_share": "tone-1"}
    charts = []
    for arm, rows in readings.items():
        lines = [
            Series(LABELS.get(kind, kind), css, [(row["step"], row[kind]) for row in rows if row[kind] is not None])
            for kind, css in kinds.items()
        ]
        lines = [line for line in lines if line.points]
        legend = [(line.name, line.css) for line in lines]
        charts.append((f"{arm}: reward of held-out prompts, and the truth", legend, curves(lines, "step", "share")))
    return charts


def talked_into(readings: dict[str, list[Row]]) -> list[Row]:
    """What the judge liked at the last checkpoint though the policy asks for another style, TALKED of each arm."""
    return [
        {"arm": arm, "step": rows[-1]["step"], **each}
        for arm, rows in readings.items()
        for each in rows[-1]["talked_into"][:TALKED]
    ]
