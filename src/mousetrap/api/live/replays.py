"""Bounds the replays of missed events, which ask the database."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

REPLAYS: Final = 4
WAITING: Final = 1_000
PATIENCE: Final = 5.0
"""Seconds that a client waits for its replay: reading the lists again is quicker then."""
DEADLINE: Final = 10.0
"""Seconds for one replay: a client that reads it more slowly would keep others waiting."""


class Replays:
    """Bounds the replays: few at a time, each in a few seconds, and others wait for a moment."""

    def __init__(self) -> None:
        self._slots = asyncio.Semaphore(REPLAYS)
        self._asked = 0

    @property
    def full(self) -> bool:
        """Whether no other client may wait for a replay."""
        return self._asked >= REPLAYS + WAITING

    @asynccontextmanager
    async def one(self) -> AsyncIterator[bool]:
        """Yield whether there is a slot for one replay, within PATIENCE seconds.

        Raises TimeoutError when the replay itself takes longer than DEADLINE.
        """
        self._asked += 1
        try:
            if await self._is_admitted():
                try:
                    async with asyncio.timeout(DEADLINE):
                        yield True
                finally:
                    self._slots.release()
            else:
                yield False
        finally:
            self._asked -= 1

    async def _is_admitted(self) -> bool:
        try:
            async with asyncio.timeout(PATIENCE):
                return await self._slots.acquire()
        except TimeoutError:
            return False
