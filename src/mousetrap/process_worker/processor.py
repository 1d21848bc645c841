"""Turns a batch into its stored summary."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import partial
from typing import Final
from uuid import UUID

from mousetrap.geo.changes import Changes
from mousetrap.geo.errors import TooManyGroupsError
from mousetrap.geo.summary import summarise
from mousetrap.jobs.job import Failure
from mousetrap.jobs.retry import RetryPolicy
from mousetrap.messages.dead_letter import UNDELIVERABLE, DeadLetter
from mousetrap.messages.errors import MessageError
from mousetrap.messages.schema import BatchFetched, FetchFailed, FetchOutcome, LargeBatchFetched
from mousetrap.process_worker.arriving import LOST, ArrivingBatch, BatchLostError
from mousetrap.process_worker.metrics import ProcessMetrics
from mousetrap.queue.errors import QueueUnavailableError, RejectedMessageError
from mousetrap.queue.middlewares import current_span
from mousetrap.queue.pieces import PieceStore
from mousetrap.store.database import Database
from mousetrap.store.errors import UnknownJobError
from mousetrap.store.outcomes import Change
from mousetrap.telemetry import logs

log = logs.logger(__name__)

TOO_MANY_GROUPS: Final = "too-many-groups"

FEW: Final = 1000
"""Points that are summarised on the event loop: few enough not to delay it."""


class Processor:
    """Ends jobs, each exactly once, however often their outcome is delivered.

    `policy` decides whether a failure is the end of its job or is followed by another attempt.

    While the database is down, messages in flight wait: an outage must not use up their deliveries.
    Only an outcome that cannot be stored for `patience` seconds while the database is usable counts
    as faulty.

    The points of a large batch are in `pieces`. One such batch is stored at a time, part
    by part; its pieces are dropped once its job has gone on.
    """

    def __init__(
        self,
        database: Database,
        pieces: PieceStore,
        policy: RetryPolicy,
        metrics: ProcessMetrics,
        *,
        patience: float = 300.0,
    ) -> None:
        self._database = database
        self._pieces = pieces
        self._one_at_a_time = asyncio.Lock()
        self._policy = policy
        self._metrics = metrics
        self._patience = patience

    async def process(self, outcome: FetchOutcome) -> None:
        """Store one outcome; once this returns it may be forgotten.

        Raises RejectedMessageError when the database has no such job or a piece of its batch cannot
        be read, StoreUnavailableError when the database can be used, yet not for this outcome, and
        QueueUnavailableError when its pieces cannot be had.
        """
        try:
            change = await self._store(outcome)
        except UnknownJobError as error:
            raise RejectedMessageError(str(error)) from error
        current_span().set_attributes(job=change.value)
        self._count(outcome, change)
        log.info(
            "outcome received",
            outcome=type(outcome).__name__,
            attempt=outcome.attempt,
            job=change.value,
        )

    async def bury(self, letter: DeadLetter) -> None:
        """Fail the attempt of an outcome that is given up, if its job is known.

        It may pass like any other failure: its workers lost their links, or it was forged.
        """
        if letter.job_id is None:
            return
        try:
            await self._fail(
                letter.job_id,
                Failure(UNDELIVERABLE, letter.reason),
                attempt=letter.attempt,
                at=datetime.now(UTC),
                retryable=True,
            )
        except UnknownJobError as error:
            log.warning("the dead letter's job is not in the database", reason=str(error))

    def _count(self, outcome: FetchOutcome, change: Change) -> None:
        match change, outcome:
            case Change.ENDED, BatchFetched() | LargeBatchFetched():
                self._metrics.succeeded(outcome, datetime.now(UTC))
                result = "succeeded"
            case Change.ENDED, _:
                result = "failed"
            case Change.WAITS, _:
                result = "waits"
            case _:
                result = "late"
        self._metrics.attempts(result).inc()

    async def _store(self, outcome: FetchOutcome) -> Change:
        match outcome:
            case BatchFetched():
                return await self._succeed(outcome)
            case LargeBatchFetched():
                return await self._succeed_in_pieces(outcome)
            case FetchFailed():
                return await self._fail(
                    outcome.job_id,
                    Failure(outcome.code, outcome.detail),
                    attempt=outcome.attempt,
                    at=outcome.failed_at,
                    retryable=outcome.retryable,
                )

    async def _succeed(self, fetched: BatchFetched) -> Change:
        batch = fetched.batch
        work = partial(summarise, batch, grid=fetched.grid)
        summary = work() if len(batch) <= FEW else await asyncio.to_thread(work)
        changes = await self._changes(fetched) if fetched.changes else None
        return await self._persistently(
            lambda: self._database.outcomes.succeed(
                fetched.job_id,
                attempt=fetched.attempt,
                fetched_at=fetched.fetched_at,
                summary=summary,
                batch=batch,
                report=fetched.report,
                changes=changes,
            )
        )

    async def _succeed_in_pieces(self, fetched: LargeBatchFetched) -> Change:
        change = await self._end_in_pieces(fetched)
        # Only now, and before the message: a redelivery finds that the job has gone on.
        try:
            await self._pieces.drop(fetched.batch.key, len(fetched.batch.points))
        except QueueUnavailableError as error:
            log.warning("the pieces of a batch stay until they expire", reason=str(error))
        return change

    async def _end_in_pieces(self, fetched: LargeBatchFetched) -> Change:
        async def store() -> Change:
            # Of each try, so that one which waits for Postgres does not hold the others up.
            async with self._one_at_a_time:
                return await self._database.outcomes.succeed_with(
                    fetched.job_id,
                    attempt=fetched.attempt,
                    fetched_at=fetched.fetched_at,
                    arriving=ArrivingBatch(fetched, self._pieces, self._database.changes),
                )

        try:
            return await self._persistently(store)
        except BatchLostError as error:
            failure, retryable = Failure(LOST, str(error)), True
        except TooManyGroupsError as error:
            failure, retryable = Failure(TOO_MANY_GROUPS, str(error)), False
        except MessageError as error:
            raise RejectedMessageError(str(error)) from error
        return await self._fail(
            fetched.job_id,
            failure,
            attempt=fetched.attempt,
            at=fetched.fetched_at,
            retryable=retryable,
        )

    async def _changes(self, fetched: BatchFetched) -> Changes:
        return await self._persistently(
            lambda: self._database.changes.since_last(fetched.job_id, fetched.batch.ids)
        )

    async def _fail(
        self, job_id: UUID, failure: Failure, *, attempt: int, at: datetime, retryable: bool
    ) -> Change:
        return await self._persistently(
            lambda: self._database.outcomes.fail(
                job_id, failure, attempt=attempt, at=at, retryable=retryable, policy=self._policy
            )
        )

    async def _persistently[T](self, write: Callable[[], Awaitable[T]]) -> T:
        return await self._database.persist(write, "storing the outcome", patience=self._patience)
