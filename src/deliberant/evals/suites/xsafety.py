"""XSafety (Wang et al. 2023): the same risky prompts in ten languages; the share of safe answers, by language."""

from inspect_ai import Task, task

from deliberant.evals.suite import Suite, add, suite_task

XSAFETY = add(Suite("xsafety", "XSafety", "harm", "xsafety", "unsafe", "not_unsafe"))


@task
def xsafety(
    language: str | None = None, limit: int | None = None, attacks: str | None = None, policy: str | None = None
) -> Task:
    """2,600 prompts a language (en, zh, ar, bn, de, fr, hi, ja, ru, es), or all of them."""
    return suite_task(XSAFETY, limit=limit, attacks=attacks, language=language, policy=policy)
