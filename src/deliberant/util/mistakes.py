"""Turns a pydantic validation error into one line a user can act on."""

import re
from typing import Any, get_args

from pydantic import AliasChoices, BaseModel, RootModel, ValidationError
from pydantic.fields import FieldInfo

from deliberant.util.names import suggest_name

REMEDIES = {
    "string_type": "write a text",
    "bool_type": "write true or false",
    "int_type": "write a whole number",
    "int_from_float": "write a whole number",
    "float_type": "write a number",
    "list_type": "write a list",
    "tuple_type": "write a list",
    "too_short": "name at least one",
}
"""What helps where a value is of the wrong kind; one out of range is to be changed."""
UNION_MEMBER = re.compile(r"literal\[|str$|[A-Z]")
"""Pydantic's names for the members of a union, which stand among the keys; keys of ours start in lower case."""


def first_mistake(error: ValidationError, model: type[BaseModel]) -> tuple[tuple[int | str, ...], str]:
    """Where the first mistake is (keys and indices from the top), and what is wrong with it and helps."""
    # an unknown key explains a missing one; the deepest error explains a union that no member fits
    mistake = min(
        error.errors(include_url=False), key=lambda each: (each["type"] != "extra_forbidden", -len(each["loc"]))
    )
    names = issubclass(model, RootModel)  # at the top stand names of the user's own
    where = tuple(
        part
        for index, part in enumerate(mistake["loc"])
        if (names and index == 0)
        or not UNION_MEMBER.match(str(part))
        or (mistake["type"] == "extra_forbidden" and index == len(mistake["loc"]) - 1)
    )
    name = ".".join(str(part) for part in where)
    match mistake["type"]:
        case "extra_forbidden":
            return where, f"unknown key '{name}'; {_suggest_key(str(where[-1]), model, where[:-1])}"
        case "missing":
            return where, f"'{name}' is missing; add it"
        case "literal_error":
            known = mistake["ctx"]["expected"].replace(" or ", ", ").replace("'", "").split(", ")
            return where, f"{name}: unknown value {mistake['input']!r}; {suggest_name(str(mistake['input']), known)}"
        case "value_error":
            return where, f"{name}: {mistake['ctx']['error']}" if name else str(mistake["ctx"]["error"])
        case "model_type" | "dict_type" | "model_attributes_type":
            what = f"should be keys with values, not {mistake['input']!r}; write `key: value`"
            return where, f"{name}: {what}" if name else what
    what = f"{mistake['msg'][0].lower()}{mistake['msg'][1:]}".replace("tuple", "list")
    return where, f"{name}: {what}, not {mistake['input']!r}; {REMEDIES.get(mistake['type'], 'change it')}"


def _suggest_key(key: str, model: type[BaseModel], where: tuple[int | str, ...]) -> str:
    """The key that was meant: one with this very name below a neighbour, else the neighbour whose name is nearest."""
    inner = [(name, each) for name, field in _fields(model).items() if (each := _model_in(field.annotation))]
    below = [] if where else [f"{name}.{key}" for name, each in inner if key in _fields(each)]
    return f"did you mean '{' or '.join(below)}'?" if below else suggest_name(key, _keys(model, where))


def _keys(model: type[BaseModel], where: tuple[int | str, ...]) -> list[str]:
    """The keys that are known at a place inside a model."""
    for part in where:
        name = "root" if issubclass(model, RootModel) else part
        model = _model_in(getattr(_fields(model).get(name), "annotation", None)) or model
    return [str(key) for key in _fields(model)]


def _fields(model: type[BaseModel]) -> dict[int | str, FieldInfo]:
    """The fields of a model by the keys that may stand for them."""
    fields: dict[int | str, FieldInfo] = {}
    for name, field in model.model_fields.items():
        alias = field.validation_alias
        fields |= {str(key): field for key in (alias.choices if isinstance(alias, AliasChoices) else (name,))}
    return fields


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """The model class in an annotation such as `M`, `M | str` or `tuple[M, ...]`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((model for inner in get_args(annotation) if (model := _model_in(inner))), None)
