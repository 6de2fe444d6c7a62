"""One remote model through Inspect's providers, within one event loop: requests out, replies in, errors in one line.

Inspect retries what may pass (429, 5xx, broken connections), waits as Retry-After says, and knows each provider's
dialect. What stays here: sampling parameters that a server would fill with defaults of its own, going on from an opened
reasoning block where a server can, the raw text where Inspect has cut tags out of it, and what an error means to the
user.
"""

import json
import os
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Literal

from deliberant.models.cache import Reply
from deliberant.models.refs import SERVER, Reference
from deliberant.models.types import Stop, Usage
from deliberant.prompts.types import Message
from deliberant.util.errors import DeliberantError, RunError, UserError
from deliberant.util.names import one_line, suggest_name

Engine = Literal["vllm", "llamacpp"]
"""Servers that go on from an unfinished assistant message."""

_ENGINE: dict[Engine, dict[str, Any]] = {
    "vllm": {"top_k": 0, "min_p": 0.0, "repetition_penalty": 1.0},
    "llamacpp": {"top_k": 0, "min_p": 0.0, "reasoning_format": "none"},
}
"""Else a server's or a model's own defaults cut the distribution that `Sampling` asks for, or split the reasoning."""

PATIENCE = 3600.0
"""Seconds for one attempt at a server of one's own: on a CPU, or in a queue, Inspect's ten minutes can be too short."""

_CONTINUE = {"continue_final_message": True, "add_generation_prompt": False}
_STOPS: dict[str, Stop] = {"max_tokens": "length", "model_length": "length", "content_filter": "blocked"}
_VARIABLE = re.compile(r"\b[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+\b")
_MALFORMED = (ValueError, TypeError, AttributeError, LookupError)
"""What the providers' code raises on a reply that is not JSON or has no choices; the call is made again a few times."""


class Busy(RunError):
    """The provider is there and would not serve now (429, 5xx): worth more patience."""


class Client:
    """A connected model. `engine` is set where the server is known to go on from an unfinished message."""

    def __init__(self, reference: Reference, model: Any, engine: Engine | None) -> None:
        self.reference = reference
        self.engine = engine
        self._model = model

    @property
    def connections(self) -> int:
        """How many calls the provider is sent at once where nobody says."""
        return int(self._model.api.max_connections())

    async def generate(self, messages: Sequence[Message], opened: str, settings: dict[str, Any], retries: int) -> Reply:
        """One call. `opened`: what the assistant has begun to say (servers with an `engine` alone); `settings`: fields
        of Inspect's GenerateConfig.

        UserError, RunError: one line that names the model and the remedy.
        """
        from inspect_ai.model import GenerateConfig
        from inspect_ai.model._model import use_model_event_sink

        turns = [_as_inspect_message(message) for message in messages]
        extra: dict[str, Any] = dict(_ENGINE[self.engine]) if self.engine else {}
        if opened:
            assert self.engine, "no other server goes on from an unfinished message"
            turns.append(_as_inspect_message({"role": "assistant", "content": opened}))
            extra |= _CONTINUE
        config = GenerateConfig(
            **settings, max_retries=retries, adaptive_connections=False, extra_body=extra or None, cache=False
        )
        for left in (2, 1, 0):
            raw = _Raw()
            try:
                with use_model_event_sink(raw):
                    output = await self._model.generate(turns, config=config, cache=False)
                return _reply(output, raw.response, opened)
            except Exception as error:
                if not left or isinstance(error, DeliberantError) or not isinstance(error, _MALFORMED):
                    raise explain(error, self.reference, self._model) from error
        raise AssertionError


@asynccontextmanager
async def connect(reference: Reference, url: str | None, connections: int | None) -> AsyncIterator[Client]:
    """A client for as long as the block lasts. `url`: where a server listens, for `vllm:` references.

    Servers are asked what they serve. UserError: a missing key or package, no such model. RunError: nobody answers.
    """
    model, engine = None, None
    try:
        name = reference.name
        if url:
            name = f"{SERVER}/vllm/{reference.name.partition('#')[2] or '?'}"
        model = _open(name, url, connections)
        if url or name.startswith(f"{SERVER}/"):
            wanted = None if name.endswith("/?") else model.api.service_model_name()
            engine, served = await _ask_what_is_served(model, reference, wanted if reference.url or not url else None)
            if url and served != wanted:
                await model.api.aclose()
                model = _open(f"{SERVER}/vllm/{served}", url, connections)
    except Exception as error:
        if model:
            await model.api.aclose()
        raise explain(error, reference, model) from error
    try:
        yield Client(reference, model, engine)
    finally:
        await model.api.aclose()


def _open(name: str, url: str | None, connections: int | None) -> Any:
    from inspect_ai.model import GenerateConfig, get_model

    key = os.environ.get("VLLM_API_KEY", "none") if url else None
    config = GenerateConfig(max_connections=connections)
    slow: dict[str, Any] = {"client_timeout": PATIENCE} if name.startswith(f"{SERVER}/") else {}
    return get_model(name, base_url=url, api_key=key, config=config, memoize=False, **slow)


