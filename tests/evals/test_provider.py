import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import anyio
import pytest
from inspect_ai._util.error import PrerequisiteError
from inspect_ai.model import ChatMessageUser, ContentReasoning, ContentText, GenerateConfig, ModelOutput, get_model

from deliberant.evals import provider, registry
from deliberant.evals.provider import ROLE, DeliberantAPI, model_output, read_output
from deliberant.models.types import Completion, Reasoning, Request, Sampling, Usage
from deliberant.util.errors import RunError
from tests.completions import completed


def parts(output: ModelOutput) -> tuple[str, str, bool]:
    read = read_output(output)
    return read.reasoning, read.answer, read.complete


def test_reasoning_and_answer_travel_apart() -> None:
    made = model_output("m", completed("<think>hm [W1]</think>no.", ids=(1, 2, 3), read=5))
    assert isinstance(made.message.content, list)
    first, second = made.message.content
    assert isinstance(first, ContentReasoning) and isinstance(second, ContentText)
    assert (first.reasoning, second.text, made.completion) == ("hm [W1]", "no.", "no.")
    assert read_output(made).usage == Usage(5, 3)


@pytest.mark.parametrize("text", ["<think></think>yes", "<think>a</think>", "<think>CANARY", "CANARY", "a</think>b"])
@pytest.mark.parametrize("stop", ["stop", "length", "blocked"])
def test_what_we_wrote_is_what_we_read(text: str, stop: str) -> None:
    said = completed(text, stop)
    again = read_output(model_output("m", said))
    assert (again.reasoning, again.answer, again.complete) == (said.reasoning, said.answer, said.complete)
    assert (again.stop, again.usage) == (said.stop, said.usage)


def test_other_providers_are_read_by_the_one_splitter() -> None:
    def of(content: Any, **about: Any) -> ModelOutput:
        return ModelOutput.from_content("m", content, **about)

    thought = ContentReasoning(reasoning="hm")
    assert parts(of("sure.")) == ("", "sure.", True)
    assert parts(of("<think>hm</think>sure.")) == ("hm", "sure.", True)
    assert parts(of("<think>hm")) == ("<think>hm", "", False)
    assert parts(of([thought, ContentText(text="sure.")])) == ("hm", "sure.", True)
    assert parts(of([thought, ContentText(text="a<think>b</think>c")]))[1:] == ("", False)
    assert parts(of("I cannot", stop_reason="content_filter")) == ("I cannot", "", False)
    assert read_output(of("su", stop_reason="max_tokens")).stop == "length"


class Recording:
    """Answers with the seed; remembers its batches. `fails`: seeds that no batch survives."""

    identity = "recording"
    reasoning: Reasoning = "native"

    def __init__(self, fails: Sequence[int] = ()) -> None:
        self.batches: list[list[int]] = []
        self.fails = fails
        self.busy = threading.Lock()

    def sample(self, requests: Sequence[Request], sampling: Sampling) -> list[Completion]:
        assert self.busy.acquire(blocking=False), "a sampler is not asked from two threads at once"
        try:
            self.batches.append([request.seed for request in requests])
            if {*self.fails} & {*self.batches[-1]}:
                raise RunError("out of memory")
            return [completed(f"<think></think>{request.seed}") for request in requests]
        finally:
            self.busy.release()


def ask(
    sampler: Recording, seeds: Sequence[int], monkeypatch: pytest.MonkeyPatch, configs: Sequence[dict[str, Any]] = ({},)
) -> list[str]:
    """All at once; what each was answered, or its failure."""
    monkeypatch.setattr(provider, "open_model", lambda *_, **__: sampler)
    api = DeliberantAPI("micro")
    answers = [""] * len(seeds)

    async def one(place: int, seed: int) -> None:
        config = GenerateConfig(seed=seed, **configs[place % len(configs)])
        try:
            answers[place] = (await api.generate([ChatMessageUser(content="hi")], [], "auto", config)).completion
        except RunError as error:
            answers[place] = str(error)

    async def everything() -> None:
        async with anyio.create_task_group() as group:
            for place, seed in enumerate(seeds):
                group.start_soon(one, place, seed)

    anyio.run(everything)
    return answers


def test_what_is_asked_together_is_drawn_together(monkeypatch: pytest.MonkeyPatch) -> None:
    sampler = Recording()
    assert ask(sampler, [3, 1, 2], monkeypatch) == ["3", "1", "2"]
    assert sampler.batches == [[1, 2, 3]]


def test_one_batch_has_one_kind_of_sampling_and_one_role(monkeypatch: pytest.MonkeyPatch) -> None:
    sampler = Recording()
    kinds: list[dict[str, Any]] = [{}, {"temperature": 0.5}, {"extra_body": {ROLE: "evaluate"}}]
    assert ask(sampler, [1, 2, 3, 4, 5, 6], monkeypatch, kinds) == ["1", "2", "3", "4", "5", "6"]
    assert sorted(sampler.batches) == [[1, 4], [2, 5], [3, 6]]


def test_a_failure_reaches_its_batch_and_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    sampler = Recording(fails=[3])
    answers = ask(sampler, [1, 2, 3, 4], monkeypatch, [{}, {"temperature": 0.5}])
    assert answers == ["out of memory", "2", "out of memory", "4"]
    assert sorted(sampler.batches) == [[1, 3], [2, 4]]


def test_a_request_that_is_given_up_takes_nobody_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    sampler = Recording()
    monkeypatch.setattr(provider, "open_model", lambda *_, **__: sampler)
    api = DeliberantAPI("micro")

    async def one(seed: int) -> str:
        return (await api.generate([ChatMessageUser(content="hi")], [], "auto", GenerateConfig(seed=seed))).completion

    async def everything() -> None:
        async with anyio.create_task_group() as group:
            with anyio.CancelScope() as scope:
                scope.cancel()
                await one(1)
            group.start_soon(one, 2)
            assert await one(3) == "3"

    anyio.run(everything)
    assert sampler.batches == [[2, 3]]


def test_a_checkpoint_answers_by_its_path_the_same_each_time(tiny_model: Path) -> None:
    assert registry.deliberant is not None
    model = get_model(f"deliberant/{tiny_model}", memoize=False)

    async def ask() -> list[ModelOutput]:
        return [await model.generate("hi", config=GenerateConfig(max_tokens=8)) for _ in range(2)]

    first, second = anyio.run(ask)
    assert first.usage is not None and first.usage.output_tokens == 8
    assert read_output(first) == read_output(second)


@pytest.mark.parametrize("reference", ["no/such/folder", "api:opanai/gpt-4o", "openai/gpt-oss-20b"])
def test_a_name_that_is_no_model_is_a_mistake_at_once_in_one_line(reference: str) -> None:
    with pytest.raises(PrerequisiteError) as raised:
        get_model(f"deliberant/{reference}", memoize=False)
    assert reference in str(raised.value.message)


def test_a_model_that_is_only_looked_at_is_not_loaded() -> None:
    assert DeliberantAPI("api:openai/gpt-4o").max_connections() > 100
