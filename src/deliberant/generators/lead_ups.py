"""Conversations that lead to a prompt's request in harmless steps, which a model writes.

    deliberant prompts generate multi-turn train.jsonl --with MODEL --to turns.jsonl

The build-ups of `multi-turn.yaml` are the same for every request; these are about its subject. The request itself is
not the model's to touch: it stays the last turn, word for word, so that categories, hints and family hold.
"""

from collections.abc import Sequence
from dataclasses import replace

from deliberant.generators.wrapping import made_from
from deliberant.generators.writing import Job
from deliberant.judge.judge import conversation, fence
from deliberant.prompts.types import Prompt
from deliberant.templates.loader import Templates
from deliberant.util.files import fingerprint

FILE = "lead-up.txt"


def lead_up_jobs(
    prompts: Sequence[Prompt], turns: int, each: int, templates: Templates, model: str, seed: int
) -> list[Job]:
    """`each` jobs per prompt: about `turns` user turns, answered, between what was said before and the last message.

    `model` is the hash of the model that writes.
    """
    asked = "1 message" if turns == 1 else f"{turns} messages"
    source = f"generated:multi-turn:written@{templates.hash[:8]} by {model[:8]}"
    jobs = []
    for prompt in prompts:
        values = {"conversation": conversation(prompt), "turns": asked}
        shown = tuple(templates.render(FILE, {**values, "fence": fence(values, seed)}))
        for index in range(each):
            id = f"{prompt.id}~written-{fingerprint([seed, prompt.id, source, turns, index])[:8]}"
            frame = replace(prompt, id=id, source=made_from(source, prompt), framing="multi-turn")
            jobs.append(Job("multi-turn:written", prompt.id, shown, frame, index, asks="lead-up"))
    return jobs
