"""How full the queues are, measured seldom however often it is asked for."""

import asyncio
from collections.abc import Sequence
from typing import Final

from mousetrap.queue.errors import QueueUnavailableError
from mousetrap.queue.inspector import Depth, Inspector
from mousetrap.runtime.outage import Outage

PERIOD: Final = 1.0
SILENCE: Final = 5.0


class QueueDepths:
    """The depths of the queues, at most a second old.

    Everyone who asks in between is told the same, that the queue is away included. A worker counts
    that was in touch within 5 s, or within half of the `lease` if that is longer.
    """

    def __init__(self, inspector: Inspector, *, lease: float) -> None:
        self._inspector = inspector
        self._silence = max(SILENCE, lease / 2)
        self._outage = Outage("measuring the queues")
        self._lock = asyncio.Lock()
        self._until = 0.0
        self._found: Sequence[Depth] = ()
        self._trouble: str | None = None

    async def newest(self) -> Sequence[Depth]:
        """Return the depth of each queue; raises QueueUnavailableError."""
        async with self._lock:
            loop = asyncio.get_running_loop()
            if loop.time() >= self._until:
                await self._measure()
                self._until = loop.time() + PERIOD
        if self._trouble is not None:
            raise QueueUnavailableError(self._trouble)
        return self._found

    async def _measure(self) -> None:
        try:
            self._found = await self._inspector.depths(silence=self._silence)
        except QueueUnavailableError as error:
            self._outage.note(error)
            self._trouble = str(error)
        else:
            self._outage.over()
            self._trouble = None
