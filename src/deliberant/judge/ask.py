"""Asks a model about texts of a policy: a prompt file, a fence around what is examined, one greedy answer each."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from deliberant.judge.judge import with_fence
from deliberant.models.types import Completion, Request, Sampler, Sampling
from deliberant.templates.loader import fill
from deliberant.util.progress import NullProgress, Progress

CHUNK = 16
"""Prompts that go to the model together."""


def ask(
    sampler: Sampler,
    file: Path,
    texts: Sequence[Mapping[str, str]],
    max_new_tokens: int,
    label: str,
    progress: Progress | None,
) -> list[Completion]:
    """One answer for each of `texts`, which are filled into the prompt file; `label` is what the progress counts.

    UserError where a prompt does not fit the model.
    """
    template, answers = file.read_text("utf-8"), list[Completion]()
    with (progress or NullProgress())(label, len(texts)) as bar:
        for start in range(0, len(texts), CHUNK):
            prompts = [fill(template, with_fence(values, 0)) for values in texts[start : start + CHUNK]]
            requests = [Request(({"role": "user", "content": prompt},), 0) for prompt in prompts]
            answers += sampler.sample(requests, Sampling(0.0, 1.0, max_new_tokens))
            bar.advance(len(requests))
    return answers
