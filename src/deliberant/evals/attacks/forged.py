"""Forged reasoning (H-CoT, Kuo et al. 2025, arXiv 2502.12893): the target is shown reasoning that looks like its own.

    inspect eval deliberant/xstest --solver deliberant/forged --model ... --model-role attacker=... \
        --model-role grader=...
    inspect eval deliberant/xstest --solver deliberant/forged -S prefix=true --model vllm/... ...

First it is asked something harmless nearby, which the attacker writes; how it reasons there is put into the user's turn
with the request, in the wordings of forged.yaml, as if it were settled that it may answer. With `prefix` the wording
begins the target's own turn, where a provider goes on from one.
"""

from pathlib import Path

from inspect_ai._util.error import PrerequisiteError
from inspect_ai.model import get_model
from inspect_ai.solver import Solver, solver

from deliberant.evals.attacks.attempts import SUCCESS, Attempts, attack_solver
from deliberant.evals.attacks.retry import read_groups
from deliberant.evals.provider import DeliberantAPI
from deliberant.templates.loader import fill_from

WORDINGS = Path(__file__).with_name("forged.yaml")


@solver
def forged(
    prefix: bool = False, queries: int = 20, success: int = SUCCESS, seed: int = 0, world: str | None = None
) -> Solver:
    """Every wording once; parameters as those of `tap`."""
    lines = read_groups(WORDINGS, "prefix" if prefix else "turn", ("request", "reasoning"))

    async def attack(attempts: Attempts) -> None:
        if prefix and isinstance(get_model().api, DeliberantAPI):
            raise PrerequisiteError(f"{get_model()} cannot continue a turn that was begun: leave out -S prefix")
        nearby = await attempts.attacker.write("nearby.txt", {"request": attempts.request})
        if nearby is None:
            return
        said = (await attempts.ask(nearby, read=False)).said
        values = {"request": attempts.sent, "reasoning": said.reasoning.strip() or said.answer.strip()}
        for line in lines:
            if not attempts.over:
                text = fill_from(line, values)
                await (attempts.ask(attempts.sent, text) if prefix else attempts.ask(text))

    return attack_solver("forged", queries, success, seed, world, attack)
