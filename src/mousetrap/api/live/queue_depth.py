"""A cache of the queue depths."""

import asyncio
from collections.abc import Sequence
from typing import Final

from mousetrap.queue.errors import QueueUnavailableError
from mousetrap.queue.inspector import Depth, Inspector
from mousetrap.runtime.outage import Outage

PERIOD: Final = 1.0
SILENCE: Final = 5.0


class QueueDepths:
    """The depths of the queues, cached for a second, errors included.

    A worker counts if it was active within 5 s, or within half of the `lease` if that is longer.
    """

    def __init__(self, inspector: Inspector, *, lease: float) -> None:
        self._inspector = inspector
        self._silence = max(SILENCE, lease / 2)
        self._outage = Outage("measuring the queues")
        self._lock = asyncio.Lock()
        self._expires_at = 0.0
        self._depths: Sequence[Depth] = ()
        self._error: str | None = None

    async def current(self) -> Sequence[Depth]:
        """Return the depth of each queue; raises QueueUnavailableError."""
        async with self._lock:
            loop = asyncio.get_running_loop()
            if loop.time() >= self._expires_at:
                await self._measure()
                self._expires_at = loop.time() + PERIOD
        if self._error is not None:
            raise QueueUnavailableError(self._error)
        return self._depths

    async def _measure(self) -> None:
        try:
            self._depths = await self._inspector.depths(silence=self._silence)
        except QueueUnavailableError as error:
            self._outage.record(error)
            self._error = str(error)
        else:
            self._outage.over()
            self._error = None
