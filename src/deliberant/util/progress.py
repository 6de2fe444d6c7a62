"""How long work says how far it is; what shows it is the command line's business."""

from contextlib import AbstractContextManager, nullcontext
from typing import Protocol


class Bar(Protocol):
    """One piece of work in progress."""

    def advance(self, n: int = 1) -> None: ...


class Progress(Protocol):
    """Announces a piece of work of `total` steps; a `brief` one is part of another, and worth a word only meanwhile."""

    def __call__(self, label: str, total: int, brief: bool = False) -> AbstractContextManager[Bar]: ...


class NullProgress:
    """Says nothing."""

    def __call__(self, label: str, total: int, brief: bool = False) -> AbstractContextManager[Bar]:
        return nullcontext(self)

    def advance(self, n: int = 1) -> None:
        pass
