"""Models of Inspect's that answer by script, without a network."""

from collections.abc import Callable
from typing import Any

from inspect_ai.model import (
    ChatMessage,
    GenerateConfig,
    Model,
    ModelAPI,
    ModelOutput,
    ModelUsage,
    get_model,
    modelapi,
)
from inspect_ai.tool import ToolChoice, ToolInfo

Answer = Callable[[list[ChatMessage]], str | ModelOutput | Exception]


class Busy(Exception):
    """A 429: it passes."""


class ScriptedAPI(ModelAPI):
    """`answer` is given the conversation and says text, an output, or what goes wrong; `seen` are the conversations."""

    def __init__(self, model_name: str, answer: Answer, **about: Any) -> None:
        config = about.get("config", GenerateConfig())
        super().__init__(model_name, config=config)
        self.answer, self.seen, self.configs = answer, list[list[ChatMessage]](), list[GenerateConfig]()
        self.tools: list[str] = []

    async def generate(
        self, input: list[ChatMessage], tools: list[ToolInfo], tool_choice: ToolChoice, config: GenerateConfig
    ) -> ModelOutput:
        self.seen.append(input)
        self.configs.append(config)
        self.tools = [each.name for each in tools]
        said = self.answer(input)
        if isinstance(said, Exception):
            raise said
        output = ModelOutput.from_content(self.model_name, said) if isinstance(said, str) else said
        output.usage = ModelUsage(input_tokens=1, output_tokens=1, total_tokens=2)
        return output

    def should_retry(self, ex: Exception) -> bool:
        return isinstance(ex, Busy)


@modelapi(name="scripted")
def scripted_api() -> type[ModelAPI]:
    return ScriptedAPI


def scripted(answer: Answer, name: str = "model", **config: Any) -> Model:
    return get_model(f"scripted/{name}", answer=answer, config=GenerateConfig(**config), memoize=False)


def seen(model: Model) -> list[list[ChatMessage]]:
    """The conversations that a scripted model was shown."""
    assert isinstance(model.api, ScriptedAPI)
    return model.api.seen


def shown(model: Model) -> list[str]:
    """The same, each as one text."""
    return ["\n".join(message.text for message in each) for each in seen(model)]


def blocked() -> ModelOutput:
    return ModelOutput.from_content("m", "", stop_reason="content_filter")
