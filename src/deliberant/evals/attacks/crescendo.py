"""Crescendo (Russinovich et al. 2024, arXiv 2404.01833): harmless at first, a step further in every turn.

    inspect eval deliberant/xstest --solver deliberant/crescendo -S turns=8 --model ... --model-role attacker=... \
        --model-role grader=...

A turn that was refused is taken back: the target does not see it again, and the attacker writes another.
"""

from inspect_ai.model import ChatMessage, ChatMessageUser
from inspect_ai.solver import Generate, Solver, TaskState, solver

from deliberant.evals.attacks.attempts import SUCCESS, Attempts, harmless
from deliberant.evals.attacks.roles import WORST, Attacker


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

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        if harmless(state):
            return await generate(state)
        attempts = Attempts(state, "crescendo", queries, success, seed, world)
        attempts.attacker = Attacker(attempts.seed)
        await escalate(attempts, attempts.attacker, turns, backtracks)
        return await attempts.finish()

    return solve


async def escalate(attempts: Attempts, attacker: Attacker, turns: int, backtracks: int) -> None:
    """One conversation. A message that could not be written counts as one taken back, so that there is an end."""
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
        message = await attacker.write("crescendo.txt", values)
        if message is None:
            backtracks -= 1
            continue
        attempt = await attempts.ask((*said, ChatMessageUser(content=message)))
        if attempt.reading.refused or not attempt.said.answer.strip():
            backtracks -= 1
            refused.append(message)
        else:
            said, score = attempt.turns, attempt.reading.score
