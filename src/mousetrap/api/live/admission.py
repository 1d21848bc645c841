"""Admission control by the length of the backlog, in all and for each source."""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Final, NoReturn

from mousetrap.api.http.errors import BacklogFullError, SourceBacklogFullError
from mousetrap.api.metrics import ApiMetrics
from mousetrap.store.database import Database

PERIOD: Final = 0.5


class Admission:
    """Caches the length of the backlog, so a check is free.

    Jobs are refused from `limit` queued jobs on, and those of a source from as many of its own as
    `limits` says. The database counts them every half second, and this process adds the jobs that
    it accepts in between. The jobs that other replicas accept within that time may exceed a limit.
    """

    def __init__(
        self, database: Database, limit: int, limits: Mapping[str, int], metrics: ApiMetrics
    ) -> None:
        self._database = database
        self._limit = limit
        self._limits = dict(limits)
        self._backlog = 0
        self._queued: Counter[str] = Counter()
        self._accepted: Counter[str] = Counter()
        self._refused = metrics.refused.labels
        metrics.backlog.set_function(lambda: self._backlog)
        metrics.backlog_limit.set(limit)

    async def watch(self, works: Callable[[], None]) -> NoReturn:
        """Refresh the count until cancelled; calls `works` after each one. Raises StoreError."""
        while True:
            self._accepted.clear()
            counted = await self._database.jobs.backlog(self._limit)
            # The count may or may not include jobs accepted meanwhile: assume that it does not.
            self._queued = Counter(counted) + self._accepted
            self._backlog = self._queued.total()
            works()
            await asyncio.sleep(PERIOD)

    def check(self, source: str | None) -> None:
        """Raise BacklogFullError or SourceBacklogFullError if no further job may be accepted.

        Without a source, its own limit is left out.
        """
        if self._backlog >= self._limit:
            self._refused(BacklogFullError.code).inc()
            raise BacklogFullError
        if source is not None and self.is_full(source):
            self._refused(SourceBacklogFullError.code).inc()
            raise SourceBacklogFullError

    def is_full(self, source: str) -> bool:
        """Tell whether a source has all the jobs that it may; one that is gone has no limit."""
        return self._queued[source] >= self._limits.get(source, self._limit)

    def count(self, source: str) -> None:
        """Count a job that this process has accepted."""
        self._accepted[source] += 1
        self._queued[source] += 1
        self._backlog += 1
