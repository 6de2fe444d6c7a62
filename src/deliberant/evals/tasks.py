"""The Inspect task `deliberant/cases`: every case of a cases.jsonl, answered once and read mechanically.

    inspect eval deliberant/cases --model openai/gpt-4o -T cases=runs/<run>/cases.jsonl -T policy=runs/<run>/policy

Scores are 1, 0 or NaN (does not apply, or unscored); Inspect averages what is there. The intervals that a report prints
come from `deliberant.evals.metrics`, over the same readings.
"""

import math
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, cast

from inspect_ai import Task, task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.model import (
    ChatMessage,
    ChatMessageAssistant,
    ChatMessageSystem,
    ChatMessageTool,
    ChatMessageUser,
    GenerateConfig,
)
from inspect_ai.scorer import Score, Scorer, Target, mean, scorer, stderr
from inspect_ai.solver import Generate, Solver, TaskState, solver

from deliberant.evals.metrics import METRICS
from deliberant.evals.provider import read_parts
from deliberant.evals.samples import ScoredSample, StyleReader, case_row, row_case, to_row
from deliberant.models.types import Sampling
from deliberant.policy import cited, load_policy, summary_view
from deliberant.prompts import Case, Message, read_cases
from deliberant.util.errors import UserError
from deliberant.util.files import seed_of

_SCORES = [metric for metric in METRICS if not metric.name.startswith(("citation", "policy"))]
"""The metrics of the answer; those of the reasoning need the policy's clauses, which a task may not have."""


@task
def cases(
    cases: str,
    policy: str | None = None,
    suite: str | None = None,
    arm: str = "model",
    style_reader: str | None = None,
    temperature: float = 0.0,
    max_new_tokens: int = 256,
    seed: int = 0,
) -> Task:
    """`policy` shows the model that policy's summaries; `suite` keeps one suite; `style_reader` is `module:function`,
    and without one styles are unscored. `arm` "sft" or "sft+rl" asks for the right clause too."""
    chosen = [case for case in read_cases(Path(cases)) if suite in (None, case.suite)]
    if not chosen:
        raise UserError(f"{cases}: no case of suite {suite!r}")
    return cases_task(
        chosen,
        arm=arm,
        system=None if policy is None else summary_view(load_policy(Path(policy))),
        reader=None if style_reader is None else load_reader(style_reader),
        sampling=Sampling(temperature=temperature, max_new_tokens=max_new_tokens),
        seed=seed,
    )


def cases_task(
    cases: Sequence[Case], *, arm: str, system: str | None, reader: StyleReader | None, sampling: Sampling, seed: int
) -> Task:
    """The task as an object. Each sample's seed hangs on `seed`, its id and its epoch, the same in every arm."""
    return Task(
        name="cases",
        dataset=MemoryDataset([_sample(case, system) for case in cases], name="cases"),
        solver=seeded(seed),
        scorer=response(arm, reader),
        config=GenerateConfig(
            temperature=sampling.temperature, top_p=sampling.top_p, max_tokens=sampling.max_new_tokens
        ),
        metadata={"arm": arm},
    )


@solver
def seeded(seed: int) -> Solver:
    """One completion per sample, its randomness fixed."""

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        number = seed_of(["evaluate", seed, str(state.sample_id), state.epoch])
        return await generate(state, seed=number)

    return solve


@scorer(metrics={"*": [mean(), stderr(cluster="family")]})
def response(arm: str, reader: StyleReader | None) -> Scorer:
    """Splits, reads the style and keeps the whole reading in the score's metadata."""

    async def score(state: TaskState, target: Target) -> Score:
        sample = read_sample(arm, state, reader)
        tallies = {metric.name: metric.read(sample, {}) for metric in _SCORES}
        value = {name: float(tally.hits) if tally and tally.trials else math.nan for name, tally in tallies.items()}
        row = to_row(sample)
        return Score(
            value=value,
            answer=sample.answer,
            metadata={
                key: row[key] for key in ("arm", "reasoning", "answer", "complete", "stop", "cited", "style", "judged")
            },
        )

    return score


def read_sample(arm: str, state: TaskState, reader: StyleReader | None) -> ScoredSample:
    case = row_case(state.metadata)
    parts = read_parts(state.output)
    blank = not parts.answer.strip()
    return ScoredSample(
        arm=arm,
        case=case,
        reasoning=parts.reasoning,
        answer=parts.answer,
        complete=parts.complete,
        stop="length" if state.output.stop_reason in ("max_tokens", "model_length") else "stop",
        cited=tuple(cited(parts.reasoning)),
        style=None if reader is None or blank else reader(parts.answer),
        judged=reader is not None,
    )


def load_reader(name: str) -> StyleReader:
    """The function behind `module:function`, e.g. `deliberant.micro.world:read_style`."""
    module, _, function = name.partition(":")
    try:
        return cast(StyleReader, getattr(import_module(module), function))
    except (ImportError, AttributeError, ValueError) as error:
        raise UserError(f"style_reader={name}: {error}; give module:function") from error


def _sample(case: Case, system: str | None) -> Sample:
    messages = [_chat(message) for message in case.prompt.messages]
    return Sample(
        id=case.prompt.id,
        input=messages if system is None else [ChatMessageSystem(content=system), *messages],
        target=case.truth.style,
        metadata=case_row(case),
    )


def _chat(message: Message) -> ChatMessage:
    types: dict[str, Any] = {
        "system": ChatMessageSystem,
        "user": ChatMessageUser,
        "assistant": ChatMessageAssistant,
        "tool": ChatMessageTool,
    }
    return cast(ChatMessage, types[message["role"]](content=message["content"]))
