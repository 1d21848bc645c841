"""From a batch to its summary in the database."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from uuid import UUID

from mousetrap.geo.summary import summarise
from mousetrap.jobs.job import Failure
from mousetrap.messages.schema import BatchFetched, FetchFailed, FetchOutcome
from mousetrap.queue.deliveries import DeadLetter
from mousetrap.queue.errors import RejectedMessageError
from mousetrap.store.database import Database
from mousetrap.store.errors import SchemaError, StoreUnavailableError, UnknownJobError
from mousetrap.telemetry import logs
from mousetrap.telemetry.outage import Outage

log = logs.logger(__name__)


class Processor:
    """Ends jobs, each exactly once, however often their outcome is delivered.

    While the database cannot be used the work in hand waits: an outage is no fault of the
    message, so it must not use up the message's deliveries. Only an outcome that could not be
    stored for `patience` seconds, while the database can be used, is taken for the trouble itself.
    """

    def __init__(self, database: Database, *, patience: float = 300.0) -> None:
        self._database = database
        self._patience = patience

    async def process(self, outcome: FetchOutcome) -> None:
        """End the job of one outcome; once this returns the outcome may be forgotten.

        Raises RejectedMessageError when the database has no such job, and StoreUnavailableError
        when the database can be used, yet not for this outcome.
        """
        try:
            changed = await self._store(outcome)
        except UnknownJobError as error:
            raise RejectedMessageError(str(error)) from error
        log.info("outcome stored" if changed else "outcome was stored before")

    async def bury(self, letter: DeadLetter) -> None:
        """Fail the job of an outcome that is given up, if it can be told which one it is."""
        if letter.job_id is None:
            return
        try:
            failure = Failure("undeliverable", letter.reason)
            await self._fail(letter.job_id, failure, at=datetime.now(UTC))
        except UnknownJobError as error:
            log.warning("the dead letter's job is not in the database", reason=str(error))

    async def _store(self, outcome: FetchOutcome) -> bool:
        match outcome:
            case BatchFetched():
                return await self._succeed(outcome)
            case FetchFailed():
                failure = Failure(outcome.code, outcome.detail)
                return await self._fail(outcome.job_id, failure, at=outcome.failed_at)

    async def _succeed(self, batch: BatchFetched) -> bool:
        summary = await asyncio.to_thread(summarise, batch.points)
        return await self._persistently(
            lambda: self._database.outcomes.succeed(
                batch.job_id,
                attempt=batch.attempt,
                fetched_at=batch.fetched_at,
                summary=summary,
                points=batch.points,
            )
        )

    async def _fail(self, job_id: UUID, failure: Failure, *, at: datetime) -> bool:
        return await self._persistently(
            lambda: self._database.outcomes.fail(job_id, failure, at=at)
        )

    async def _persistently[T](self, write: Callable[[], Awaitable[T]]) -> T:
        outage = Outage("storing the outcome")
        end = time.monotonic() + self._patience
        while True:
            try:
                result = await write()
            except (StoreUnavailableError, SchemaError) as error:
                if time.monotonic() > end and await self._is_usable():
                    raise
                await outage.pause(error, asyncio.Event())
            else:
                outage.over()
                return result

    async def _is_usable(self) -> bool:
        try:
            await self._database.ping()
        except (StoreUnavailableError, SchemaError):
            return False
        return True
