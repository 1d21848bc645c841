"""A cache of the circuit breakers of the sources."""

import asyncio
from collections.abc import Collection, Mapping
from typing import Final

from mousetrap.queue.circuits import Circuit, Circuits
from mousetrap.queue.errors import QueueUnavailableError
from mousetrap.runtime.outage import Outage

PERIOD: Final = 1.0


class CircuitCache:
    """The circuits of those of the sources whose last fetch failed, cached for a second."""

    def __init__(self, circuits: Circuits, sources: Collection[str]) -> None:
        self._circuits = circuits
        self._sources = sources
        self._outage = Outage("reading the circuit breakers")
        self._lock = asyncio.Lock()
        self._expires_at = 0.0
        self._found: Mapping[str, Circuit] | None = None

    async def probed(self) -> Mapping[str, bool]:
        """Return of each source whether it is only probed; empty while that is unknown."""
        found = await self.current()
        if found is None:
            return {}
        return {it: it in found and found[it].state != "closed" for it in self._sources}

    async def current(self) -> Mapping[str, Circuit] | None:
        """Return the circuits by source; None while the queue cannot be reached."""
        async with self._lock:
            loop = asyncio.get_running_loop()
            if loop.time() >= self._expires_at:
                try:
                    self._found = await self._circuits.of(self._sources)
                    self._outage.over()
                except QueueUnavailableError as error:
                    self._outage.record(error)
                    self._found = None
                self._expires_at = loop.time() + PERIOD
        return self._found
