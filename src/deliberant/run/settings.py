"""What every part of a recipe is made of: strict settings, paths, and how completions are drawn."""

import re
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, NonNegativeFloat, ValidationInfo

from deliberant.models.types import Sampling

BUILT_IN = "micro"
"""The word for the built-in world, wherever a recipe names a policy, a model, templates or prompts."""
DEFAULT = "default"
"""The word for the policy that a team can start from, and for the prompt files that suit any model."""

DATA_SET = re.compile(r"^[A-Za-z0-9][\w.-]*(/[\w.-]+)?$", re.ASCII)
"""A data set's id on the Hub."""

Count = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(ge=0, le=1)]
BareOff = BeforeValidator(lambda word: "off" if word is False else word)
"""YAML 1.1 reads a bare `off` as False."""


class Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    UNNAMED: ClassVar[frozenset[str]] = frozenset()
    """Keys that are no part of a run's name, because they change no row that it has already."""

    @property
    def shaping(self) -> dict[str, Any]:
        """All other keys, which do shape what the run makes."""
        return self.model_dump(mode="json", exclude=set(self.UNNAMED))


def check_path(words: Callable[[], Collection[str]] = tuple, data_sets: bool = False) -> AfterValidator:
    """A path, absolute; `words` stand for what is built in. ValueError where there is nothing."""

    def locate(value: Any, info: ValidationInfo) -> Any:
        folder: Path | None = info.context
        if folder is None or not isinstance(value, str) or value in words():
            return value
        path = folder / value
        if value and path.exists():
            return str(path.resolve())
        if data_sets and DATA_SET.match(value):
            return value
        remedy = f"; built in are {', '.join(words())}" if words() else ""
        raise ValueError(f"there is no {path}; paths start from the recipe's folder{remedy}")

    return AfterValidator(locate)


class Sampled(Settings):
    """Settings of whatever draws completions. With `max_reasoning_tokens` longer reasoning is closed there and the
    answer drawn; both together stay below `max_new_tokens`."""

    temperature: NonNegativeFloat = 1.0
    top_p: Annotated[float, Field(gt=0, le=1)] = 1.0
    max_new_tokens: Count = 4096
    max_reasoning_tokens: Count | None = None

    @property
    def sampling(self) -> Sampling:
        """The same settings as a sampler takes them."""
        return Sampling(self.temperature, self.top_p, self.max_new_tokens, self.max_reasoning_tokens)


class Drawing(Sampled):
    """What a stage draws; `chunk` requests or items are one durable unit of work."""

    chunk: Count = 64
