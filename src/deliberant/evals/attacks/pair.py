"""PAIR (Chao et al. 2023, arXiv 2310.08419): one message at a time, mended by the answer to the last, from afresh
after `depth` of them, until the budget is spent.

    inspect eval deliberant/xstest --solver deliberant/pair -S queries=20 --model ... --model-role attacker=... \
        --model-role grader=...
"""

from inspect_ai.solver import Generate, Solver, TaskState, solver

from deliberant.evals.attacks.attempts import SUCCESS, Attempts, harmless
from deliberant.evals.attacks.roles import Attacker
from deliberant.evals.attacks.tap import grow


@solver
def pair(depth: int = 3, queries: int = 20, success: int = SUCCESS, seed: int = 0, world: str | None = None) -> Solver:
    """A stream is a tree of width and branching 1 without pruning; other parameters as those of `tap`."""

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        if harmless(state):
            return await generate(state)
        attempts = Attempts(state, "pair", queries, success, seed, world)
        attempts.attacker = Attacker(attempts.seed)
        for _ in range(-(-queries // depth)):
            if not attempts.over:
                await grow(attempts, attempts.attacker, width=1, depth=depth, branching=1, prune=False)
        return await attempts.finish()

    return solve
