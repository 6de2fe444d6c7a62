"""What work will take: calls and tokens by stage, dollars by a price list, hours by what was measured.

Nothing is loaded: tokens are counted with the model's own tokenizer where that is here, else as words times 1.3.
"""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from pydantic import TypeAdapter

from deliberant.models.budget import Price, price_of
from deliberant.models.refs import Reference
from deliberant.models.types import Usage
from deliberant.prompts.types import Message
from deliberant.util.files import write_json

PER_WORD = 1.3
"""Tokens a word of English takes in today's vocabularies, about."""
PER_MESSAGE = 5
"""Tokens that a chat template spends on a message, about."""


@dataclass(frozen=True)
class Speed:
    """What was measured of a model in a role: mean tokens of a completion, and tokens drawn a second, prompts read."""

    output: float
    per_second: float


_SPEEDS = TypeAdapter(dict[str, dict[str, Speed]])


@dataclass(frozen=True)
class Work:
    """One stage's use of one model. `steps` of an optimizer, where it trains; its tokens are then those trained on.

    `dollars` and `hours` are None where nobody knows: no price, or not measured yet.
    """

    stage: str
    role: str
    model: str
    calls: int
    usage: Usage
    steps: int = 0
    dollars: float | None = None
    hours: float | None = None


@dataclass(frozen=True)
class Asked:
    """`distinct` requests that begin with `messages` and hold `extra` tokens more, each drawn `times` times."""

    messages: Sequence[Message]
    extra: int = 0
    distinct: int = 1
    times: int = 1


def estimate_work(
    stage: str,
    role: str,
    reference: Reference,
    asked: Iterable[Asked],
    output: float,
    prices: Mapping[str, Price],
    speed: Speed | None,
) -> Work:
    """What it takes to draw all of `asked`, `output` tokens each. What a provider may know from before counts as
    cached: a system message that was sent already, and all of a request that is drawn again."""
    count, _ = make_counter(reference)
    calls, read, cached, heads = 0, 0, 0, set[str]()
    for each in asked:
        size = sum(count(message["content"]) + PER_MESSAGE for message in each.messages) + each.extra
        head = each.messages[0]["content"] if each.messages[0]["role"] == "system" else ""
        again = each.distinct - (head not in heads)
        heads.add(head)
        calls += each.distinct * each.times
        read += size * each.distinct * each.times
        cached += count(head) * again + size * each.distinct * (each.times - 1)
    usage = Usage(read, round(output * calls), cached)
    price = price_of(reference.name, prices) if reference.kind == "api" else None
    hours = usage.output / speed.per_second / 3600 if speed else None
    return Work(stage, role, str(reference), calls, usage, 0, price.of(usage) if price else None, hours)


@cache
def make_counter(reference: Reference) -> tuple[Callable[[str], int], str]:
    """(tokens of a text, how they are counted) for a model; each text is counted once."""
    file = _tokenizer_file(reference)
    if file is None:
        return cache(lambda text: round(len(text.split()) * PER_WORD)), f"words times {PER_WORD}"
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(file))
    return cache(lambda text: len(tokenizer.encode(text, add_special_tokens=False).ids)), "its tokenizer"


def _tokenizer_file(reference: Reference) -> Path | None:
    if reference.kind == "api" or reference.url:
        return None
    if reference.folder.is_dir():
        file = reference.folder / "tokenizer.json"
        return file if file.exists() else None
    from huggingface_hub import try_to_load_from_cache

    cached = try_to_load_from_cache(reference.name, "tokenizer.json")
    return Path(cached) if isinstance(cached, str) else None


def _speeds_file() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "deliberant" / "speeds.json"


def read_speeds() -> dict[str, dict[str, Speed]]:
    """Model -> role -> what was last measured on this machine."""
    try:
        return _SPEEDS.validate_json(_speeds_file().read_bytes())
    except (OSError, ValueError):
        return {}  # a cache: it is measured again


def remember_speeds(measured: Mapping[tuple[str, str], Speed]) -> None:
    """Keep what was measured, by (model, role), for plans to come."""
    speeds = read_speeds()
    for (model, role), speed in measured.items():
        speeds.setdefault(model, {})[role] = speed
    write_json(_speeds_file(), speeds)
