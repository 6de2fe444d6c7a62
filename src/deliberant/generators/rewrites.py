"""What a model writes of a prompt: its twin of another intent, or the turns that lead up to its request.

    deliberant prompts generate twins harmful.jsonl --policy POLICY --with MODEL --to twins.jsonl
    deliberant prompts generate multi-turn train.jsonl --with MODEL --to turns.jsonl

Harmful and harmless twins have the same words and another intent, so that words alone decide nothing. The paper names
none; XSTest (Röttger et al. 2024) writes its contrasts by hand. The build-ups of `multi-turn.yaml` are the same for
every request; those written here are about its subject. The request itself is not the model's to touch: it stays the
last turn, word for word, so that categories, hints and family hold.
"""

from collections.abc import Sequence
from dataclasses import replace

from deliberant.generators.wrapping import describe_origin
from deliberant.generators.writing import Job
from deliberant.judge.judge import format_conversation, with_fence
from deliberant.policy import Policy, summary_view
from deliberant.prompts.types import Prompt
from deliberant.templates.loader import Templates
from deliberant.util.files import fingerprint

TOWARDS = ("harmless", "harmful")


def twin_jobs(
    prompts: Sequence[Prompt], policy: Policy, templates: Templates, model: str, towards: str, seed: int
) -> list[Job]:
    """One job per prompt: its harmless or its harmful twin, whose category the model names and the labeller checks.

    The twin has its source's family, licence and earlier turns, and none of its hints: the intent is another one.
    `model` is the hash of the model that writes.
    """
    assert towards in TOWARDS
    view = summary_view(policy)
    source = f"generated:twins:{towards}@{templates.hash[:8]} by {model[:8]}"
    jobs = []
    for prompt in prompts:
        values = {"spec_view": view, "conversation": format_conversation(prompt)}
        shown = tuple(templates.render(f"twin-{towards}.txt", with_fence(values, seed)))
        id = f"{prompt.id}~{towards}-{fingerprint([seed, prompt.id, source])[:8]}"
        frame = replace(prompt, id=id, hints=(), source=describe_origin(source, prompt))
        jobs.append(Job(f"twins:{towards}", prompt.id, shown, frame, hints=len(prompt.hints), asks="twin"))
    return jobs


def lead_up_jobs(
    prompts: Sequence[Prompt], turns: int, each: int, templates: Templates, model: str, seed: int
) -> list[Job]:
    """`each` jobs per prompt: about `turns` user turns, answered, between what was said before and the last message.

    `model` is the hash of the model that writes.
    """
    number = "1 message" if turns == 1 else f"{turns} messages"
    source = f"generated:multi-turn:written@{templates.hash[:8]} by {model[:8]}"
    jobs = []
    for prompt in prompts:
        values = {"conversation": format_conversation(prompt), "turns": number}
        shown = tuple(templates.render("lead-up.txt", with_fence(values, seed)))
        for index in range(each):
            id = f"{prompt.id}~written-{fingerprint([seed, prompt.id, source, turns, index])[:8]}"
            frame = replace(prompt, id=id, source=describe_origin(source, prompt), framing="multi-turn")
            jobs.append(Job("multi-turn:written", prompt.id, shown, frame, index, asks="lead-up"))
    return jobs
