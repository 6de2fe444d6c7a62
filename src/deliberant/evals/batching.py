"""Many single requests in, few batches out: Inspect asks for one completion at a time, a Sampler draws them together.

Requests gather until `gather` are waiting or none has come for `quiet` seconds, are put in the order of their seeds
and go to the sampler in chunks. With `gather` = the number of samples of the evaluation (and as many in flight),
what shares a batch depends on the seeds alone and never on timing, so the same evaluation gives the same rows.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

import anyio
import anyio.to_thread

from deliberant.models.types import Completion, Request, Sampler, Sampling


@dataclass(eq=False)
class _Ticket:
    request: Request
    sampling: Sampling
    done: anyio.Event
    completion: Completion | None = None
    failure: Exception | None = None


class Batcher:
    """`chunk`: requests per sampler call. `advance` is told how many completions each finished call has brought.

    `failure`: the sampler's last exception, for a caller that Inspect tells only its message.
    """

    def __init__(
        self,
        sampler: Sampler,
        gather: int = 256,
        quiet: float = 0.05,
        chunk: int = 128,
        advance: Callable[[int], None] = lambda drawn: None,
    ) -> None:
        self.sampler = sampler
        self.gather = gather
        self.quiet = quiet
        self.chunk = chunk
        self.advance = advance
        self.failure: Exception | None = None
        self._waiting: list[_Ticket] = []
        self._last = 0.0
        self._full: anyio.Event | None = None
        self._busy: anyio.Lock | None = None
        self._stopped = False

    def stop(self) -> None:
        """No sampler call begins any more: all that is asked, and is going to be, fails. From any thread."""
        self._stopped = True

    async def complete(self, request: Request, sampling: Sampling) -> Completion:
        """One completion. Who opens a batch waits for it to fill and draws it for all; a failure reaches them all."""
        ticket = _Ticket(request, sampling, anyio.Event())
        leads = not self._waiting
        self._waiting.append(ticket)
        self._last = time.monotonic()
        if leads:
            self._full = anyio.Event()
            if len(self._waiting) < self.gather:
                await self._settle(self._full)
            batch, self._waiting = self._waiting, []
            await self._draw(batch)
        elif len(self._waiting) == self.gather:
            assert self._full is not None
            self._full.set()
        await ticket.done.wait()
        if ticket.failure is not None:
            raise ticket.failure
        assert ticket.completion is not None
        return ticket.completion

    async def _settle(self, full: anyio.Event) -> None:
        """Until the batch is full or nothing has come for `quiet` seconds."""
        while not full.is_set() and (left := self._last + self.quiet - time.monotonic()) > 0:
            with anyio.move_on_after(left):
                await full.wait()

    async def _draw(self, batch: list[_Ticket]) -> None:
        if self._busy is None:
            self._busy = anyio.Lock()
        async with self._busy:  # a sampler is not asked from two threads at once
            for sampling in dict.fromkeys(ticket.sampling for ticket in batch):
                alike = sorted((t for t in batch if t.sampling == sampling), key=lambda t: t.request.seed)
                for start in range(0, len(alike), self.chunk):
                    await self._draw_chunk(alike[start : start + self.chunk], sampling)

    async def _draw_chunk(self, tickets: list[_Ticket], sampling: Sampling) -> None:
        requests = [ticket.request for ticket in tickets]
        try:
            if self._stopped:
                raise RuntimeError("stopped")
            drawn = await anyio.to_thread.run_sync(self.sampler.sample, requests, sampling)
            for ticket, completion in zip(tickets, drawn, strict=True):
                ticket.completion = completion
        except Exception as error:
            self.failure = error
            for ticket in tickets:
                ticket.failure = error
        else:
            self.advance(len(tickets))
        for ticket in tickets:
            ticket.done.set()
