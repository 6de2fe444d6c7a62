"""Harmful and harmless twins: the same words, another intent, so that words alone decide nothing.

    deliberant prompts generate twins harmful.jsonl --policy POLICY --with MODEL --to twins.jsonl

The paper names no twins; XSTest (Röttger et al. 2024) writes its contrasts by hand.
"""

from collections.abc import Sequence
from dataclasses import replace

from deliberant.generators.wrapping import made_from
from deliberant.generators.writing import Job
from deliberant.judge.judge import conversation, fence
from deliberant.policy import Policy, summary_view
from deliberant.prompts.types import Prompt
from deliberant.templates.loader import Templates
from deliberant.util.files import fingerprint

TOWARDS = ("harmless", "harmful")


def twin_jobs(
    prompts: Sequence[Prompt], policy: Policy, templates: Templates, model: str, towards: str, seed: int
) -> list[Job]:
    """One job per prompt: its harmless or its harmful twin, whose category the model names and the labeller checks.

    The twin has its source's family, licence and earlier turns. It has none of the hints: the intent is another one.
    `model` is the hash of the model that writes.
    """
    assert towards in TOWARDS
    view = summary_view(policy)
    source = f"generated:twins:{towards}@{templates.hash[:8]} by {model[:8]}"
    jobs = []
    for prompt in prompts:
        values = {"spec_view": view, "conversation": conversation(prompt)}
        shown = templates.render(f"twin-{towards}.txt", {**values, "fence": fence(values, seed)})
        frame = replace(
            prompt,
            id=f"{prompt.id}~{towards}-{fingerprint([seed, prompt.id, source])[:8]}",
            hints=(),
            source=made_from(source, prompt),
        )
        jobs.append(Job(f"twins:{towards}", prompt.id, tuple(shown), frame, hints=len(prompt.hints), asks="twin"))
    return jobs
