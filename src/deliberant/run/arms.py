"""The one table of arms: what each is made from, shown and asked. No arm's name stands anywhere else."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

from deliberant.util.errors import UserError
from deliberant.util.names import suggest_name


@dataclass(frozen=True)
class Arm:
    """One trained or prompted variant.

    `stage`: what trains it, None for the base as it is. `start`: the arm whose weights training starts from.
    `summaries`: whether it is shown the policy's summaries. `reasons`: whether its training rows keep their reasoning.
    `documents`: whether it is trained on documents about the policy in place of samples. `exposes`: whether the judge
    that rewards it reads its reasoning, which is the wrong way and there to be measured. `cites`: whether the right
    clause is asked of it. `usual`: whether a recipe that names no arms has it. `marker`: its shape in charts.
    """

    name: str
    stage: Literal["sft", "rl"] | None = None
    start: str = "base"
    summaries: bool = False
    reasons: bool = True
    documents: bool = False
    exposes: bool = False
    cites: bool = False
    usual: bool = True
    marker: str = "circle"


BASE = "base"
"""The arm that every other starts from."""
ARMS = {
    arm.name: arm
    for arm in (
        Arm(BASE),
        Arm("base+spec", summaries=True, marker="square"),
        Arm("sft", "sft", cites=True, marker="down"),
        Arm("no-cot", "sft", reasons=False, marker="cross"),
        Arm("rl", "rl", marker="diamond"),
        Arm("sft+rl", "rl", start="sft", cites=True, marker="up"),
        Arm("sft+rl-exposed", "rl", start="sft", exposes=True, cites=True, usual=False, marker="cross"),
        Arm("midtrained", "sft", documents=True, usual=False, marker="diamond"),
        Arm("midtrained+sft", "sft", start="midtrained", cites=True, usual=False, marker="down"),
        Arm("midtrained+sft+rl", "rl", start="midtrained+sft", cites=True, usual=False, marker="up"),
    )
}
"""By name, starts before what starts from them."""
DEFAULT_ARMS = tuple(name for name, arm in ARMS.items() if arm.usual)
"""Those of a recipe that names none."""
FINAL = (
    *("sft+rl", "midtrained+sft+rl", "sft", "midtrained+sft", "rl", "no-cot", "base+spec"),
    *("midtrained", BASE, "sft+rl-exposed"),
)
"""Which arm speaks for a run, the first of those that it has."""


def arm_named(name: str, stage: str | None = None) -> Arm:
    """The arm of that name; UserError with the nearest where there is none, or none that `stage` trains."""
    names = [each.name for each in ARMS.values() if stage in (None, each.stage)]
    if name not in names:
        what = "arm" if stage is None else f"arm of {stage}"
        raise UserError(f"there is no {what} '{name}'; {suggest_name(name, names)}")
    return ARMS[name]


def final_of(arms: Collection[str]) -> str:
    """The arm that speaks for a run with these arms."""
    return next(arm for arm in FINAL if arm in arms)


def trained_by(stage: str) -> list[str]:
    """The arms that a stage trains."""
    return [arm.name for arm in ARMS.values() if arm.stage == stage]
