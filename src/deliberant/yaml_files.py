"""YAML that users write: every mistake in it has its line."""

from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from deliberant.errors import UserError
from deliberant.names import repeated


class Loader(yaml.SafeLoader):
    """Refuses a key given twice, where YAML would keep the last, and what looks like a number or a date and is none."""

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep)
        except ValueError as error:  # a date such as 2026-13-01, or more digits than Python reads
            what = f"{str(node.value)[:40]!r} looks like a number or a date and can not be read as one, save in quotes"
            raise yaml.constructor.ConstructorError(None, None, what, node.start_mark) from error

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        if (twice := repeated(str(key.value) for key, _ in node.value)) is not None:
            raise yaml.constructor.ConstructorError(None, None, f"'{twice}' is given twice", node.start_mark)
        return super().construct_mapping(node, deep)


def line_of(error: yaml.MarkedYAMLError) -> int:
    """Counted from 1: where the quote or bracket begins that is never closed, else where reading stopped."""
    inner = error.context_mark if "block" not in (error.context or "block") else None
    mark = inner or error.problem_mark
    return mark.line + 1 if mark else 1


@contextmanager
def reading(path: Path, text: str) -> Iterator[None]:
    """UserError with file and line for whatever `Loader` finds wrong with the text of a file."""
    try:
        yield
    except yaml.MarkedYAMLError as error:
        raise UserError(f"{path}:{line_of(error)}: no valid YAML: {error.problem}; repair it") from error
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise UserError(f"{path}:{line}: no valid YAML: {error.reason}; take them out") from error
    except RecursionError as error:
        raise UserError(f"{path}:1: no valid YAML: something in it contains itself; write it out") from error
