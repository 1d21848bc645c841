"""A client of `GET /events` that reconnects and resumes."""

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
"""Seconds of silence after which a connection counts as lost: three heartbeats of the API."""


class Events:
    """The events of all jobs, or of one source; `report` is called with lost connections."""

    def __init__(self, client: Client, source: str | None, report: Callable[[str], None]) -> None:
        self._client = client
        self._source = source
        self._report = report
        self._last_id = ""
        self._pause = FIRST_PAUSE
        self._failures = 0

    async def follow(self) -> AsyncGenerator[ServerSentEvent]:
        """Yield events for ever; resume after the last one when the connection is lost.

        Raises RefusedError when the API refuses the request, and UnreachableError when the first
        connection fails.
        """
        while True:
            try:
                async with aclosing(self._connection()) as events:
                    async for event in events:
                        self._received(event)
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

    def _received(self, event: ServerSentEvent) -> None:
        self._failures = 0
        self._last_id = event.id or self._last_id
        if event.retry is not None:
            self._pause = event.retry / 1000

    async def _wait(self, reason: str, minimum: float = 0.0) -> None:
        """Wait before the next connection, with exponential back-off and jitter."""
        if self._failures == 0:
            self._report(f"{reason}; trying again")
        pause = min(self._pause * 2 ** min(self._failures, 10), LONGEST_PAUSE)
        self._failures += 1
        await asyncio.sleep(minimum + pause * random.uniform(0.5, 1))  # noqa: S311 - spreads load
