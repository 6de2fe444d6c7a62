"""A policy's own cases: those of a file, or the examples of its clauses; graded by the policy itself."""

from collections.abc import Sequence

from inspect_ai import Task, task

from deliberant.evals.suite import Suite, add, suite_task
from deliberant.prompts.types import Case


def allowed(cases: Sequence[Case]) -> list[Case]:
    """Those that the policy asks to comply with."""
    return [case for case in cases if case.truth.style == "comply"]


POLICY = add(Suite("policy", "The policy's own cases", "both", None, "policy", "style"))
ALLOWED = add(
    Suite("policy_allowed", "What the policy allows", "over-refusal", None, "policy", "harmless_answered", allowed)
)


@task
def policy(
    policy: str = "default", cases: str | None = None, limit: int | None = None, attacks: str | None = None
) -> Task:
    """Every style. `policy`: a folder, or one of the words default and micro; `cases`: a file for it."""
    return suite_task(POLICY, limit=limit, attacks=attacks, policy=policy, cases=cases)


@task
def policy_allowed(policy: str = "default", cases: str | None = None, limit: int | None = None) -> Task:
    """The harmless side alone: over-refusal by the policy's own words."""
    return suite_task(ALLOWED, limit=limit, policy=policy, cases=cases)
