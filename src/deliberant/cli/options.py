"""Arguments and options that verbs of several files have: one wording each. What one file alone has stands there."""

from pathlib import Path
from typing import Annotated, TypeVar

import typer

from deliberant.util.errors import UserError
from deliberant.util.names import nearest

Word = TypeVar("Word", bound=str)

Where = Annotated[Path, typer.Argument(metavar="RUN", help="A run folder, or a recipe (.yaml).", show_default=False)]
RunFolder = Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.", show_default=False)]

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


def choice(option: str, value: str, known: tuple[Word, ...]) -> Word:
    """The value, where the option knows it. UserError naming the nearest one elsewhere."""
    for word in known:
        if word == value:
            return word
    raise UserError(f"{option}: unknown value '{value}'; {nearest(value, known)}")
