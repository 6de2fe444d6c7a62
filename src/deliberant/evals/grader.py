"""The model in Inspect's grader role as a judge's sampler: a scorer asks the very judge that a stage asks.

The judge waits in a thread of its own while the event loop makes its calls; nothing here is specific to one provider.
"""

from collections.abc import Sequence
from functools import partial

import anyio
import anyio.from_thread
import anyio.to_thread
from inspect_ai.model import GenerateConfig, Model, ModelOutput, get_model
from inspect_ai.util import collect

from deliberant.evals.forms import grade
from deliberant.evals.provider import ROLE, DeliberantAPI, read_output, turns
from deliberant.evals.samples import ScoredSample
from deliberant.models.client import response_schema
from deliberant.models.types import Completion, Reasoning, Request, Sampling
from deliberant.policy import Policy
from deliberant.templates.loader import Templates

GRADER = "grader"
_WAITING = 256
"""Judges that wait at once, each in a thread."""


class _Asked:
    """A `Sampler` over an Inspect model, for a worker thread of its event loop."""

    reasoning: Reasoning = "off"

    def __init__(self, model: Model) -> None:
        self.identity = str(model)
        self._model = model
        self._role = {ROLE: "evaluate"} if isinstance(model.api, DeliberantAPI) else None

    def sample(self, requests: Sequence[Request], sampling: Sampling) -> list[Completion]:
        return [read_output(output) for output in anyio.from_thread.run(self._ask, requests)]

    async def _ask(self, requests: Sequence[Request]) -> list[ModelOutput]:
        configs = [
            GenerateConfig(
                seed=request.seed,
                extra_body=self._role,
                response_schema=response_schema(request.schema) if request.schema else None,
            )
            for request in requests
        ]
        calls = zip(requests, configs, strict=True)
        return await collect(*(self._model.generate(turns(each.messages), config=config) for each, config in calls))


class Grader:
    """Answers graded by the model in the grader role, by a policy k times. PrerequisiteError where there is none."""

    def __init__(self, templates: Templates, sampling: Sampling, k: int, seed: int) -> None:
        self._templates, self._sampling, self._k, self._seed = templates, sampling, k, seed
        self._threads = anyio.CapacityLimiter(_WAITING)

    def model(self) -> Model:
        """The user's own settings of the model come before the judge's."""
        return get_model(role=GRADER, required=True, config=generate_config(self._sampling))

    async def grade(self, sample: ScoredSample, form: str, policy: Policy | None, threshold: int) -> ScoredSample:
        """The sample as the model grades it (`forms.grade`)."""
        by_form = partial(grade, policy=policy, templates=self._templates, k=self._k, threshold=threshold)
        ask = partial(by_form, [sample], form, _Asked(self.model()), self._sampling, seed=self._seed)
        [graded] = await anyio.to_thread.run_sync(ask, limiter=self._threads)
        return graded


def generate_config(sampling: Sampling) -> GenerateConfig:
    """As Inspect takes it. A `top_p` of 1 is left out: some providers take only one of it and temperature."""
    return GenerateConfig(
        temperature=sampling.temperature,
        top_p=None if sampling.top_p == 1 else sampling.top_p,
        max_tokens=sampling.max_new_tokens,
        reasoning_tokens=sampling.max_reasoning_tokens,
    )
