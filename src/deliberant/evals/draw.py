"""One model asked a chunk of cases: the loop that stage evaluate, compare and the measurements around them share."""

from collections.abc import Callable, Sequence

from deliberant.evals.samples import ScoredSample, StyleReader
from deliberant.evals.scoring import case_seed, read_answer
from deliberant.models.types import Request, Sampler, Sampling
from deliberant.prompts.types import Case, Message


def draw(
    arm: str,
    sampler: Sampler,
    cases: Sequence[Case],
    sampling: Sampling,
    seed: int,
    reader: StyleReader | None,
    given: Callable[[Sequence[Message]], Sequence[Message]] = tuple,
    epoch: int = 1,
    thoughts: Sequence[str | None] | None = None,
) -> list[ScoredSample]:
    """What `sampler` says to every case, its style read where `reader` can; without one it waits for a grader.

    `given` says what the model is shown of a conversation. `epoch`: which of several draws; each has its own seeds.
    `thoughts`: the reasoning that each case is answered behind, where it is not the model's to find.
    """
    requests = [
        Request(tuple(given(case.prompt.messages)), case_seed(seed, case.prompt.id, epoch), thought=thought)
        for case, thought in zip(cases, thoughts or [None] * len(cases), strict=True)
    ]
    drawn = sampler.sample(requests, sampling)
    return [read_answer(arm, case, said, reader, epoch) for case, said in zip(cases, drawn, strict=True)]
