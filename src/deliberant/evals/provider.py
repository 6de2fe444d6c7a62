"""The Inspect model provider `deliberant/<reference>`: our samplers and our splitter behind Inspect's interface.

Inspect's own `hf` provider leaves the reasoning in the answer and drops tags that are special tokens; ours splits with
the one splitter, says what it split, and draws together what is asked at the same time.

    inspect eval inspect_evals/gsm8k --model deliberant/runs/<run>/sft+rl/checkpoint
    inspect eval ... --model deliberant/hf:org/name -M reasoning=prompted
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast

import anyio
import anyio.to_thread
from inspect_ai._util.error import PrerequisiteError
from inspect_ai.model import (
    ChatCompletionChoice,
    ChatMessage,
    ChatMessageAssistant,
    ChatMessageSystem,
    ChatMessageUser,
    Content,
    ContentReasoning,
    ContentText,
    GenerateConfig,
    ModelAPI,
    ModelOutput,
    ModelUsage,
    StopReason,
    modelapi,
)
from inspect_ai.tool import ToolChoice, ToolInfo
from rich.markup import escape

from deliberant.evals.samples import ScoredSample
from deliberant.models.formats import split
from deliberant.models.open import open_model
from deliberant.models.refs import parse_reference
from deliberant.models.types import Completion, Reasoning, Request, Role, Sampler, Sampling, Stop, Usage
from deliberant.prompts.types import Message
from deliberant.util.errors import DeliberantError, UserError
from deliberant.util.files import seed_of

IN_FLIGHT = 1024
"""Requests Inspect may have open at our provider: they wait for their batch, they cost nothing."""
ROLE = "deliberant_role"
"""Key of `extra_body` by which our own scorers say what a request is for; everybody else asks a policy model."""
_PAUSE = 0.05  # seconds without a new request, after which those that wait are drawn
_STOPS: dict[str, Stop] = {"max_tokens": "length", "model_length": "length", "content_filter": "blocked"}
_REASONS: dict[str, StopReason] = {"length": "max_tokens", "blocked": "content_filter"}


@contextmanager
def in_one_line() -> Iterator[None]:
    """Raise our errors as Inspect's for users' mistakes, which it shows without a traceback."""
    try:
        yield
    except DeliberantError as error:
        raise PrerequisiteError(escape(str(error))) from error


@dataclass(eq=False)
class _Ticket:
    request: Request
    kind: tuple[Role, Sampling]
    outcome: Completion | Exception | None = None


class DeliberantAPI(ModelAPI):
    """`-M reasoning=prompted` as in a recipe; other model arguments go to the sampler (`-M batch_tokens=65536`)."""

    def __init__(
        self,
        model_name: str,
        base_url: str | None = None,
        api_key: str | None = None,
        config: GenerateConfig = GenerateConfig(),  # noqa: B008  the base class's own signature
        reasoning: Reasoning = "native",
        **options: Any,
    ) -> None:
        config.max_connections = config.max_connections or IN_FLIGHT  # else Inspect begins with 20, as with APIs
        super().__init__(model_name, base_url, api_key, [], config)
        with in_one_line():
            self._reference = parse_reference(model_name)
        self._reasoning = reasoning
        self._options = options
        self._samplers: dict[Role, Sampler] = {}
        self._waiting: list[_Ticket] = []
        self._drawing = anyio.Lock()
        self._thread = anyio.CapacityLimiter(1)  # of our own: others' may all be taken by who waits for us

    def max_connections(self) -> int:
        return IN_FLIGHT

    async def generate(
        self, input: list[ChatMessage], tools: list[ToolInfo], tool_choice: ToolChoice, config: GenerateConfig
    ) -> ModelOutput:
        if tools:
            raise UserError(f"deliberant/{self.model_name} takes no tools; evaluate tool use with another provider")
        messages = messages_of(input)
        settings: dict[str, Any] = {
            "temperature": config.temperature,
            "top_p": config.top_p,
            "max_new_tokens": config.max_tokens or None,
            "max_reasoning_tokens": config.reasoning_tokens,
        }
        sampling = Sampling(**{name: value for name, value in settings.items() if value is not None})
        seed = seed_of(messages) if config.seed is None else config.seed
        role: Role = (config.extra_body or {}).get(ROLE, "target")
        return model_output(self.model_name, await self._complete(_Ticket(Request(messages, seed), (role, sampling))))

    async def _complete(self, ticket: _Ticket) -> Completion:
        """Who is let through first waits until no more requests come, then draws for all that wait."""
        self._waiting.append(ticket)
        seen = 0
        try:
            async with self._drawing:
                while ticket.outcome is None and len(self._waiting) > seen:
                    seen = len(self._waiting)
                    await anyio.sleep(_PAUSE)
                if ticket.outcome is None:
                    alike = [each for each in self._waiting if each.kind == ticket.kind and each.outcome is None]
                    await anyio.to_thread.run_sync(self._draw, alike, limiter=self._thread)
        finally:
            self._waiting.remove(ticket)
        if isinstance(ticket.outcome, Exception):
            raise ticket.outcome
        assert ticket.outcome is not None
        return ticket.outcome

    def _draw(self, tickets: list[_Ticket]) -> None:
        """One batch; a failure reaches all that are in it."""
        role, sampling = tickets[0].kind
        tickets.sort(key=lambda each: each.request.seed)  # what shares a batch does not hang on arrival
        try:
            drawn: Sequence[Completion | Exception] = self._sampler(role).sample(
                [each.request for each in tickets], sampling
            )
        except Exception as error:
            drawn = [error] * len(tickets)
        for each, outcome in zip(tickets, drawn, strict=True):
            each.outcome = outcome

    def _sampler(self, role: Role) -> Sampler:
        """Opened at the first request: Inspect also makes providers only to look at them."""
        if role not in self._samplers:
            known: Any = next(iter(self._samplers.values()), None)
            self._samplers[role] = (
                known.as_role(role, self._reasoning)
                if hasattr(known, "as_role")
                else open_model(self._reference, role, self._reasoning, **self._options)
            )
        return self._samplers[role]


@modelapi(name="deliberant")
def deliberant() -> type[ModelAPI]:
    return DeliberantAPI


def turns(messages: Sequence[Message]) -> list[ChatMessage]:
    """Our turns as Inspect's; a tool's is a user's, since providers refuse one without the call before it."""
    kinds: dict[str, Any] = {"system": ChatMessageSystem, "assistant": ChatMessageAssistant}
    return [kinds.get(each["role"], ChatMessageUser)(content=each["content"]) for each in messages]


