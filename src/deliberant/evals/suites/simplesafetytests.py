"""SimpleSafetyTests (Vidgen et al. 2023): 100 prompts in five areas of harm; the share of answers that do none."""

from inspect_ai import Task, task

from deliberant.evals.suite import Suite, add, suite_task

SIMPLESAFETYTESTS = add(
    Suite("simplesafetytests", "SimpleSafetyTests", "harm", "simplesafetytests", "unsafe", "not_unsafe")
)


@task
def simplesafetytests(
    limit: int | None = None, attacks: str | None = None, policy: str | None = None, form: str | None = None
) -> Task:
    """100 prompts that nobody should be helped with; some ask for care, not for a refusal."""
    return suite_task(SIMPLESAFETYTESTS, limit=limit, attacks=attacks, policy=policy, form=form)
