"""Who does what in a recipe: the base, the writer and the judges, each a model reference with settings of its own."""

from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, NonNegativeFloat, ValidationInfo

from deliberant.models.refs import parse_reference
from deliberant.models.types import Reasoning
from deliberant.run.settings import BUILT_IN, BareOff, Count, Sampled, Settings, check_path
from deliberant.templates.loader import built_in


def _locate_model(value: str, info: ValidationInfo) -> str:
    """A model reference, a folder's absolute. UserError, which is a ValueError, where it cannot be one."""
    folder: Path | None = info.context
    if folder is None:
        return value
    if value != BUILT_IN and (folder / value).is_dir():
        return str((folder / value).resolve())
    return str(parse_reference(value))


ModelReference = Annotated[str, AfterValidator(_locate_model)]
TemplatesFolder = Annotated[str, check_path(built_in)]


def as_model(value: Any) -> Any:
    """A bare reference stands for a model with all its settings at their defaults."""
    return {"model": value} if isinstance(value, str) else value


class Model(Settings):
    """A model reference, and how that model comes to reason: `native`, `prompted` or `off`.

    `trust_remote_code`: run the code that comes with its files. Read it before.
    """

    model: ModelReference
    reasoning: Annotated[Reasoning, BareOff] = "native"
    trust_remote_code: bool = False


class JudgeModel(Sampled):
    """A model that judges, with prompt files and sampling of its own; without `templates` the recipe's.

    Beside `default`, `json` asks for JSON, and `safeguard`, `dynaguard` and `cope` are for policy judges of that name.
    """

    model: ModelReference
    templates: TemplatesFolder | None = None
    temperature: NonNegativeFloat = 0.7
    max_new_tokens: Count = 2048


Judging = Annotated[JudgeModel, BeforeValidator(as_model)]


class Judges(Settings):
    """Who judges what. The judge that rewards is needed where an arm is trained by RL, and is not the one that
    evaluates, save in the built-in world, where the truth is known."""

    filter: Judging
    reward: Judging | None = None
    evaluate: Judging


def as_judges(value: Any) -> Any:
    """One model stands for all of them."""
    one = as_model(value)
    return {"filter": one, "reward": one, "evaluate": one} if isinstance(one, dict) and "model" in one else one