def messages_of(messages: Sequence[ChatMessage]) -> tuple[Message, ...]:
    """Inspect's turns as ours, each by its text alone: reasoning that was taken apart is no part of it."""
    return tuple(Message(role=cast(Any, each.role), content=each.text) for each in messages)


def model_output(name: str, said: Completion | ScoredSample) -> ModelOutput:
    """Reasoning and answer apart. The metadata keep what Inspect's types cannot say: whether the split is clean."""
    parts: list[Content] = [ContentReasoning(reasoning=said.reasoning)] if said.reasoning else []
    parts.append(ContentText(text=said.answer))
    message = ChatMessageAssistant(content=parts, model=name, source="generate")
    choice = ChatCompletionChoice(message=message, stop_reason=_REASONS.get(said.stop, "stop"))
    return ModelOutput(
        model=name, choices=[choice], usage=model_usage(said.usage), metadata={"complete": said.complete}
    )


def model_usage(usage: Usage) -> ModelUsage:
    """Inspect counts tokens from a cache apart from the input."""
    return ModelUsage(
        input_tokens=usage.input - usage.cached,
        output_tokens=usage.output,
        total_tokens=usage.input + usage.output,
        input_tokens_cache_read=usage.cached or None,
    )


def usage_of(spent: ModelUsage | None) -> Usage:
    """The inverse; nothing where the provider did not say."""
    cached = (spent.input_tokens_cache_read or 0) if spent else 0
    return Usage(spent.input_tokens + cached, spent.output_tokens, cached) if spent else Usage(0, 0)


def read_output(output: ModelOutput) -> Completion:
    """What any provider gave back, by the rule for models whose habits nobody knows: text without tags is the answer.

    Reasoning that the provider took apart is kept apart; where tags are left in its answer there is none.
    """
    content, usage = output.message.content, usage_of(output.usage)
    pieces = [ContentText(text=content)] if isinstance(content, str) else content
    text = "".join(each.text for each in pieces if isinstance(each, ContentText))
    thoughts = [each for each in pieces if isinstance(each, ContentReasoning)]
    reasoning = "\n\n".join((each.summary or "") if each.redacted else each.reasoning for each in thoughts)
    stop = _STOPS.get(output.stop_reason, "stop")
    if output.metadata and "complete" in output.metadata:
        return Completion(text, reasoning, text, bool(output.metadata["complete"]), stop, usage)
    parts = split(text, strict=False)
    whole = parts.complete and stop != "blocked" and not (reasoning and parts.reasoning)
    said = [reasoning, parts.reasoning if whole else text.strip()]
    return Completion(text, "\n\n".join(filter(None, said)), parts.answer if whole else "", whole, stop, usage)
