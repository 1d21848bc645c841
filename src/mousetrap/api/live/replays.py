"""Bounds the replays of missed events, which ask the database."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

REPLAYS: Final = 4
WAITING: Final = 1_000
DEADLINE: Final = 10.0
"""Seconds for one replay: a client that reads it more slowly would keep others waiting."""


class Replays:
    """Bounds the replays: few at a time, each in a few seconds, and others wait in a queue."""

    def __init__(self) -> None:
        self._places = asyncio.Semaphore(REPLAYS)
        self._asked = 0

    @property
    def full(self) -> bool:
        """Whether no other client may wait for a replay."""
        return self._asked >= REPLAYS + WAITING

    @asynccontextmanager
    async def one(self) -> AsyncIterator[None]:
        """Wait for a place, and keep it for one replay; raises TimeoutError when that is slow."""
        self._asked += 1
        try:
            async with self._places, asyncio.timeout(DEADLINE):
                yield
        finally:
            self._asked -= 1
