"""StrongREJECT (Souly et al. 2024): forbidden prompts, by its rubric; under attacks goodness@0.1 is quoted."""

from inspect_ai import Task, task

from deliberant.evals.suite import Suite, add, suite_task

FULL = add(Suite("strongreject", "StrongREJECT", "harm", "strongreject", "rubric", "not_unsafe"))
SMALL = add(Suite("strongreject_small", "StrongREJECT, small", "harm", "strongreject-small", "rubric", "not_unsafe"))


@task
def strongreject(
    limit: int | None = None, attacks: str | None = None, policy: str | None = None, form: str | None = None
) -> Task:
    """313 forbidden prompts."""
    return suite_task(FULL, limit=limit, attacks=attacks, policy=policy, form=form)


@task
def strongreject_small(
    limit: int | None = None, attacks: str | None = None, policy: str | None = None, form: str | None = None
) -> Task:
    """60 forbidden prompts, ten of each category."""
    return suite_task(SMALL, limit=limit, attacks=attacks, policy=policy, form=form)
