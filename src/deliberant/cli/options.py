"""Arguments and options that verbs of several files have: one wording each. What one file alone has stands there."""

import inspect
import json
from collections.abc import Callable
from dataclasses import is_dataclass
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from deliberant.util.errors import UserError
from deliberant.util.names import suggest_name

Word = TypeVar("Word", bound=str)

Where = Annotated[Path, typer.Argument(metavar="RUN", help="A run folder, or a recipe (.yaml).", show_default=False)]
RunFolder = Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.", show_default=False)]
Overrides = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override one recipe key; may be repeated.")
]
Root = Annotated[Path, typer.Option("--root", help="Where a recipe's run folder is, or is made.")]

PolicyName = Annotated[str, typer.Option("--policy", help="A policy folder, or one of the words micro, default.")]

Model = Annotated[str, typer.Option("--with", metavar="MODEL", help="A folder, a Hub id, or the word micro.")]
TemplatesOf = Annotated[
    str | None,
    typer.Option("--templates", help="Prompt files: a folder, default or micro; without it, those of the model."),
]
Readings = Annotated[int, typer.Option("--readings", min=1, help="How often each prompt's category is read.")]
Temperature = Annotated[float, typer.Option(min=0.0, help="Of the model's sampling; 0 is greedy.")]
TopP = Annotated[
    float, typer.Option("--top-p", min=0.01, max=1.0, help="Of the model's sampling; small models babble at 1.")
]
NewTokens = Annotated[int, typer.Option(min=1, help="Of each completion, reasoning included.")]
Chunk = Annotated[int, typer.Option(min=1, help="Prompts that are done, and kept, together.")]
Seed = Annotated[int, typer.Option(min=0, help="Another seed draws other wordings or completions.")]
AsJson = Annotated[bool, typer.Option("--json", help="JSON instead of text.")]


def expand_groups(verb: Callable[..., None]) -> Callable[..., None]:
    """A verb that takes dataclasses of options, as a command with an option for each of their fields.

    Help shows what is required first, the verb's own options before those of the groups.
    """
    own = inspect.signature(verb).parameters
    groups: dict[str, Any] = {name: each.annotation for name, each in own.items() if is_dataclass(each.annotation)}
    parameters = [parameter for name, parameter in own.items() if name not in groups]
    for group in groups.values():
        parameters += inspect.signature(group).parameters.values()
    parameters.sort(key=lambda parameter: parameter.default is not parameter.empty)

    @wraps(verb)
    def command(**values: Any) -> None:
        for name, group in groups.items():
            values[name] = group(**{field: values.pop(field) for field in inspect.signature(group).parameters})
        verb(**values)

    keywords = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in parameters]
    command.__signature__ = inspect.Signature(keywords)  # type: ignore[attr-defined]
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return command


def print_json(value: Any, indent: int | None = 1) -> None:
    """JSON on stdout: indented, or on one line where `indent` is None."""
    typer.echo(json.dumps(value, ensure_ascii=False, indent=indent))


def check_choice(option: str, value: str, known: tuple[Word, ...]) -> Word:
    """The value, where the option knows it. UserError naming the nearest one elsewhere."""
    for word in known:
        if word == value:
            return word
    raise UserError(f"{option}: unknown value '{value}'; {suggest_name(value, known)}")


def parse_pairs(option: str, values: list[str] | None, form: str) -> dict[str, str]:
    """What an option such as `--map FIELD=COLUMN` was given. UserError for another form, or a name with two values."""
    named: dict[str, str] = {}
    for pair in values or ():
        name, equals, value = pair.partition("=")
        if not (equals and name and value):
            raise UserError(f"{option} {pair}: write it as {form}")
        if named.get(name, value) != value:
            raise UserError(f"{option} {pair}: '{name}' is already {named[name]}; keep one of them")
        named[name] = value
    return named
