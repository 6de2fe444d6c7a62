from collections.abc import Sequence

import anyio
import pytest

from deliberant.evals.batching import Batcher
from deliberant.models.types import Completion, Reasoning, Request, Sampling
from tests.completions import completed


class Counting:
    """Answers each request with its seed; remembers its batches."""

    identity = "counting"
    reasoning: Reasoning = "native"

    def __init__(self, fail_at: int | None = None) -> None:
        self.batches: list[list[int]] = []
        self.fail_at = fail_at

    def sample(self, requests: Sequence[Request], sampling: Sampling) -> list[Completion]:
        self.batches.append([request.seed for request in requests])
        if self.fail_at in self.batches[-1]:
            raise RuntimeError("out of memory")
        return [completed(str(request.seed)) for request in requests]


def ask(batcher: Batcher, seeds: Sequence[int], sampling: Sequence[Sampling] = (Sampling(),)) -> list[str]:
    """All requests at once, in the order given; what each was answered, or its failure."""
    answers = [""] * len(seeds)

    async def one(place: int, seed: int) -> None:
        try:
            completion = await batcher.complete(Request((), seed), sampling[place % len(sampling)])
            answers[place] = completion.text
        except RuntimeError as error:
            answers[place] = str(error)

    async def everything() -> None:
        async with anyio.create_task_group() as group:
            for place, seed in enumerate(seeds):
                group.start_soon(one, place, seed)

    anyio.run(everything)
    return answers


def test_who_shares_a_batch_hangs_on_seeds_and_not_on_arrival() -> None:
    orders = [[3, 1, 4, 5, 2], [5, 4, 3, 2, 1]]
    samplers = [Counting(), Counting()]
    for sampler, order in zip(samplers, orders, strict=True):
        assert ask(Batcher(sampler, gather=5, quiet=60, chunk=2), order) == [str(seed) for seed in order]
    assert samplers[0].batches == samplers[1].batches == [[1, 2], [3, 4], [5]]


def test_a_batch_that_does_not_fill_goes_when_all_is_quiet() -> None:
    sampler = Counting()
    assert ask(Batcher(sampler, gather=100, quiet=0.01), [2, 1]) == ["2", "1"]
    assert sampler.batches == [[1, 2]]


def test_one_batch_has_one_kind_of_sampling() -> None:
    sampler = Counting()
    ask(Batcher(sampler, gather=4, quiet=60), [1, 2, 3, 4], [Sampling(), Sampling(temperature=0)])
    assert sampler.batches == [[1, 3], [2, 4]]


def test_a_failure_reaches_everyone_in_its_chunk_and_no_one_else() -> None:
    batcher = Batcher(Counting(fail_at=3), gather=5, quiet=60, chunk=2)
    assert ask(batcher, [1, 2, 3, 4, 5]) == ["1", "2", "out of memory", "out of memory", "5"]
    assert isinstance(batcher.failure, RuntimeError)


def test_once_stopped_nothing_more_is_drawn() -> None:
    sampler = Counting()
    batcher = Batcher(sampler, gather=5, quiet=60, chunk=2, advance=lambda drawn: batcher.stop())
    assert ask(batcher, [1, 2, 3, 4, 5]) == ["1", "2", "stopped", "stopped", "stopped"]
    assert sampler.batches == [[1, 2]]


@pytest.mark.parametrize("chunk", [1, 2, 7])
def test_progress_counts_every_completion_once(chunk: int) -> None:
    drawn: list[int] = []
    ask(Batcher(Counting(), gather=5, quiet=60, chunk=chunk, advance=drawn.append), [1, 2, 3, 4, 5])
    assert sum(drawn) == 5
