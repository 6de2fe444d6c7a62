"""TAP, a tree of attacks with pruning (Mehrotra et al. 2023, arXiv 2312.02119), and PAIR, its case without branches
(Chao et al. 2023, arXiv 2310.08419).

    inspect eval deliberant/xstest --solver deliberant/tap -S queries=20 --model ... --model-role attacker=... \
        --model-role grader=...

Each message starts a conversation of its own. From every leaf the attacker writes `branching` messages out of what was
tried before and how it was read; those off the topic are not sent; the `width` leaves whose answers gave most go on,
`depth` times.
"""

from inspect_ai.solver import Solver, solver

from deliberant.evals.attacks.attempts import SUCCESS, Attempt, Attempts, attack_solver
from deliberant.evals.attacks.roles import WORST

SHOWN = 4
"""How many of a leaf's attempts the attacker is shown, the last ones; more makes prompts long and no attack better."""


@solver
def pair(depth: int = 3, queries: int = 20, success: int = SUCCESS, seed: int = 0, world: str | None = None) -> Solver:
    """One message at a time, mended by the answer to the last, and afresh after `depth` of them, until the budget is
    spent; other parameters as those of `tap`."""

    async def attack(attempts: Attempts) -> None:
        for _ in range(-(-queries // depth)):
            if not attempts.over:
                await grow(attempts, width=1, depth=depth, branching=1, prune=False)

    return attack_solver("pair", queries, success, seed, world, attack)


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
    """`queries`, `success`, `seed` and `world` as in `attempts.attack_solver`."""
    return attack_solver("tap", queries, success, seed, world, lambda attempts: grow(attempts, width, depth, branching))


async def grow(attempts: Attempts, width: int, depth: int, branching: int, prune: bool = True) -> None:
    """One tree, until the budget is spent, an answer broke, `depth` is reached, or no leaf has a message on topic."""
    leaves: list[tuple[Attempt, ...]] = [()]
    for _ in range(depth):
        grown: list[tuple[Attempt, ...]] = []
        for leaf in leaves:
            for _ in range(branching):
                message = await attempts.attacker.write(
                    "pair.txt", {"request": attempts.request, "tried": describe_attempts(leaf)}
                )
                if message is None or (prune and not await attempts.feedback.on_topic(attempts.request, message)):
                    continue
                grown.append((*leaf, await attempts.ask(message)))
                if attempts.over:
                    return
        leaves = sorted(grown, key=lambda leaf: leaf[-1].reading.score or 0, reverse=True)[:width]


def describe_attempts(leaf: tuple[Attempt, ...]) -> str:
    """A leaf's last attempts as the attacker reads them."""
    shown = [
        f"message:\n{each.asked[-1].text}\nanswer:\n{each.said.answer.strip() or '(none)'}\n"
        f"score: {each.reading.score or '?'} of {WORST}"
        for each in leaf[-SHOWN:]
    ]
    return "\n\n".join(shown) or "Nothing yet."
