"""A bound on the total weight that tasks hold at the same time."""

import asyncio
from collections import deque


class WeightedSemaphore:
    """Admits holders up to a total weight of `limit`; one that weighs more is admitted alone.

    First come, first served, so a heavy waiter does not starve.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._held = 0
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    async def acquire(self, weight: int) -> None:
        """Wait until `weight` is available, and take it until it is released."""
        if self._waiting or not self._fits(weight):
            await self._turn(weight)
        else:
            self._held += weight

    def release(self, weight: int) -> None:
        """Give back what was acquired."""
        self._held -= weight
        self._let_in()

    def available(self, weight: int) -> int:
        """Return how many holders of `weight` (at least 1) would be admitted now."""
        if self._waiting:
            return 0
        return max((self._limit - self._held) // weight, int(self._fits(weight)))

    async def _turn(self, weight: int) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((weight, turn))
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():  # it was admitted at the same time
                self._held -= weight
            self._let_in()
            raise

    def _fits(self, weight: int) -> bool:
        return self._held == 0 or self._held + weight <= self._limit

    def _let_in(self) -> None:
        while self._waiting:
            weight, turn = self._waiting[0]
            if not turn.done():
                if not self._fits(weight):
                    return
                self._held += weight
                turn.set_result(None)
            self._waiting.popleft()
