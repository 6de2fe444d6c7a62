"""The Inspect model provider `deliberant/<path or hub id>`: our sampler and our splitter behind Inspect's interface.

Inspect's own `hf` provider leaves the reasoning in the answer and drops tags that are special tokens; ours splits with
the one splitter, reports a completion without a closing tag as reasoning with an empty answer, and batches.

    inspect eval deliberant/cases --model deliberant/runs/<run>/sft+rl/checkpoint -T cases=runs/<run>/cases.jsonl
"""

from functools import cached_property
from typing import Any, cast

from inspect_ai.model import (
    ChatCompletionChoice,
    ChatMessage,
    ChatMessageAssistant,
    ContentReasoning,
    ContentText,
    GenerateConfig,
    Model,
    ModelAPI,
    ModelOutput,
    ModelUsage,
    modelapi,
)
from inspect_ai.tool import ToolChoice, ToolInfo

from deliberant.evals.batching import Batcher
from deliberant.models.formats import Parts, split
from deliberant.models.types import Completion, Request, Sampling
from deliberant.prompts.types import Message
from deliberant.util.errors import UserError
from deliberant.util.files import seed_of

IN_FLIGHT = 1024
"""Requests Inspect may have open at our provider: they wait for their batch, they cost nothing."""


class DeliberantAPI(ModelAPI):
    """`model_args` (`-M batch_tokens=65536`) go to LocalSampler.load; `batcher` is given where a sampler exists."""

    def __init__(
        self,
        model_name: str,
        base_url: str | None = None,
        api_key: str | None = None,
        config: GenerateConfig = GenerateConfig(),  # noqa: B008  the base class's own signature
        batcher: Batcher | None = None,
        **model_args: Any,
    ) -> None:
        super().__init__(model_name, base_url, api_key, [], config)
        self._batcher = batcher
        self._model_args = model_args

    @cached_property
    def batcher(self) -> Batcher:
        """Loaded at the first request: Inspect also makes providers only to look at them."""
        from deliberant.models.local.sampler import LocalSampler

        return self._batcher or Batcher(LocalSampler.load(self.model_name, **self._model_args))

    def max_connections(self) -> int:
        return IN_FLIGHT

    async def generate(
        self, input: list[ChatMessage], tools: list[ToolInfo], tool_choice: ToolChoice, config: GenerateConfig
    ) -> ModelOutput:
        if tools:
            raise UserError(f"deliberant/{self.model_name} takes no tools; evaluate tool use with another provider")
        messages = tuple(Message(role=cast(Any, message.role), content=message.text) for message in input)
        defaults = Sampling()
        sampling = Sampling(
            temperature=defaults.temperature if config.temperature is None else config.temperature,
            top_p=defaults.top_p if config.top_p is None else config.top_p,
            max_new_tokens=config.max_tokens or defaults.max_new_tokens,
        )
        seed = seed_of(messages) if config.seed is None else config.seed
        completion = await self.batcher.complete(Request(messages, seed), sampling)
        return model_output(self.model_name, completion)


@modelapi(name="deliberant")
def deliberant() -> type[ModelAPI]:
    return DeliberantAPI


def arm_model(arm: str, batcher: Batcher) -> Model:
    """An Inspect model over a sampler that is already in memory."""
    return Model(cast(Any, deliberant)(arm, batcher=batcher), GenerateConfig())


def model_output(name: str, completion: Completion) -> ModelOutput:
    """Reasoning and answer apart. The metadata keep what Inspect's types can not say: whether the split is clean."""
    message = ChatMessageAssistant(
        content=[ContentReasoning(reasoning=completion.reasoning), ContentText(text=completion.answer)],
        model=name,
        source="generate",
    )
    usage = completion.usage
    return ModelOutput(
        model=name,
        choices=[
            ChatCompletionChoice(message=message, stop_reason="max_tokens" if completion.stop == "length" else "stop")
        ],
        usage=ModelUsage(input_tokens=usage.input, output_tokens=usage.output, total_tokens=usage.input + usage.output),
        metadata={"complete": completion.complete},
    )


def read_parts(output: ModelOutput) -> Parts:
    """The parts of any provider's output. One that does not separate reasoning is split by our splitter if it shows a
    tag; without a tag and with a clean stop, all of it is answer."""
    content = output.message.content
    if isinstance(content, str):
        reasoning, answer = "", content
    else:
        reasoning = "\n".join(part.reasoning for part in content if isinstance(part, ContentReasoning))
        answer = "".join(part.text for part in content if isinstance(part, ContentText))
    if output.metadata and "complete" in output.metadata:
        return Parts(reasoning, answer, bool(output.metadata["complete"]))
    if not reasoning and any(mark in answer for mark in ("<think", "</think", "<|channel|>")):
        return split(answer)
    complete = output.stop_reason not in ("max_tokens", "model_length")
    return Parts(reasoning, answer if complete else "", complete)
