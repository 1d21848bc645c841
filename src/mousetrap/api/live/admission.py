"""Whether one more job is accepted."""

import asyncio
from collections.abc import Callable
from typing import Final, NoReturn

from mousetrap.api.http.errors import BacklogFullError
from mousetrap.api.metrics import ApiMetrics
from mousetrap.store.database import Database

PERIOD: Final = 0.5


class Admission:
    """Keeps an eye on how many jobs are queued, so that asking for leave costs nothing.

    From `limit` jobs on none is accepted. The count is taken every half second, and what this
    process accepts in between is added; other replicas may go over the limit by what they accept
    within that time.
    """

    def __init__(self, database: Database, limit: int, metrics: ApiMetrics) -> None:
        self._database = database
        self._limit = limit
        self._backlog = 0
        self._accepted = 0
        self._refused = metrics.refused.labels(BacklogFullError.code)
        metrics.backlog.set_function(lambda: self._backlog)
        metrics.backlog_limit.set(limit)

    async def watch(self, works: Callable[[], None]) -> NoReturn:
        """Keep the count fresh until cancelled, and call `works` after each; raises StoreError."""
        while True:
            before = self._accepted
            counted = await self._database.jobs.backlog(self._limit)
            # What was accepted meanwhile may have been counted, or not: it counts.
            self._backlog = counted + self._accepted - before
            works()
            await asyncio.sleep(PERIOD)

    def check(self) -> None:
        """Return if one more job is welcome; raises BacklogFullError."""
        if self._backlog >= self._limit:
            self._refused.inc()
            raise BacklogFullError

    def note(self) -> None:
        """Count a job that was accepted here."""
        self._accepted += 1
        self._backlog += 1
