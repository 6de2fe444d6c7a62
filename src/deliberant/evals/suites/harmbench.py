"""HarmBench (Mazeika et al. 2024): direct requests, and requests about a text; the copyright third is left out."""

from inspect_ai import Task, task

from deliberant.evals.suite import Suite, add, suite_task

STANDARD = add(Suite("harmbench", "HarmBench, standard", "harm", "harmbench", "three-way", "not_unsafe"))
CONTEXTUAL = add(
    Suite("harmbench_contextual", "HarmBench, contextual", "harm", "harmbench-contextual", "three-way", "not_unsafe")
)


@task
def harmbench(
    limit: int | None = None, attacks: str | None = None, policy: str | None = None, form: str | None = None
) -> Task:
    """200 harmful requests in plain words."""
    return suite_task(STANDARD, limit=limit, attacks=attacks, policy=policy, form=form)


@task
def harmbench_contextual(
    limit: int | None = None, attacks: str | None = None, policy: str | None = None, form: str | None = None
) -> Task:
    """100 harmful requests about a text, which is shown with them."""
    return suite_task(CONTEXTUAL, limit=limit, attacks=attacks, policy=policy, form=form)
