"""Periodic work of any replica: schedules, dead letters, retention."""

from collections.abc import Collection, Mapping, Sequence
from typing import Final

from mousetrap.messages.dead_letter import DeadLetter
from mousetrap.messages.schema import FetchRequested
from mousetrap.process_worker.metrics import ProcessMetrics
from mousetrap.queue.dispatcher import Dispatcher
from mousetrap.queue.inspector import Inspector
from mousetrap.runtime.supervision import Watcher, every
from mousetrap.store.database import Database
from mousetrap.store.errors import UnstorableValueError
from mousetrap.telemetry import logs

log = logs.logger(__name__)

LETTERS: Final = 100
"""The most dead letters that are stored at a time."""

ROWS: Final = 100
"""The most rows that are deleted at a time, so that no statement takes long on a slow disk."""

SWEEP_PERIOD: Final = 60.0


class Housekeeper:
    """Keeps schedules and tables, in any number of processes at once.

    `schedules` has the seconds between refreshes by source. Schedules and dead letters are checked
    every `period` seconds. Rows are deleted when they are `retention` seconds old.
    """

    def __init__(  # noqa: PLR0913 - each is a collaborator or a plain number
        self,
        database: Database,
        dispatcher: Dispatcher,
        inspector: Inspector,
        metrics: ProcessMetrics,
        *,
        schedules: Mapping[str, float],
        period: float,
        retention: float,
    ) -> None:
        self._database = database
        self._dispatcher = dispatcher
        self._inspector = inspector
        self._metrics = metrics
        self._schedules = dict(schedules)
        self._period = period
        self._retention = retention

    def watchers(self) -> Sequence[Watcher]:
        """Return the watchers that do this periodically."""
        return (
            every(self._period, "schedules", "keeping schedules", self.schedule),
            every(self._period, "dead letters", "storing dead letters", self.collect),
            every(SWEEP_PERIOD, "retention", "deleting old rows", self.sweep),
        )

    async def schedule(self) -> None:
        """Accept and send the scheduled jobs that are due."""
        for job in await self._database.schedule.submit(self._schedules):
            log.info("job scheduled", job_id=job.id, source=job.source, slot=job.slot)
            self._metrics.scheduled.labels(job.source).inc()
            request = FetchRequested(job.id, job.source, requested_at=job.requested_at)
            await self._dispatcher.send(request, "schedule", begins=True)

    async def collect(self) -> None:
        """Move dead letters from the queue to Postgres."""
        while letters := await self._inspector.buried(LETTERS):
            await self._keep(letters.values())
            await self._inspector.forget(letters)
            self._metrics.dead_letters.inc(len(letters))

    async def _keep(self, letters: Collection[DeadLetter]) -> None:
        try:
            await self._database.dead_letters.keep(letters)
        except UnstorableValueError as error:
            if len(letters) > 1:
                for letter in letters:
                    await self._keep([letter])
            else:
                # It would stop the collection of all later ones, which the queue then trims.
                [letter] = letters
                log.error(  # noqa: TRY400 - the reason says everything
                    "a dead letter cannot be stored and is dropped",
                    queue=letter.queue,
                    entry=letter.id,
                    job_id=letter.job_id,
                    reason=str(error),
                )

    async def sweep(self) -> None:
        """Delete old jobs and dead letters."""
        rows = 0
        while deleted := await self._database.retention.delete(
            older_than=self._retention, limit=ROWS
        ):
            self._metrics.deleted.inc(deleted)
            rows += deleted
        if rows:
            log.info("old rows deleted", rows=rows)
