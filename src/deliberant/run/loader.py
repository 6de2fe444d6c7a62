"""How a recipe is read: the file, what overrides it, and mistakes with the line where they stand."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from deliberant.run.arms import ARMS
from deliberant.run.recipe import Recipe
from deliberant.run.settings import BUILT_IN
from deliberant.util.errors import UserError
from deliberant.util.files import refuse_pipe
from deliberant.util.yaml import Loader, Places, explain_mistake, locate, parse


class _Loader(Loader):
    """YAML 1.1 reads `1e-5` as text; a learning rate is a number."""


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?[0-9]+(\.[0-9]*)?[eE][-+]?[0-9]+$"), list("-+0123456789")
)


def load_recipe(path: Path | str, overrides: Sequence[str] = (), settled: bool = False) -> Recipe:
    """Read a recipe; each override is `key.key=value`, its value read as YAML.

    `settled`: it is that of a run, whose world no longer shows in it. Paths that exist relative to the recipe file come
    back absolute. Every mistake is a UserError that names file and line (or the override) and the nearest valid key.
    """
    path = Path(path)
    data, places = _read(path)
    for override in overrides:
        _override(data, places, override)
    try:
        recipe = Recipe.model_validate(data, context=path.parent)
    except ValidationError as error:
        raise explain_mistake(error, Recipe, places) from error
    if not settled:
        _check_judges(recipe, locate(places, ("judge",)))
    return recipe


def _read(path: Path) -> tuple[dict[str, Any], Places]:
    refuse_pipe(path)
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise UserError(f"{path}: cannot read the recipe ({error.strerror}); check the path") from error
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise UserError(f"{path}:{line}: is not UTF-8; save it as UTF-8") from error
    data, places = parse(path, text, _Loader)
    if not isinstance(data, dict):
        raise UserError(f"{path}:1: a recipe is a mapping of keys; start with `name: ...`")
    return data, places


def _override(data: dict[str, Any], places: Places, override: str) -> None:
    """Put the value into `data`; from then on the override is the place of that key."""
    source = f"override '{override}'"
    key, equals, value = override.partition("=")
    *above, last = where = tuple(key.strip().split("."))
    if not equals or not all(where):
        raise UserError(f"{source}: write it as key=value, e.g. rl.steps=5")
    for part in above:
        data = data.setdefault(part, {})
        if not isinstance(data, dict):
            raise UserError(f"{source}: '{part}' holds no keys; override it as a whole")
    try:
        data[last] = yaml.load(value, _Loader)
    except yaml.YAMLError as error:
        raise UserError(f"{source}: its value is not valid YAML; correct it") from error
    for length in range(1, len(where) + 1):
        places.setdefault(where[:length], source)
    places |= {inner: source for inner in places if inner[: len(where)] == where}


def _check_judges(recipe: Recipe, where: str) -> None:
    """UserError where RL has no judge, or the judge that rewards also evaluates: it would grade its own teaching."""
    trained = [arm for arm in recipe.evaluate.arms if ARMS[arm].stage == "rl"]
    rewards, evaluates = recipe.judge.reward, recipe.judge.evaluate
    if trained and rewards is None:
        raise UserError(f"{where}: judge.reward is missing, and {trained[0]} needs it; name a model")
    if trained and rewards and rewards.model == evaluates.model and recipe.prompts != BUILT_IN:
        raise UserError(
            f"{where}: judge.reward and judge.evaluate are one model, which would grade what it taught; name another "
            "for one of them"
        )
