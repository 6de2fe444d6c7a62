"""Whether reinforcement earned its place: the reward of prompts that it did not train on, before it and after.

Departure from the paper, which keeps what RL leaves. Where a model already earns nearly all there is to earn, what is
left of the reward's spread is chance, and an optimizer follows chance as readily as anything else. So with
`rl.held_out` the arm's checkpoint is the trained one only where these rewards rose by more than chance, and the
unchanged start everywhere else.
"""

import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from deliberant.evals import Estimate, Tally, difference
from deliberant.prompts.types import Prompt
from deliberant.run.arms import ARMS
from deliberant.run.folder import read_manifest
from deliberant.util.files import read_json

FILE = "held_out.json"


@dataclass(frozen=True)
class Gain:
    """Mean rewards in [0, 1] before and after, over prompts scored both times; `change` is paired, with its interval.

    `unscored`: prompts without a score on either side, in no mean.
    """

    before: float | None
    after: float | None
    change: Estimate
    unscored: int

    @property
    def kept(self) -> bool:
        """Whether the rewards rose by more than chance: the interval lies above 0."""
        return self.change.low is not None and self.change.low > 0

    def as_json(self) -> dict[str, Any]:
        """The row of held_out.json."""
        return {**asdict(self), "kept": self.kept}


def read_gains(root: Path) -> dict[str, dict[str, Any]]:
    """held_out.json of each finished arm of a run folder that has one."""
    found = {arm: root / arm / FILE for arm in ARMS}
    return {
        arm: read_json(path, f"delete {path.parent} and run `deliberant rl {root} --arm {arm}` again")
        for arm, path in found.items()
        if path.exists() and read_manifest(path.parent) is not None
    }


def gain(
    prompts: Sequence[Prompt],
    before: Sequence[float | None],
    after: Sequence[float | None],
    resamples: int,
    seed: int,
) -> Gain:
    """Row i of all three is one prompt's; rewards in [0, 1], None where no reading was scored."""
    both = [
        (prompt.family, old, new)
        for prompt, old, new in zip(prompts, before, after, strict=True)
        if old is not None and new is not None
    ]
    change = difference(
        [Tally(new, 1) for _, _, new in both],
        [Tally(old, 1) for _, old, _ in both],
        [family for family, _, _ in both],
        resamples=resamples,
        seed=seed,
    )
    return Gain(
        statistics.fmean(old for _, old, _ in both) if both else None,
        statistics.fmean(new for _, _, new in both) if both else None,
        change,
        len(prompts) - len(both),
    )
