"""Bulkheads: each source has a share of the worker, so that none holds up another."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from typing import Final

from mousetrap.concurrency.weighted_semaphore import WeightedSemaphore
from mousetrap.messages.schema import FetchRequested
from mousetrap.settings.source_kinds import SourceSettings

SHARE: Final = 2
"""A source holds at most one part in so many of the room."""

_TURN: Final[ContextVar["Turn | None"]] = ContextVar("turn", default=None)


class Bulkheads:
    """Lets requests begin within the bounds of their sources.

    `weigh` returns the bytes that the batch of a request takes, and `room` is how many the worker
    has in all. A batch that is larger than its source's share of them is fetched alone.
    """

    def __init__(
        self,
        sources: Mapping[str, SourceSettings],
        weigh: Callable[[FetchRequested], int],
        room: int,
    ) -> None:
        self._weigh = weigh
        self._sources = {name: _Bulkhead(it, room // SHARE) for name, it in sources.items()}

    @asynccontextmanager
    async def admit(self, request: FetchRequested) -> AsyncIterator[None]:
        """Wait until the source of a request has room; `turn` or leaving gives it back.

        An unknown source is admitted: its request fails at once.
        """
        bulkhead = self._sources.get(request.source)
        if bulkhead is None:
            yield
            return
        turn = await bulkhead.enter(self._weigh(request))
        _TURN.set(turn)
        try:
            yield
        finally:
            turn.end()


@contextmanager
def fetching() -> Iterator[None]:
    """Give the room of the current task's request back at the end: its source has answered."""
    try:
        yield
    finally:
        if (turn := _TURN.get()) is not None:
            turn.end()


class Turn:
    """The room that one request holds."""

    def __init__(self, room: WeightedSemaphore, weight: int) -> None:
        self._room = room
        self._weight = weight

    def end(self) -> None:
        """Give the room back; again has no effect."""
        self._room.release(self._weight)
        self._weight = 0


class _Bulkhead:
    """The room of one source, and its pace."""

    def __init__(self, settings: SourceSettings, share: int) -> None:
        self._room = WeightedSemaphore(share)
        self._least = -(-share // settings.max_in_flight)
        self._interval = settings.min_interval
        self._pace = asyncio.Lock()
        self._next_at = 0.0

    async def enter(self, weight: int) -> Turn:
        """Take room, first come, first served, and wait for the interval to pass."""
        weight = max(weight, self._least)
        await self._room.acquire(weight)
        turn = Turn(self._room, weight)
        try:
            if self._interval:
                async with self._pace:
                    await self._rest()
        except BaseException:
            turn.end()
            raise
        return turn

    async def _rest(self) -> None:
        loop = asyncio.get_running_loop()
        await asyncio.sleep(max(0.0, self._next_at - loop.time()))
        self._next_at = loop.time() + self._interval
