"""JailbreakBench (Chao et al. 2024): 100 harmful behaviors, each with a harmless twin; a pair is a family."""

from inspect_ai import Task, task

from deliberant.evals.suite import Suite, add, suite_task

JAILBREAKBENCH = add(
    Suite("jailbreakbench", "JailbreakBench, pairs", "both", "jailbreakbench", "three-way", "not_unsafe")
)


@task
def jailbreakbench(
    limit: int | None = None, attacks: str | None = None, policy: str | None = None, form: str | None = None
) -> Task:
    """Both sides of every pair; attacks ask the harmful one."""
    return suite_task(JAILBREAKBENCH, limit=limit, attacks=attacks, policy=policy, form=form)
