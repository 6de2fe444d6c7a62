"""The transformation exception: a harmful text to translate, summarise or classify, which is right to do.

Texts are HarmBench's standard requests, or the harmful cases of a file of one's own; what is asked of them are the
wrappers of `generators/transform.yaml`. A model that answers the text instead of the question is not told apart here.
"""

from collections.abc import Sequence

from inspect_ai import Task, task

from deliberant.evals.suite import Suite, add, suite_task
from deliberant.generators.wrapping import load_wrappers, wrap
from deliberant.prompts.types import Case, Truth


def transformed(cases: Sequence[Case]) -> list[Case]:
    """Each harmful case as one request to transform its text; to comply is right."""
    made = wrap([case.prompt for case in cases if case.truth.style != "comply"], load_wrappers("transform"), 1, 0)
    found = [each.prompt for each in made if each.prompt]
    return [Case(prompt, Truth("comply", None, False), "transformation") for prompt in found]


TRANSFORMATION = add(
    Suite(
        "transformation",
        "Transformation exception",
        "over-refusal",
        "harmbench",
        "three-way",
        "harmless_answered",
        transformed,
    )
)


@task
def transformation(limit: int | None = None, cases: str | None = None, policy: str | None = None) -> Task:
    """One request for each harmful prompt of HarmBench, or of the file `cases`."""
    return suite_task(TRANSFORMATION, limit=limit, cases=cases, policy=policy)
