"""Bulkheads: each source has a share of the worker, so that none holds up another."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager, nullcontext
from contextvars import ContextVar
from typing import Final

from mousetrap.concurrency.weighted_semaphore import WeightedSemaphore
from mousetrap.fetch_worker.breaker import Breaker
from mousetrap.messages.schema import FetchRequested
from mousetrap.queue.begun import BegunJobs
from mousetrap.queue.circuits import Circuits
from mousetrap.queue.errors import QueueUnavailableError
from mousetrap.runtime.retry import retry
from mousetrap.settings.source_kinds import SourceSettings
from mousetrap.sources.errors import CircuitOpenError, SourceError

SHARE: Final = 4
"""Each source may hold at most 1/SHARE of the worker's memory for batches."""

PATIENCE: Final = 300.0
"""Seconds that a job waits for the queue before its fetch begins."""

_TURN: Final[ContextVar["Turn | None"]] = ContextVar("turn", default=None)


class Bulkheads:
    """Lets requests begin within the bounds of their sources.

    `weigh` returns the bytes that the batch of a request takes; `memory` is how many all
    batches of the worker may take. A batch larger than its source's share is fetched alone.
    """

    def __init__(
        self,
        sources: Mapping[str, SourceSettings],
        circuits: Circuits,
        begun: BegunJobs,
        weigh: Callable[[FetchRequested], int],
        memory: int,
    ) -> None:
        self._weigh = weigh
        self._begun = begun
        self._coalescing = {name for name, it in sources.items() if it.coalesce}
        self._sources = {
            name: _Bulkhead(name, settings, circuits, memory // SHARE)
            for name, settings in sources.items()
        }

    def admit(self, request: FetchRequested) -> AbstractAsyncContextManager[None]:
        """Wait until the source of a request has memory left; `fetching` or leaving gives it back.

        An unknown source is admitted: its request fails at once.
        """
        bulkhead = self._sources.get(request.source)
        if bulkhead is None:
            return nullcontext()
        mark = _Mark(self._begun, request) if request.source in self._coalescing else None
        return _Admission(bulkhead, self._weigh(request), mark)


def fetching() -> AbstractAsyncContextManager[None]:
    """Record the outcome of the current task's fetch, and give its memory back.

    Entering raises CircuitOpenError while the circuit of the source is open.
    """
    return _TURN.get() or nullcontext()


class Turn(AbstractAsyncContextManager[None]):
    """The memory that one request holds, or the `refusal` of its source's circuit breaker.

    The `mark`, where there is one, tells the API that the fetch has begun. A class: this runs for
    every message.
    """

    def __init__(self, semaphore: WeightedSemaphore, weight: int, breaker: Breaker) -> None:
        self.refusal: CircuitOpenError | None = None
        self.mark: _Mark | None = None
        self._breaker = breaker
        self._semaphore = semaphore
        self._weight = weight

    async def __aenter__(self) -> None:
        if self.refusal is not None:
            self.end()
            raise self.refusal
        if self.mark is not None:
            await self.mark.set()

    async def __aexit__(self, _: object, error: BaseException | None, __: object) -> None:
        # Before the next one begins, which must not ask a source that has just failed.
        try:
            if isinstance(error, SourceError):
                await self._breaker.record(error)
            elif error is None:
                await self._breaker.record(None)
        finally:
            self.end()

    def end(self) -> None:
        """Give the memory back; idempotent."""
        self._semaphore.release(self._weight)
        self._weight = 0


class _Admission(AbstractAsyncContextManager[None]):
    """The wait for a turn, and the turn."""

    def __init__(self, bulkhead: "_Bulkhead", weight: int, mark: "_Mark | None") -> None:
        self._bulkhead = bulkhead
        self._weight = weight
        self._mark = mark
        self._turn: Turn | None = None

    async def __aenter__(self) -> None:
        self._turn = await self._bulkhead.enter(self._weight)
        self._turn.mark = self._mark
        _TURN.set(self._turn)

    async def __aexit__(self, *_: object) -> None:
        if self._turn is not None:
            self._turn.end()


class _Mark:
    """Tells the API that the fetch of a job has begun."""

    def __init__(self, begun: BegunJobs, request: FetchRequested) -> None:
        self._begun = begun
        self._request = request

    async def set(self) -> None:
        """Return once the server has the mark; an outage is waited out."""
        await retry(
            lambda: self._begun.mark(self._request.job_id, self._request.attempt),
            "marking a job as begun",
            on=(QueueUnavailableError,),
            patience=PATIENCE,
        )


class _Bulkhead:
    """The share of one source, and its pace."""

    def __init__(
        self, source: str, settings: SourceSettings, circuits: Circuits, share: int
    ) -> None:
        self._source = source
        self._circuits = circuits
        self._breaker = Breaker(source, settings, circuits)
        self._semaphore = WeightedSemaphore(share)
        self._least = -(-share // settings.max_in_flight)
        self._interval = settings.min_interval
        self._pace = asyncio.Lock()

    async def enter(self, weight: int) -> Turn:
        """Take memory, first come, first served, and wait until the source may be asked."""
        arrived = await self._breaker.arrive()
        weight = max(weight, self._least)
        await self._semaphore.acquire(weight)
        turn = Turn(self._semaphore, weight, self._breaker)
        try:
            await self._breaker.check(arrived)
            if self._interval:
                async with self._pace:
                    await self._rest()
        except CircuitOpenError as refusal:
            turn.refusal = refusal
        except BaseException:
            turn.end()
            raise
        return turn

    async def _rest(self) -> None:
        """Wait for the interval of the source, which all fetch workers share."""
        try:
            while left := await self._circuits.rest(self._source, self._interval):  # noqa: ASYNC110
                # Other workers take turns, too.
                await asyncio.sleep(left)
        except QueueUnavailableError:
            # The interval is kept by this worker alone, and the outage is logged elsewhere.
            await asyncio.sleep(self._interval)
