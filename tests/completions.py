"""Completions as a sampler would give them back, from raw text."""

from typing import Any

from deliberant.models import Completion, Usage, split


def completed(
    text: str,
    stop: Any = "stop",
    *,
    opened: bool = False,
    strict: bool = True,
    ids: tuple[int, ...] = (1,),
    read: int = 3,
) -> Completion:
    """The completion with this raw text, split as a policy model's (`strict`) or a judge's."""
    parts = split(text, opened, strict)
    return Completion(text, parts.reasoning, parts.answer, parts.complete, stop, Usage(read, len(ids)), ids)
