"""Handles a summary in a stage that follows it."""

from collections.abc import Awaitable, Callable
from typing import Final
from uuid import UUID

from mousetrap.jobs.job import Failure
from mousetrap.jobs.retry import RetryPolicy
from mousetrap.messages.dead_letter import UNDELIVERABLE, DeadLetter
from mousetrap.messages.schema import MAX_DETAIL, SummaryStored
from mousetrap.queue.errors import RejectedMessageError
from mousetrap.store.database import Database
from mousetrap.telemetry import logs

type Follow = Callable[[SummaryStored], Awaitable[None]]

log = logs.logger(__name__)

PATIENCE: Final = 300.0
"""Seconds after which a database that can be used, yet not for a follow-up, is given up on."""


class Follower:
    """Calls `follow` for each summary, and records the result before the acknowledgement.

    `follow` returns when its work is done, or raises: then `policy` decides whether it is called
    again later. RejectedMessageError makes the message a dead letter at once. It is called at least
    once for each summary, and has to bear being called again.
    """

    def __init__(self, database: Database, stage: str, policy: RetryPolicy, follow: Follow) -> None:
        self._database = database
        self._stage = stage
        self._policy = policy
        self._follow = follow

    async def handle(self, message: SummaryStored) -> None:
        """Follow one summary up; once this returns the message may be forgotten.

        Raises what `follow` raises of RejectedMessageError, and StoreUnavailableError when the
        database can be used, yet not for this.
        """
        store, job_id = self._database.follow_ups, message.job_id
        if not await self._insist(
            lambda: store.is_wanted(job_id, self._stage, attempt=message.attempt)
        ):
            log.info("follow-up is late", attempt=message.attempt)
            return
        try:
            await self._follow(message)
        except RejectedMessageError:
            raise
        except Exception as error:  # noqa: BLE001 - it is recorded, and the work is tried again
            failure = Failure(type(error).__name__, str(error)[:MAX_DETAIL])
            again = await self._fail(job_id, failure, attempt=message.attempt, retryable=True)
            log.warning("follow-up failed", code=failure.code, reason=failure.detail, again=again)
        else:
            await self._insist(lambda: store.done(job_id, self._stage))
            log.info("follow-up done", attempt=message.attempt)

    async def bury(self, letter: DeadLetter) -> None:
        """Fail the follow-up of a message that is given up, if it is known."""
        if letter.job_id is not None:
            failure = Failure(UNDELIVERABLE, letter.reason)
            await self._fail(letter.job_id, failure, attempt=letter.attempt, retryable=False)

    async def _fail(
        self, job_id: UUID, failure: Failure, *, attempt: int, retryable: bool
    ) -> bool | None:
        return await self._insist(
            lambda: self._database.follow_ups.failed(
                job_id,
                self._stage,
                failure,
                attempt=attempt,
                retryable=retryable,
                policy=self._policy,
            )
        )

    async def _insist[T](self, call: Callable[[], Awaitable[T]]) -> T:
        return await self._database.persist(call, "storing the follow-up", patience=PATIENCE)
