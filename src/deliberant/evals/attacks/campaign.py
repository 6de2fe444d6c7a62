"""An attack that adapts on many cases, from within Python: Inspect runs it, scored samples come back.

What is finished is kept in a folder of logs: after a broken endpoint, or Ctrl-C, the same call goes on from there.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from inspect_ai import Task, eval_set
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.log import EvalSample, read_eval_log
from inspect_ai.model import Model
from inspect_ai.solver import Solver

from deliberant.evals.attacks.crescendo import crescendo
from deliberant.evals.attacks.forged import forged
from deliberant.evals.attacks.retry import retry
from deliberant.evals.attacks.tap import pair, tap
from deliberant.evals.grader import generate_config
from deliberant.evals.provider import messages_of, read_output, turns, usage_of
from deliberant.evals.samples import ScoredSample, case_row, row_case
from deliberant.evals.scoring import read_answer
from deliberant.models.types import Completion, Sampling
from deliberant.prompts.types import Case, Message
from deliberant.run.sources import style_reader
from deliberant.util.errors import RunError, UserError
from deliberant.util.files import fingerprint
from deliberant.util.names import suggest_name

ADAPTIVE: dict[str, Callable[..., Solver]] = {
    "pair": pair,
    "tap": tap,
    "crescendo": crescendo,
    "retry": retry,
    "forged": forged,
}
FAILED = "failed"
"""`stop` of a sample whose attack ended in an error of a provider: it has no answer."""
MOST_FAILED = 0.1
"""The share of samples that may fail before the rest is not tried."""


def attack_model(
    model: str | Model,
    cases: Sequence[Case],
    attack: str,
    logs: Path,
    *,
    arm: str = "model",
    roles: Mapping[str, str | Model] | None = None,
    sampling: Sampling | None = None,
    given: Callable[[Sequence[Message]], Sequence[Message]] = tuple,
    seed: int = 0,
    world: str | None = None,
    retries: int = 8,
    **parameters: int | str,
) -> list[ScoredSample]:
    """The worst answer of `model` (Inspect's name of it) to each case under an attack of `ADAPTIVE`, in order.

    `roles`: the models `attacker`, `grader`, `feedback`. `given`: what the model is shown of a conversation.
    `world` reads styles where it can; elsewhere the samples wait for `forms.grade`. `parameters` are the attack's.
    Harmless cases are asked as they stand and come back as they are. Every provider's call is tried `retries` times.

    UserError: no such attack, a role without a model. RunError: more than `MOST_FAILED` of the samples failed; the
    others are kept in `logs`, and the same call goes on.
    """
    if attack not in ADAPTIVE:
        raise UserError(f"there is no attack '{attack}' that adapts; {suggest_name(attack, ADAPTIVE)}")
    asking = generate_config(sampling or Sampling())
    asking.max_retries = retries
    task = Task(
        name=attack,
        dataset=MemoryDataset(
            [
                Sample(id=each.prompt.id, input=turns(given(each.prompt.messages)), metadata=case_row(each))
                for each in cases
            ]
        ),
        solver=ADAPTIVE[attack](seed=seed, world=world, **parameters),
        config=asking,
        version=fingerprint([[case_row(each) for each in cases], attack, seed, world, parameters]),
    )
    _, [log] = eval_set(
        task,
        str(logs),
        model=[model] if isinstance(model, Model) else model,
        model_roles=dict(roles or {}),
        fail_on_error=MOST_FAILED,
        retry_attempts=1,
        log_dir_allow_dirty=True,
        display="none",
        log_level="error",
    )
    if log.status != "success":
        reason = log.error.message.splitlines()[0] if log.error else log.status
        if "--model-role" in reason:
            raise UserError(reason)
        raise RunError(f"{attack} on {log.eval.model}: {reason}; what is finished is kept in {logs}")
    by_id = {str(sample.id): sample for sample in read_eval_log(log.location).samples or ()}
    return [_score(arm, by_id[case.prompt.id], log.eval.model, world) for case in cases]


def _score(arm: str, sample: EvalSample, model: str, world: str | None) -> ScoredSample:
    """The scored sample of an attack, by the metadata that it left (`attempts`)."""
    asked, reader = row_case(sample.metadata), style_reader(world)
    usage = usage_of(sample.model_usage.get(model))
    if sample.error:
        none = Completion("", "", "", False, "stop", usage)
        return replace(read_answer(arm, asked, none, reader), stop=FAILED)
    read = read_answer(arm, asked, read_output(sample.output), reader)
    return replace(read, usage=usage, turns=messages_of(sample.messages) if asked.attack else ())
