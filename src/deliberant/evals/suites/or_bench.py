"""OR-Bench hard (Cui et al. 2024): harmless prompts that several models refuse."""

from inspect_ai import Task, task

from deliberant.evals.suite import Suite, add, suite_task

OR_BENCH = add(Suite("or_bench", "OR-Bench, hard", "over-refusal", "or-bench", "three-way", "harmless_answered"))


@task
def or_bench(
    limit: int | None = None, attacks: str | None = None, policy: str | None = None, form: str | None = None
) -> Task:
    """1,319 harmless prompts; `limit` draws some."""
    return suite_task(OR_BENCH, limit=limit, attacks=attacks, policy=policy, form=form)
