"""YAML that users write: every mistake in it has its line, and so has every key, for what is wrong with its value."""

from pathlib import Path
from typing import Any, ClassVar, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from deliberant.util.errors import UserError
from deliberant.util.files import refuse_pipe
from deliberant.util.mistakes import first_mistake

Model = TypeVar("Model", bound=BaseModel)
Where = tuple[int | str, ...]
"""Keys and indices from the top."""
Places = dict[Where, str]
"""What stands where -> file and line of its key or item; the top is always there."""


class Loader(yaml.SafeLoader):
    """Refuses a value that is not what it looks like or is tagged, such as the date 2026-13-01 or `!!bool perhaps`."""

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep)
        except (ValueError, KeyError, IndexError, AttributeError, TypeError) as error:
            what = f"{str(node.value)[:40]!r} cannot be read as the number, date or tagged value that it looks like"
            raise yaml.constructor.ConstructorError(None, None, what, node.start_mark) from error


class TextLoader(Loader):
    """Reads every value as the text that it is, `1.10`, `no` and `true` too."""

    yaml_implicit_resolvers: ClassVar[dict[str, Any]] = {}  # type: ignore[misc]  # the stub has no ClassVar


def parse(path: Path, text: str, loader: type[Loader] = Loader) -> tuple[Any, Places]:
    """What the text of a file says, None where it says nothing. UserError with file and line for whatever is wrong."""
    places: Places = {(): f"{path}:1"}
    try:
        reader = loader(text)
        node = reader.get_single_node()
        if node is None:
            return None, places
        _mark(node, (), path, places)
        return reader.construct_document(node), places
    except yaml.MarkedYAMLError as error:
        raise UserError(f"{path}:{_line_of(error)}: not valid YAML: {error.problem}; correct it") from error
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise UserError(f"{path}:{line}: not valid YAML: {error.reason}; take them out") from error
    except RecursionError as error:
        raise UserError(f"{path}:1: not valid YAML: something in it contains itself; write it out") from error


def _line_of(error: yaml.MarkedYAMLError) -> int:
    """Counted from 1: where the quote or bracket begins that is never closed, else where reading stopped."""
    inner = error.context_mark if "block" not in (error.context or "block") else None
    mark = inner or error.problem_mark
    return mark.line + 1 if mark else 1


def locate(places: Places, where: Where) -> str:
    """File and line of a key or item; of what holds it, where it is missing."""
    while where not in places:
        where = where[:-1]
    return places[where]


def explain_mistake(error: ValidationError, model: type[BaseModel], places: Places) -> UserError:
    """The first mistake in what was read, with its file and line."""
    where, what = first_mistake(error, model)
    return UserError(f"{locate(places, where)}: {what}")


def read_model(
    path: Path, model: type[Model], text: str | None = None, loader: type[Loader] = Loader
) -> tuple[Model, Places]:
    """What a file, or the `text` of one, says, as the model that checks it, and what stands where.

    UserError with file and line for the first mistake, and where the file cannot be read.
    """
    data, places = parse(path, read_text(path) if text is None else text, loader)
    try:
        return model.model_validate(data), places
    except ValidationError as error:
        raise explain_mistake(error, model, places) from error


def read_text(path: Path) -> str:
    """The text of a file that a user names. UserError where it cannot be read, is no UTF-8, or is a pipe."""
    refuse_pipe(path)
    try:
        return path.read_bytes().decode()
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); check the path") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: is not UTF-8; save it as UTF-8") from error


def _mark(node: yaml.Node, where: Where, path: Path, places: Places) -> None:
    """Note the line of every key and item; a key given twice is a mistake, where YAML would keep the last."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            inner = (*where, str(key.value))
            line = key.start_mark.line + 1
            if inner in places:
                raise UserError(f"{path}:{line}: '{'.'.join(map(str, inner))}' is given twice; keep one of them")
            places[inner] = f"{path}:{line}"
            _mark(value, inner, path, places)
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            places[(*where, index)] = f"{path}:{item.start_mark.line + 1}"
            _mark(item, (*where, index), path, places)
