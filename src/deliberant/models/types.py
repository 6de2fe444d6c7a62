"""The one door to every model: batch in, batch out."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from deliberant.prompts.types import Message


@dataclass(frozen=True)
class Request:
    """One completion to draw. `seed` fixes its randomness, whatever batch it travels in."""

    messages: tuple[Message, ...]
    seed: int


@dataclass(frozen=True)
class Sampling:
    """`temperature` 0 is greedy; `max_new_tokens` bounds reasoning and answer together."""

    temperature: float = 1.0
    top_p: float = 1.0
    max_new_tokens: int = 256


@dataclass(frozen=True)
class Completion:
    """Raw text with reasoning tags left in (end-of-turn removed); `stop` is "stop" or, when cut, "length".

    `token_ids` are the sampled ids, end-of-turn included.
    """

    text: str
    token_ids: tuple[int, ...]
    prompt_tokens: int
    stop: Literal["stop", "length"]


class Sampler(Protocol):
    """Draws completions. `identity` is a hash of weights, tokenizer and chat template.

    `prefilled`: whether the prompt ends with the opening reasoning tag, so that completions start inside the reasoning.
    """

    identity: str
    prefilled: bool

    def sample(self, requests: Sequence[Request], sampling: Sampling) -> list[Completion]: ...
