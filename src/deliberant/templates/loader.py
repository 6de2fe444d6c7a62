"""Prompt files: text with named placeholders, in a folder that can be read, hashed and replaced.

A file is a conversation: a line `[system]`, `[user]` or `[assistant]` starts a message. Placeholders are `{{name}}`.
They are filled in one pass and filled-in text is never looked at again, so a judged answer that contains `{{policy}}`
or a line `[system]` stays what it is: data.
"""

import hashlib
import re
from collections.abc import Mapping
from itertools import chain
from pathlib import Path
from typing import Literal, cast

from deliberant.prompts.types import Message
from deliberant.util.errors import UserError
from deliberant.util.names import suggest_name

_PLACEHOLDER = re.compile(r"\{\{\s*(.*?)\s*\}\}", re.DOTALL)
HERE = Path(__file__).parent
_SECTION = re.compile(r"^\[(system|user|assistant)\][ \t]*$", re.MULTILINE)


def built_in() -> list[str]:
    """The names of the built-in sets: `default`, `micro`, and those that are for judges alone."""
    return sorted(path.parent.name for path in HERE.glob("*/reward.txt"))


def fill(template: str, values: Mapping[str, str], where: str = "the template") -> str:
    """The template with every `{{name}}` replaced by `values[name]`.

    Raises UserError, beginning with `where`, for a placeholder without a value and for a value without a placeholder:
    text that silently does not reach the judge is a wrong verdict.
    """
    _check(template, values, where)
    return _replace(template, values)


def fill_from(template: str, values: Mapping[str, str]) -> str:
    """As `fill`, from values of which some may have no placeholder here."""
    return fill(template, {name: values[name] for name in placeholders(template) & values.keys()})


def placeholders(template: str) -> set[str]:
    """The names that `fill` wants values for."""
    return {match[1] for match in _PLACEHOLDER.finditer(template)}


def _check(template: str, values: Mapping[str, str], where: str) -> None:
    names = placeholders(template)
    for name in sorted(names - values.keys()):
        raise UserError(f"{where}: unknown placeholder {{{{{name}}}}}; {suggest_name(name, sorted(values))}")
    for name in sorted(values.keys() - names):
        raise UserError(f"{where}: placeholder {{{{{name}}}}} is missing; write it where its text belongs")


def _replace(template: str, values: Mapping[str, str]) -> str:
    return _PLACEHOLDER.sub(lambda match: values[match[1]], template)


class Templates:
    """A folder of prompt files; `hash` (16 hex digits) changes with any file's name or content."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.files = {path.name: path.read_text("utf-8") for path in sorted(folder.iterdir()) if path.is_file()}
        digest = hashlib.sha256()
        for part in chain.from_iterable(self.files.items()):
            data = part.encode()
            digest.update(len(data).to_bytes(8, "big") + data)
        self.hash = digest.hexdigest()[:16]

    @classmethod
    def load(cls, name_or_path: str | Path) -> "Templates":
        """A built-in set by name (one of `built_in()`) or a folder; UserError when there is neither."""
        for folder in (HERE / str(name_or_path), Path(name_or_path)):
            if folder.is_dir():
                return cls(folder)
        raise UserError(f"no prompt templates '{name_or_path}': give a folder or one of: {', '.join(built_in())}")

    def render(self, file: str, values: Mapping[str, str]) -> list[Message]:
        """The messages of one file, filled. UserError names the file: unknown, malformed, or wrong placeholders."""
        text = self._read(file)
        _check(text, values, str(self.folder / file))
        before, *sections = _SECTION.split(text)
        if before.strip() or not sections:
            raise UserError(f"{self.folder / file}:1: a prompt file starts with a line [system] or [user]")
        messages: list[Message] = []
        for role, content in zip(sections[::2], sections[1::2], strict=True):
            role = cast(Literal["system", "user", "assistant"], role)
            messages.append({"role": role, "content": _replace(content.strip(), values)})
        return messages

    def text(self, file: str, values: Mapping[str, str]) -> str:
        """One file as plain text, filled and stripped; UserError as in `render`."""
        return fill(self._read(file).strip(), values, str(self.folder / file))

    def _read(self, file: str) -> str:
        if file not in self.files:
            raise UserError(f"{self.folder}: no prompt file {file}; there are: {', '.join(self.files) or 'none'}")
        return self.files[file]
