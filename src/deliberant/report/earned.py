"""Whether reinforcement learning earned its place, in words: for the terminal and for the page."""

from collections.abc import Iterator, Mapping
from typing import Any

from deliberant.report.terminal import rate


def earned_lines(held_out: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """One line for each arm, from the rows of held_out.json; rewards in percent of the greatest, change in points."""
    for arm, row in held_out.items():
        if row["before"] is None:
            yield f"{arm}: no held-out prompt was scored both times, so the weights are those that it started from"
            continue
        verdict = "kept" if row["kept"] else "no more than chance, so the weights are those that it started from"
        unscored = f", {row['unscored']} unscored" if row["unscored"] else ""
        yield (
            f"{arm}: rewards of held-out prompts {100 * row['before']:.1f} before and {100 * row['after']:.1f} after, "
            f"change {rate(row['change'])}{unscored}: {verdict}"
        )
        if parted := row.get("parted"):
            before, after = (f"{100 * each:.1f}" for each in parted["reward"])
            yield (
                f"{arm}: over-optimised from step {parted['from']}: by step {parted['to']} the reward went from "
                f"{before} to {after} and the right answers changed by {rate(parted['truth'])}"
            )
