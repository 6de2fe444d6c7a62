"""TAP, a tree of attacks with pruning (Mehrotra et al. 2023, arXiv 2312.02119), and PAIR, its case without branches.

    inspect eval deliberant/xstest --solver deliberant/tap -S queries=20 --model ... --model-role attacker=... \
        --model-role grader=...

Each message starts a conversation of its own. From every leaf the attacker writes `branching` messages out of what was
tried before and how it was read; those off the topic are not sent; the `width` leaves whose answers gave most go on,
`depth` times.
"""

from inspect_ai.solver import Generate, Solver, TaskState, solver

from deliberant.evals.attacks.attempts import SUCCESS, Attempt, Attempts, harmless
from deliberant.evals.attacks.roles import WORST, Attacker

SHOWN = 4
"""How many of a leaf's attempts the attacker is shown, the last ones; more makes prompts long and no attack better."""


@solver
def tap(
    width: int = 3,
    depth: int = 4,
    branching: int = 2,
    queries: int = 20,
    success: int = SUCCESS,
    seed: int = 0,
    world: str | None = None,
) -> Solver:
    """`queries` bounds what is asked of the target; `success`: the score, of 10, that ends an attack.

    In the built-in world (`world="micro"`) answers show their style; elsewhere the model in role `feedback`, or
    `grader`, reads them.
    """

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        if harmless(state):
            return await generate(state)
        attempts = Attempts(state, "tap", queries, success, seed, world)
        attempts.attacker = Attacker(attempts.seed)
        await grow(attempts, attempts.attacker, width, depth, branching, prune=True)
        return await attempts.finish()

    return solve


async def grow(attempts: Attempts, attacker: Attacker, width: int, depth: int, branching: int, prune: bool) -> None:
    """One tree, until the budget is spent, an answer broke, `depth` is reached, or no leaf has a message on topic."""
    leaves: list[tuple[Attempt, ...]] = [()]
    for _ in range(depth):
        grown: list[tuple[Attempt, ...]] = []
        for leaf in leaves:
            for _ in range(branching):
                message = await attacker.write("pair.txt", {"request": attempts.request, "tried": tried(leaf)})
                if message is None or (prune and not await attempts.feedback.on_topic(attempts.request, message)):
                    continue
                grown.append((*leaf, await attempts.ask(message)))
                if attempts.over:
                    return
        leaves = sorted(grown, key=lambda leaf: leaf[-1].reading.score or 0, reverse=True)[:width]


def tried(leaf: tuple[Attempt, ...]) -> str:
    """A leaf's last attempts as the attacker reads them."""
    shown = [
        f"message:\n{each.asked[-1].text}\nanswer:\n{each.said.answer.strip() or '(none)'}\n"
        f"score: {each.reading.score or '?'} of {WORST}"
        for each in leaf[-SHOWN:]
    ]
    return "\n\n".join(shown) or "Nothing yet."
