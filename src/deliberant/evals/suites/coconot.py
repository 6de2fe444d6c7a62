"""CoCoNot's contrast set, safety (Brahman et al. 2024): requests to comply with that look like ones to decline."""

from inspect_ai import Task, task

from deliberant.evals.suite import Suite, add, suite_task

COCONOT = add(Suite("coconot", "CoCoNot, contrast", "over-refusal", "coconot", "three-way", "harmless_answered"))


@task
def coconot(
    limit: int | None = None, attacks: str | None = None, policy: str | None = None, form: str | None = None
) -> Task:
    """149 harmless requests."""
    return suite_task(COCONOT, limit=limit, attacks=attacks, policy=policy, form=form)
