"""Admission control by the length of the backlog."""

import asyncio
from collections.abc import Callable
from typing import Final, NoReturn

from mousetrap.api.http.errors import BacklogFullError
from mousetrap.api.metrics import ApiMetrics
from mousetrap.store.database import Database

PERIOD: Final = 0.5


class Admission:
    """Caches the length of the backlog, so a check is free.

    Jobs are refused from `limit` queued jobs on. The database counts them every half second, and
    this process adds the jobs that it accepts in between. The jobs that other replicas accept
    within that time may exceed the limit.
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
        """Refresh the count until cancelled; calls `works` after each one. Raises StoreError."""
        while True:
            before = self._accepted
            counted = await self._database.jobs.backlog(self._limit)
            # The count may or may not include jobs accepted meanwhile: assume that it does not.
            self._backlog = counted + self._accepted - before
            works()
            await asyncio.sleep(PERIOD)

    def check(self) -> None:
        """Raise BacklogFullError if no further job may be accepted."""
        if self._backlog >= self._limit:
            self._refused.inc()
            raise BacklogFullError

    def count(self) -> None:
        """Count a job that this process has accepted."""
        self._accepted += 1
        self._backlog += 1
