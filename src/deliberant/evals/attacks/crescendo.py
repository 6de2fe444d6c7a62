"""Crescendo (Russinovich et al. 2024, arXiv 2404.01833): harmless at first, a step further in every turn.

    inspect eval deliberant/xstest --solver deliberant/crescendo -S turns=8 --model ... --model-role attacker=... \
        --model-role grader=...

A turn that was refused is taken back: the target does not see it again, and the attacker writes another.
"""

from inspect_ai.model import ChatMessage, ChatMessageUser
from inspect_ai.solver import Solver, solver

from deliberant.evals.attacks.attempts import SUCCESS, Attempts, attack_solver
from deliberant.evals.attacks.roles import WORST


@solver
def crescendo(
    turns: int = 8,
    backtracks: int = 4,
    queries: int = 20,
    success: int = SUCCESS,
    seed: int = 0,
    world: str | None = None,
) -> Solver:
    """At most `turns` in the conversation, and `backtracks` turns taken back; other parameters as those of `tap`."""
    return attack_solver(
        "crescendo", queries, success, seed, world, lambda attempts: escalate(attempts, turns, backtracks)
    )


async def escalate(attempts: Attempts, turns: int, backtracks: int) -> None:
    """One conversation. A message that could not be written counts as a turn taken back, so that the loop ends."""
    said: tuple[ChatMessage, ...] = ()
    refused: list[str] = []
    score: int | None = None
    while not attempts.over and len(said) < 2 * turns and backtracks >= 0:
        values = {
            "request": attempts.request,
            "conversation": "\n\n".join(f"{each.role}: {each.text}" for each in said) or "Nothing yet.",
            "score": f"{score or '?'} of {WORST}",
            "refused": "\n\n".join(refused) or "None yet.",
        }
        message = await attempts.attacker.write("crescendo.txt", values)
        if message is None:
            backtracks -= 1
            continue
        attempt = await attempts.ask((*said, ChatMessageUser(content=message)))
        if attempt.reading.refused or not attempt.said.answer.strip():
            backtracks -= 1
            refused.append(message)
        else:
            said, score = attempt.turns, attempt.reading.score
