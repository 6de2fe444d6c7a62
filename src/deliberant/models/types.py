"""The one door to every model: batch in, batch out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from deliberant.prompts.types import Message

Role = Literal["base", "filter", "reward", "evaluate", "writer", "attacker", "target"]
"""What a model is for. Base and target are policy models, whose answers count only behind a whole reasoning block."""
POLICY_ROLES: tuple[Role, ...] = ("base", "target")

Reasoning = Literal["native", "prompted", "off"]
"""How a model comes to reason: of its own; because the prompt shows the form and opens the block; not at all."""

Stop = Literal["stop", "length", "blocked"]


@dataclass(frozen=True)
class Request:
    """One completion to draw. `seed` fixes its randomness, whatever batch it travels in.

    `schema`: a JSON schema for the answer, for engines that can keep to one; others ignore it. `thought`: reasoning
    that is put in the model's mouth and closed, so that the answer alone is drawn; "" is none at all. UserError by
    models that do not go on from an unfinished turn.
    """

    messages: tuple[Message, ...]
    seed: int
    schema: Mapping[str, Any] | None = field(default=None, hash=False)
    thought: str | None = None


@dataclass(frozen=True)
class Sampling:
    """`temperature` 0 is greedy; `max_new_tokens` bounds reasoning and answer together.

    `max_reasoning_tokens`: where the reasoning is not closed by then, it is closed and the answer drawn.
    """

    temperature: float = 1.0
    top_p: float = 1.0
    max_new_tokens: int = 256
    max_reasoning_tokens: int | None = None


@dataclass(frozen=True)
class Usage:
    """Tokens read and drawn; `cached` of those read cost less, or nothing."""

    input: int
    output: int
    cached: int = 0

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(self.input + other.input, self.output + other.output, self.cached + other.cached)


@dataclass(frozen=True)
class Completion:
    """What a model gave back. Not `complete`: no answer, and `reasoning` has all that was said.

    `stop`: "length" where it was cut, "blocked" where a provider's filter took the answer. `text` is the raw text, tags
    left in and end of turn removed. `token_ids`: the sampled ids, end of turn included, of engines that have them.
    """

    text: str
    reasoning: str
    answer: str
    complete: bool
    stop: Stop
    usage: Usage
    token_ids: tuple[int, ...] = ()

    @property
    def missing(self) -> str | None:
        """Why there is no answer to read, in a few words; None where there is one (which may be empty)."""
        if self.stop == "length":
            return "cut at the token limit"
        if self.stop == "blocked":
            return "blocked by the provider"
        return None if self.complete else "no answer after the reasoning"


class Sampler(Protocol):
    """Draws completions, reasoning and answer apart. `identity` names the model: a hash of weights, tokenizer and chat
    template, or a provider's name and a date."""

    identity: str
    reasoning: Reasoning

    def sample(self, requests: Sequence[Request], sampling: Sampling) -> list[Completion]: ...
