"""XSTest (Röttger et al. 2024): safe prompts that look unsafe, and unsafe contrasts; partial answers counted apart."""

from inspect_ai import Task, task

from deliberant.evals.suite import Suite, add, suite_task

XSTEST = add(Suite("xstest", "XSTest", "both", "xstest", "three-way", "harmless_answered"))


@task
def xstest(
    limit: int | None = None, attacks: str | None = None, policy: str | None = None, form: str | None = None
) -> Task:
    """250 safe prompts and 200 unsafe ones."""
    return suite_task(XSTEST, limit=limit, attacks=attacks, policy=policy, form=form)