async def _ask_what_is_served(model: Any, reference: Reference, wanted: str | None) -> tuple[Engine | None, str | None]:
    """Which engine a server is, and the name of the model to ask for: `wanted`, or the only one it has."""
    from openai import APIStatusError

    try:
        page = await model.api.client.models.list()
        rows = list(page.data)
    except (*_MALFORMED, APIStatusError) as error:
        if getattr(error, "status_code", None) in (401, 403):
            raise
        rows = []  # it speaks of chats alone
    names = [row.id for row in rows]
    engine: Engine | None = next((each for each in _ENGINE if rows and rows[0].owned_by == each), None)
    if wanted is None and len(names) != 1:
        raise UserError(f"model '{reference}': name one: {reference}#… ({suggest_name('', names)})")
    if wanted is not None and engine and wanted not in names:
        raise UserError(f"model '{reference}': the server has no '{wanted}'; {suggest_name(wanted, names)}")
    return engine, wanted or names[0]


def response_schema(schema: Mapping[str, Any]) -> Any:
    """A JSON schema as Inspect's providers take it; keywords that it does not know are left out."""
    from inspect_ai.model import ResponseSchema
    from inspect_ai.util import JSONSchema

    return ResponseSchema(name="reply", json_schema=JSONSchema.model_validate(schema))


class _Raw:
    """Takes what Inspect would else add to a transcript that grows for as long as the process lives."""

    def __init__(self) -> None:
        self.response: Mapping[str, Any] | None = None

    def on_pending(self, event: Any) -> None:
        pass

    def on_complete(self, event: Any) -> None:
        self.response = event.call.response if event.call else None


def _as_inspect_message(message: Message) -> Any:
    from inspect_ai.model import ChatMessageAssistant, ChatMessageSystem, ChatMessageUser

    role, content = message["role"], message["content"]  # providers refuse a tool's turn without the call before it
    if role == "assistant":
        return ChatMessageAssistant(content=content)
    return ChatMessageSystem(content=content) if role == "system" else ChatMessageUser(content=content)


def _reply(output: Any, response: Mapping[str, Any] | None, opened: str) -> Reply:
    """ValueError where the provider sent no choice."""
    if not output.choices:
        raise ValueError("the reply has no choices")
    choice = output.choices[0]
    stop = _STOPS.get(choice.stop_reason, "stop")
    spent, usage = output.usage, Usage(0, 0)
    if spent is not None:
        cached = spent.input_tokens_cache_read or 0
        usage = Usage(spent.input_tokens + cached + (spent.input_tokens_cache_write or 0), spent.output_tokens, cached)
    if stop != "stop" and spent is None:  # Inspect gives the provider's refusal as if the model had said it
        return Reply("", None, stop, usage)
    content = choice.message.content
    thoughts = [] if isinstance(content, str) else [each for each in content if each.type == "reasoning"]
    text, reasoning = choice.message.text, None
    if any(each.internal == "think" for each in thoughts):  # tags, cut out of the text by a laxer rule than ours
        assert response
        text = response["choices"][0]["message"]["content"]
    elif thoughts:
        reasoning = "\n\n".join((each.summary or "") if each.redacted else each.reasoning for each in thoughts)
    elif spent and spent.reasoning_tokens:
        reasoning = ""
    return Reply(text.removeprefix(opened), reasoning, stop, usage, bool(opened))  # llama.cpp repeats what was sent


def explain(error: Exception, reference: Reference, model: Any = None) -> DeliberantError:
    """What went wrong with a remote model, in one line with the remedy."""
    from inspect_ai._util.error import PrerequisiteError
    from tenacity import RetryError

    if isinstance(error, RetryError):
        error = error.last_attempt.exception() or error  # type: ignore[assignment]
    if isinstance(error, DeliberantError):
        return error
    about = f"model '{reference}'"
    if isinstance(error, PrerequisiteError):
        return _explain_missing(about, str(error.message))
    cause = getattr(error, "__cause__", None)
    status = next((code for each in (error, cause) if isinstance(code := getattr(each, "status_code", None), int)), 0)
    said = one_line(_quote(error), 300)
    keys = " or ".join(getattr(model.api, "api_key_vars", ())) if model else ""
    where = getattr(model.api, "base_url", None) if model else None
    if status in (401, 403):
        return UserError(f"{about}: the provider refuses the key in {keys or 'the environment'} ({status}: {said})")
    if status == 404:
        return UserError(f"{about}: the provider has no such model, or the address is wrong (404: {said})")
    if status == 429:
        return Busy(f"{about}: still over the provider's limit after all retries (429: {said}); try again later")
    if status:
        return (Busy if status >= 500 else RunError)(f"{about}: the provider answered {status}: {said}")
    if "Connection" in type(error).__name__ or "Timeout" in type(error).__name__:
        place = f" at {where}" if where else ""
        return RunError(f"{about}: nobody answers{place} ({said}); start the server, or check address and network")
    if isinstance(error, _MALFORMED) or "non-ChatCompletion" in said:
        return RunError(
            f"{about}: what answers is not a model server ({type(error).__name__}: {said}); check the address"
        )
    return RunError(f"{about}: {type(error).__name__}: {said}")


def _explain_missing(about: str, message: str) -> UserError:
    plain = re.sub(r"\[/?[a-z]+\]", "", message)
    if install := re.search(r"pip install (.+)", plain):
        return UserError(f"{about}: needs a package; pip install {install[1].strip()}")
    if variables := _VARIABLE.findall(plain):
        return UserError(f"{about}: {' or '.join(variables)} is not set in the environment; keys are read there alone")
    return UserError(f"{about}: {one_line(plain, 300)}")


def _quote(error: Exception) -> str:
    """A provider's own words, without the request that Inspect puts before them."""
    body = getattr(error, "body", None)
    if isinstance(body, dict):
        inner = body.get("error", body)
        return str(inner.get("message", json.dumps(inner)) if isinstance(inner, dict) else inner)
    return str(getattr(error, "provider_message", None) or error).strip() or type(error).__name__
