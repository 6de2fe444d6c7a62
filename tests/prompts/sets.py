"""Prompt files for the tests of what cleans and splits them."""

from pathlib import Path

from deliberant.prompts import Case, Message, Prompt, Truth, write_cases, write_prompts
from deliberant.util.files import read_rows

BREAD = "how do i bake a loaf of rye bread in a cold oven at home?"
BREAD_TOO = "how do i bake a loaf of rye bread in a cold oven at home today?"
LOCK = "which tool opens the lock of a bicycle that is not mine?"
ROSES = "please write a poem about roses in the garden of my aunt"
WAR = "when did the thirty years war begin, and who began it?"


def prompt(id: str, text: str, family: str | None = None, system: str | None = None) -> Prompt:
    head = (Message(role="system", content=system),) if system else ()
    return Prompt(id, (*head, Message(role="user", content=text)), (), family or id)


def prompts(path: Path, *given: Prompt) -> Path:
    write_prompts(path, given)
    return path


def cases(path: Path, *given: tuple[str, str, str | None]) -> Path:
    """Cases of (id, text, decoded text)."""
    truth = Truth("comply", None, False)
    write_cases(path, [Case(prompt(id, text), truth, "unseen", plain) for id, text, plain in given])
    return path


def ids(path: Path) -> list[str]:
    return [row["id"] for row in read_rows(path)]
