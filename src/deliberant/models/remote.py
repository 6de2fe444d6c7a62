"""Samplers that call: every API and server, through Inspect's providers.

A batch of requests becomes calls that run at once, in an event loop of its own. Each finished call is kept before the
next one starts, so that Ctrl-C, a kill or a budget loses none and none is paid for twice.
"""

import asyncio
import copy
from collections.abc import Coroutine, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deliberant.models.budget import PRICES, Budget, price_of, read_prices
from deliberant.models.cache import Calls, Reply
from deliberant.models.client import Busy, Client, connect, response_schema
from deliberant.models.formats import formats, split
from deliberant.models.refs import Reference
from deliberant.models.servers import serve
from deliberant.models.types import POLICY_ROLES, Completion, Reasoning, Request, Role, Sampling
from deliberant.util.errors import DeliberantError, UserError
from deliberant.util.files import fingerprint
from deliberant.util.progress import Bar, NullProgress, Progress


@dataclass(frozen=True)
class _Ask:
    """One call: the request, what the assistant has already said, and the tokens that took."""

    request: Request
    said: str = ""
    spent: int = 0


class RemoteSampler:
    """Draws from an API or a server. Calls that are in `calls` are not made again."""

    def __init__(
        self,
        reference: Reference,
        identity: str,
        reasoning: Reasoning,
        strict: bool,
        *,
        calls: Calls | None = None,
        budget: Budget | None = None,
        prices: Path = PRICES,
        connections: int | None = None,
        retries: int = 8,
        timeout: int | None = None,
        progress: Progress | None = None,
    ) -> None:
        """No call is made yet, and no key needed.

        `strict`: a policy model, which has no answer without a whole reasoning block; judges and writers are not.
        `connections`: calls at once; the provider's default where None. `retries` of a call that may yet pass, some 25
        minutes in all; `timeout`: seconds for each attempt. `progress` is told of answers, and of a server that is
        started.

        UserError: a budget in dollars, and no price of this model.
        """
        self.identity = identity
        self.reasoning = reasoning
        self.calls = Calls() if calls is None else calls
        self._reference = reference
        self._strict = strict
        self._budget = budget or Budget()
        self._prices = read_prices(prices)
        self._format = formats()["think"]
        """The tags of prompted reasoning."""
        self._connections = connections
        self._retries = retries
        self._timeout = timeout
        self._progress = progress or NullProgress()
        self._under_way = 0
        self._answered = False
        """Whether this process has had a reply: until then mistakes are looked for before patience is shown."""
        priced = reference.kind == "vllm" or price_of(reference.name, self._prices)
        if self._budget.dollars is not None and not priced:
            raise UserError(
                f"model '{reference}': {prices} has no price for '{reference.name}'; add one there, or give "
                "budget.tokens instead of budget.dollars"
            )

    def as_role(self, role: Role, reasoning: Reasoning = "native") -> "RemoteSampler":
        """The same model in another role: calls, budget and account are shared."""
        other = copy.copy(self)
        other._strict, other.reasoning = role in POLICY_ROLES and reasoning != "off", reasoning
        return other

    def sample(self, requests: Sequence[Request], sampling: Sampling) -> list[Completion]:
        """One completion a request, in order; what was drawn before is taken from the kept calls.

        UserError: a missing key, no such model. RunError: the provider fails for good, or a budget is reached; finished
        calls are kept, and those on their way have been waited for. Ctrl-C waits for none.
        """
        drawn = [self._kept(request, sampling) for request in requests]
        if missing := [request for request, each in zip(requests, drawn, strict=True) if each is None]:
            self.calls.account.check(self._budget, self._prices)
            url = self._reference.url
            if self._reference.kind == "vllm" and not url:
                url = serve(self._reference.name, self._progress)
            _run(self._draw_all(missing, sampling, url))
            drawn = [self._kept(request, sampling) for request in requests]
        completions = [each for each in drawn if each is not None]
        assert len(completions) == len(requests)
        return completions

    def check(self) -> None:
        """Connect, and ask the model nothing; a server that we would start is not started. Errors as in `sample`."""
        if self._reference.kind != "vllm" or self._reference.url:
            _run(self._connect())

    async def _connect(self) -> None:
        async with connect(self._reference, self._reference.url, self._connections):
            pass

    def _steps(self, request: Request, sampling: Sampling) -> Generator[_Ask, Reply, Completion]:
        """The calls that one completion takes: one, or two where a budget closes the reasoning."""
        ask = self._ask(request)
        reply = yield ask
        text, stop, usage = reply.text, reply.stop, reply.usage
        if request.thought is not None:
            parts = split(ask.said + text, strict=self._strict)
            whole = parts.complete and stop != "blocked"
            return Completion(ask.said + text, parts.reasoning, parts.answer if whole else "", whole, stop, usage)
        left = sampling.max_new_tokens - usage.output
        unclosed = stop == "stop" and reply.opened and not split(text, opened=True).complete
        if reply.opened and (stop == "length" or unclosed) and sampling.max_reasoning_tokens is not None and left > 0:
            text += "" if split(text, opened=True).complete else self._format.closing
            rest = yield _Ask(request, self._format.opening + text, usage.output)
            text, stop = text + rest.text, rest.stop
            usage += rest.usage
        if reply.reasoning is not None:
            whole = stop != "blocked" and bool(text.strip() or stop == "stop")
            raw = self._format.join(reply.reasoning, text)
            said = reply.reasoning if whole else f"{reply.reasoning}{text}"
            return Completion(raw, said.strip(), text.strip() if whole else "", whole, stop, usage)
        parts = split(text, opened=reply.opened, strict=self._strict)
        answer = parts.answer if stop != "blocked" else ""
        return Completion(text, parts.reasoning, answer, parts.complete and stop != "blocked", stop, usage)

    def _ask(self, request: Request) -> _Ask:
        """The first call of a request."""
        return _Ask(request, "" if request.thought is None else self._format.before_answer(request.thought))

    def _kept(self, request: Request, sampling: Sampling) -> Completion | None:
        """The completion, where all its calls are kept."""
        steps = self._steps(request, sampling)
        ask = next(steps)
        while (reply := self.calls.find(self._key(ask, sampling))) is not None:
            try:
                ask = steps.send(reply)
            except StopIteration as finished:
                done: Completion = finished.value
                return done
        return None

    async def _draw_all(self, requests: Sequence[Request], sampling: Sampling, url: str | None) -> None:
        """Make the calls that `requests` lack. The first failure stops new requests; those on their way end first.

        The very first call goes alone: mistakes show at once, and the providers' prompt caches know the shared
        beginning before the others ask.
        """
        unique = {self._key(self._ask(request), sampling): request for request in requests}
        waiting = iter(unique.values())
        failures: list[DeliberantError] = []

        async def work(client: Client, bar: Bar) -> None:
            for request in waiting:
                if failures:
                    return
                try:
                    await self._draw(client, request, sampling)
                    bar.advance()
                except DeliberantError as error:
                    failures.append(error)

        async with connect(self._reference, url, self._connections) as client:
            ask = self._ask(next(iter(unique.values())))
            if not self._answered and self.calls.find(self._key(ask, sampling)) is None:
                try:
                    await self._pay(client, ask, sampling, retries=1)
                except Busy:
                    await self._pay(client, ask, sampling, self._retries)
            self._answered = True
            workers = min(self._connections or client.connections, len(unique))
            with self._progress("answers", len(unique), brief=True) as bar:
                async with asyncio.TaskGroup() as group:
                    for _ in range(workers):
                        group.create_task(work(client, bar))
        if failures:
            raise failures[0]

    async def _draw(self, client: Client, request: Request, sampling: Sampling) -> None:
        """Make the calls of one request that are not kept yet."""
        steps = self._steps(request, sampling)
        ask = next(steps)
        with suppress(StopIteration):
            while True:
                reply = self.calls.find(self._key(ask, sampling))
                ask = steps.send(reply or await self._pay(client, ask, sampling, self._retries))

    async def _pay(self, client: Client, ask: _Ask, sampling: Sampling, retries: int) -> Reply:
        """Make one call and keep its reply. RunError where it would be beyond the budget."""
        self.calls.account.check(self._budget, self._prices, self._under_way)
        self._under_way += 1
        try:
            reply = await self._call(client, ask, sampling, retries)
        finally:
            self._under_way -= 1
        self.calls.add(self._key(ask, sampling), self._reference.name, reply)
        return reply

    async def _call(self, client: Client, ask: _Ask, sampling: Sampling, retries: int) -> Reply:
        request, budget = ask.request, sampling.max_reasoning_tokens
        opened, most = ask.said, sampling.max_new_tokens - ask.spent
        if opened and not client.engine:
            raise UserError(
                f"model '{self._reference}': does not go on from an unfinished turn, so its reasoning cannot be given; "
                "serve the model with vLLM or llama.cpp, or load it here"
            )
        settings: dict[str, Any] = {"temperature": sampling.temperature, "seed": request.seed}
        if self.reasoning == "prompted" and client.engine and not opened:
            opened, most = self._format.opening, min(most, most if budget is None else budget)
        elif self.reasoning == "native" and budget is not None:
            settings["reasoning_tokens"] = budget
        if sampling.top_p != 1.0 or client.engine:
            settings["top_p"] = sampling.top_p
        if request.schema is not None and (self.reasoning == "off" or not client.engine):
            settings["response_schema"] = response_schema(request.schema)
        settings |= {"max_tokens": most, "attempt_timeout": self._timeout}
        return await client.generate(request.messages, opened, settings, retries)

    def _key(self, ask: _Ask, sampling: Sampling) -> str:
        request = ask.request
        schema = dict(request.schema) if request.schema is not None else None
        shape = [self.identity, self.reasoning, self._format.name, sampling]
        return fingerprint([*shape, request.messages, request.seed, schema, ask.said])


def _run(work: Coroutine[Any, Any, None]) -> None:
    """Run to the end; within a running event loop (a notebook's) in a thread of its own."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        asyncio.run(work)
        return
    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, work).result()
