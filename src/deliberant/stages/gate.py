"""A gate on a run that was evaluated: the numbers of one arm against the thresholds of a file, and a former run.

deliberant results RUN --gate gate.yaml
"""

from collections.abc import Sequence
from pathlib import Path

from deliberant.evals import ScoredSample
from deliberant.evals.checks import Check, checks
from deliberant.evals.gate import check_name, read_gate
from deliberant.policy import load_policy
from deliberant.run.arms import final_of
from deliberant.stages.answers import read_samples
from deliberant.stages.evaluate import results
from deliberant.util.yaml import locate


def gate(run_root: Path, file: Path, against: str | None = None) -> list[Check]:
    """Every check, what fails first, worst first. `against`: a former run, in place of the file's.

    UserError for a mistake in the file, with its line, and where one of the runs was not evaluated.
    """
    rules, places = read_gate(file, against)
    arms = _arms(run_root)
    arm = rules.arm or final_of(arms)
    check_name(arm, arms, "arm", locate(places, ("arm",)))
    former: Sequence[ScoredSample] = ()
    if rules.against is not None:
        check_name(arm, _arms(Path(rules.against)), f"arm of {rules.against}", locate(places, ("against",)))
        former = read_samples(Path(rules.against), arm)
    return checks(rules, places, read_samples(run_root, arm), load_policy(run_root / "policy"), former)


def _arms(run_root: Path) -> list[str]:
    """The arms that were evaluated."""
    return list(dict.fromkeys(row["arm"] for row in results(run_root)))
