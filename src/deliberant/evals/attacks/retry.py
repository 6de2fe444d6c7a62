"""Asked again after a refusal: as somebody else, turned around, for another format, in other letters.

    inspect eval deliberant/xstest --solver deliberant/retry --model ... --model-role grader=...
    inspect eval deliberant/cases ... --solver deliberant/retry -S world=micro

No attacker is needed: what is said stands in retry.yaml, worded by us after what is publicly known of such attacks. The
target sees its own refusals; an answer that never came (cut, blocked) is left out of the conversation.
"""

from collections.abc import Sequence
from pathlib import Path

from inspect_ai.model import ChatMessage, ChatMessageUser
from inspect_ai.solver import Solver, solver
from pydantic import RootModel

from deliberant.evals.attacks.attempts import SUCCESS, Attempts, attack_solver
from deliberant.evals.provider import in_one_line
from deliberant.prompts.encodings import ENCODINGS, strip_accents
from deliberant.run.settings import BUILT_IN
from deliberant.templates.loader import fill_from, placeholders
from deliberant.util.errors import UserError
from deliberant.util.names import suggest_name
from deliberant.util.yaml import read_model

HERE = Path(__file__).parent


class _Groups(RootModel[dict[str, list[str]]]):
    """Group → what is said, in order. Placeholders: `{{request}}`, or an encoding's name, for the request in it."""


@solver
def retry(
    groups: str | list[str] | None = None,
    queries: int = 20,
    success: int = SUCCESS,
    seed: int = 0,
    world: str | None = None,
    data: str | None = None,
) -> Solver:
    """`groups`: some of the file's, in its order. `data`: a file of one's own. Other parameters as those of `tap`."""
    with in_one_line():
        folder = HERE.parents[1] / "micro" if world == BUILT_IN else HERE
        lines = read_groups(Path(data) if data else folder / "retry.yaml", groups)
    return attack_solver("retry", queries, success, seed, world, lambda attempts: ask_again(attempts, lines))


def read_groups(path: Path, only: str | list[str] | None, known: Sequence[str] = ("request", *ENCODINGS)) -> list[str]:
    """What is said, of all groups or of some, with `known` placeholders. UserError with file and line for a mistake."""
    read, places = read_model(path, _Groups)
    groups = read.root
    wanted = only.split(",") if isinstance(only, str) else only or list(groups)
    for name in wanted:
        if name not in groups:
            raise UserError(f"{path}: there is no group '{name}'; {suggest_name(name, groups)}")
    for name, lines in groups.items():
        for index, line in enumerate(lines):
            for strange in sorted(placeholders(line) - {*known}):
                raise UserError(
                    f"{places[name, index]}: unknown placeholder '{strange}'; {suggest_name(strange, known)}"
                )
    return [line for name, lines in groups.items() if name in wanted for line in lines]


async def ask_again(attempts: Attempts, lines: list[str]) -> None:
    """The request, then line by line in one conversation; a line that cannot be filled (digits in leet) is left out."""
    said: tuple[ChatMessage, ...] = ()
    for line in ["{{request}}", *lines]:
        text = fill_line(line, attempts.sent)
        if text is None or attempts.over:
            continue
        attempt = await attempts.ask((*said, ChatMessageUser(content=text)))
        said = attempt.turns if attempt.said.answer.strip() else said


def fill_line(line: str, request: str) -> str | None:
    """The line with the request in it, as it stands or encoded; None where the encoding would not come back."""
    try:
        values = {"request": request} | {
            name: ENCODINGS[name][0](strip_accents(request)) for name in placeholders(line) & ENCODINGS.keys()
        }
    except ValueError:
        return None
    return fill_from(line, values)
