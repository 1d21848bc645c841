"""The memory that all batches in hand may take."""

from contextlib import AbstractAsyncContextManager
from contextvars import Token

from mousetrap.concurrency.weighted_semaphore import WeightedSemaphore
from mousetrap.sources import memory


class MemoryBudget:
    """Lets batches weigh at most `limit` bytes together; a heavier one is alone.

    First come, first served. A holder of memory waits for no more of it, so none waits for ever.
    """

    def __init__(self, limit: int) -> None:
        self._semaphore = WeightedSemaphore(limit)

    def hold(self) -> AbstractAsyncContextManager[None]:
        """Hold the memory that a source claims inside this block, until the block ends."""
        return _Hold(self._semaphore)


class _Hold(AbstractAsyncContextManager[None]):
    """The memory of one batch. A class: this runs for every message."""

    def __init__(self, semaphore: WeightedSemaphore) -> None:
        self._semaphore = semaphore
        self._weight = 0
        self._token: Token[memory.Claim | None] | None = None

    async def __aenter__(self) -> None:
        self._token = memory.bind(self._claim)

    async def __aexit__(self, *_: object) -> None:
        if self._token is not None:
            memory.release(self._token)
        if self._weight:
            self._semaphore.release(self._weight)

    async def _claim(self, weight: int) -> None:
        if not self._weight:
            await self._semaphore.acquire(weight)
            self._weight = weight
