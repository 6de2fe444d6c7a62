"""What an incremental run saves after one clause is flipped, and whether it ends where a full run ends.

    python -m benchmarks.incremental --flip T1 --seed 0
    python -m benchmarks.incremental --flip T1 --seed 0 --set incremental.replay=2

Three runs of recipes/micro.yaml: under the policy as it is, under the edited one from scratch, and under the edited one
continued from the first (`from_run`). Finished ones are read; the others are run or resumed, each in its own process.
Times are wall time of whole processes, imports included, where a run was done in one go, and else the sums over stages.
How far two full runs are from each other is told by the one before the edit, which differs by one clause and by chance.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.results import (
    FINAL,
    RECIPE,
    Cost,
    complete,
    flipped,
    followed,
    interval,
    markdown,
    moved,
    percent,
    read,
)
from deliberant.policy import load_policy
from deliberant.report import moved_lines
from deliberant.run.lineage import seconds
from deliberant.run.loader import load_recipe
from deliberant.stages.evaluate import results
from deliberant.stages.moved import compare_cost, read_moved
from deliberant.util.errors import UserError

SHARE = 0.35
"""Of a full run's time, what an incremental one may take."""
ROUNDING = 1e-9
"""Wilson's interval of 0 or 1 ends there only up to floating point."""
COMPARED = ("compliance", "style", "harmful_declined", "harmless_answered")


@dataclass(frozen=True)
class Figure:
    """One rate of both runs; `within`: the incremental run's value lies in the full run's interval."""

    arm: str
    suite: str
    metric: str
    full: Mapping[str, Any]
    ours: Mapping[str, Any]

    @property
    def within(self) -> bool:
        value: float = self.ours["value"]
        return bool(self.full["low"] - ROUNDING <= value <= self.full["high"] + ROUNDING)


def figures(full: Sequence[Mapping[str, Any]], ours: Sequence[Mapping[str, Any]]) -> list[Figure]:
    """The rates that both runs have, in the order of the full one's rows."""
    mine = {(row["arm"], row["suite"], row["metric"]): row for row in ours}
    found = []
    for row in full:
        other = mine.get((row["arm"], row["suite"], row["metric"]))
        if row["metric"] in COMPARED and other and row["n"] and other["n"]:
            found.append(Figure(row["arm"], row["suite"], row["metric"], row, other))
    return found


def taken(root: Path, spent: Cost | None) -> tuple[float, str]:
    """Seconds of a run, and what they are."""
    return (spent.seconds, "wall") if spent else (sum(taken for _, taken in seconds(root)), "sum over stages")


def report(id: str, seed: int, sets: Sequence[str], runs: Path) -> str:
    """Runs what has not been run, and compares; Markdown."""
    given = [f"seed={seed}", *sets]
    into = runs / "policies" / id
    edited = [*given, *flipped(load_recipe(RECIPE), id, into)]
    old, old_cost = complete(given, runs)
    full, full_cost = complete(edited, runs)
    ours, our_cost = complete([*edited, f"from_run={old.resolve()}"], runs)
    rows = figures(results(full), results(ours))
    inside = sum(each.within for each in rows)
    yardstick = figures(results(full), results(old))
    found, spent = read_moved(ours), compare_cost(ours)
    assert found is not None and spent is not None
    costs = {"before the edit": (old, old_cost), "full": (full, full_cost), "incremental": (ours, our_cost)}
    times = {name: taken(*each) for name, each in costs.items()}
    share = times["incremental"][0] / times["full"][0]
    same = sum(seconds_ for stage, seconds_ in seconds(full) if stage in dict(seconds(ours)))
    policy = load_policy(into)
    arms = list(dict.fromkeys(each.arm for each in rows))
    final = FINAL if FINAL in arms else arms[-1]
    after = {name: read([root], [final])[final] for name, root in (("full", full), ("incremental", ours))}
    parts = [
        f"[{id}] -> {policy.clause(id).style}, seed {seed}.\n",
        *moved_lines(found),
        "",
        markdown(
            ["run", "folder", "seconds", "of the full run"],
            [
                [
                    name,
                    root.name,
                    f"{times[name][0]:.0f} ({times[name][1]})",
                    percent(times[name][0] / times["full"][0]),
                ]
                for name, (root, _) in costs.items()
            ],
        ),
        "",
        markdown(
            ["stage", "full", "incremental"],
            [
                [stage, f"{dict(seconds(full)).get(stage, 0.0):.1f}", f"{here:.1f}"]
                for stage, here in ((row["stage"], row["seconds"]) for row in spent["stages"])
            ],
        ),
        "",
        f"the same stages: {spent['seconds']:.0f} of {same:.0f} s, {percent(spent['seconds'] / same)}",
        f"at most {SHARE:.0%} of the full run's time: {percent(share)}, {'yes' if share <= SHARE else 'NO'}",
        f"figures within the full run's interval: {inside} of {len(rows)} (of the full run before the edit, by the old "
        f"policy: {sum(each.within for each in yardstick)} of {len(yardstick)})",
        "",
        markdown(
            ["arm", "suite", "metric", "full", "incremental", "within"],
            [
                [each.arm, each.suite, each.metric, interval(each.full), interval(each.ours), _word(each.within)]
                for each in rows
            ],
        ),
        "",
        *(
            f"{final}, {name}: {id}'s prompts that follow the new style: {interval(asdict(followed(samples, id)))}"
            for name, samples in after.items()
        ),
        f"{final}, right style on all other prompts, incremental minus full, in points: "
        f"{interval(asdict(moved(after['full'], after['incremental'], id)))}",
    ]
    return "\n".join(parts)


def _word(within: bool) -> str:
    return "yes" if within else "NO"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--flip", metavar="CLAUSE", required=True, help="turn this clause's style around")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--set", dest="sets", action="append", default=[], metavar="KEY=VALUE", help="for all three")
    parser.add_argument("--root", type=Path, default=Path("runs"))
    options = parser.parse_args()
    try:
        print(report(options.flip, options.seed, options.sets, options.root))
    except UserError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
