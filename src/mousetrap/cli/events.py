"""`GET /events`: what happens to the jobs, as it happens, over as many connections as it takes."""

import asyncio
import random
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Final

from httpx2 import EventSource, ServerSentEvent

from mousetrap.cli.client import Client
from mousetrap.cli.errors import BrokenOffError, RefusedError, UnreachableError

FIRST_PAUSE: Final = 1.0
LONGEST_PAUSE: Final = 30.0
SILENCE: Final = 45.0
"""Seconds after which a connection is taken for lost: three heartbeats of the API."""


class Events:
    """The events of all jobs, or of those of one source; `tell` is told of lost connections."""

    def __init__(self, client: Client, source: str | None, tell: Callable[[str], None]) -> None:
        self._client = client
        self._source = source
        self._tell = tell
        self._last_id = ""
        self._pause = FIRST_PAUSE
        self._failures = 0

    async def follow(self) -> AsyncGenerator[ServerSentEvent]:
        """Yield events for ever; after a lost connection it goes on behind the last one.

        Raises RefusedError when the API will not have it, and UnreachableError when there is no
        connection to begin with.
        """
        while True:
            try:
                async with aclosing(self._connection()) as events:
                    async for event in events:
                        self._note(event)
                        yield event
            except RefusedError as error:
                if error.retry_after is None:
                    raise
                await self._wait(str(error), error.retry_after)
            except UnreachableError as error:
                if not self._last_id:
                    raise
                await self._wait(str(error))

    async def _connection(self) -> AsyncGenerator[ServerSentEvent]:
        headers = {"Accept": "text/event-stream", "Cache-Control": "no-store"}
        if self._last_id:
            headers["Last-Event-ID"] = self._last_id
        query = {"source": self._source}
        async with self._client.stream(
            "/events", query=query, headers=headers, silence=SILENCE
        ) as answer:
            async for event in EventSource(answer):
                yield event
        raise BrokenOffError(f"{self._client.url} has closed the connection")

    def _note(self, event: ServerSentEvent) -> None:
        self._failures = 0
        self._last_id = event.id or self._last_id
        if event.retry is not None:
            self._pause = event.retry / 1000

    async def _wait(self, reason: str, least: float = 0.0) -> None:
        """Wait before the next connection: twice as long after each that came to nothing."""
        if self._failures == 0:
            self._tell(f"{reason}; trying again")
        pause = min(self._pause * 2 ** min(self._failures, 10), LONGEST_PAUSE)
        self._failures += 1
        await asyncio.sleep(least + pause * random.uniform(0.5, 1))  # noqa: S311 - spreads load
