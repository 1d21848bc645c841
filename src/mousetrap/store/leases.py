"""Queued jobs whose lease has expired: to check in the queue, send again, or give up."""

from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from mousetrap.jobs.job import Failure
from mousetrap.jobs.state import State
from mousetrap.store.engine import Engine

# Any number of processes may run this at once: each skips the jobs that another one has locked.
_DUE: Final = """
SELECT id, source, attempts, attempts_before, sent, requested_at FROM job
WHERE state = 'queued' AND due_at <= now()
ORDER BY due_at
LIMIT $1
FOR UPDATE SKIP LOCKED
"""

# Jitter spreads jobs that were checked together.
_LATER: Final = """
UPDATE job SET due_at = now() + $1::float8 * (1 + random()) / 2 * interval '1 second'
WHERE id = ANY ($2)
"""

_LOST: Final = """
INSERT INTO attempt (job_id, number, failed_at, error_code, error_detail)
SELECT id, attempts, now(), $1::text, $2::text FROM job WHERE id = ANY ($3)
ON CONFLICT (job_id, number) DO NOTHING
"""

_SEND: Final = """
UPDATE job
SET sent = true, attempts = sending.attempt,
    due_at = now() + sending.lease * interval '1 second'
FROM unnest($1::uuid[], $2::integer[], $3::float8[]) AS sending (id, attempt, lease)
WHERE job.id = sending.id
"""

_TAKE_BACK: Final = """
UPDATE job
SET sent = false, due_at = now()
FROM unnest($1::uuid[], $2::integer[]) AS unsent (id, attempt)
WHERE job.id = unsent.id AND job.attempts = unsent.attempt AND job.state = 'queued'
"""

_GIVE_UP: Final = """
UPDATE job SET state = $1, finished_at = now(), error_code = $2, error_detail = $3
WHERE id = ANY ($4)
"""


# A clock that was set back, or ahead for a while, leaves times that no policy asks for. Those of
# transactions that began since this one are a little later. The first comparison is for the index.
#
# No job is due at once, since its message may just be on its way.
_PULL_IN: Final = """
WITH given AS (
    SELECT $1::float8[] AS longest
), early AS (
    UPDATE job SET due_at = now() + ($1::float8[])[1] * interval '1 second' WHERE id IN (
        SELECT id FROM job, given
        WHERE state = 'queued' AND due_at > now() + ($1::float8[])[1] * interval '1 second'
            AND due_at > now() + interval '1 second' * (
                1 + longest[least(attempts - attempts_before, cardinality(longest))]
            )
        LIMIT $2
        FOR UPDATE OF job SKIP LOCKED
    )
    RETURNING 1
)
SELECT extract(epoch FROM clock_timestamp())::float8 AS now, (SELECT count(*) FROM early) AS jobs
"""


@dataclass(frozen=True, slots=True)
class Pulled:
    """The time of Postgres, in seconds since 1970, and the number of jobs that are due earlier."""

    now: float
    jobs: int


@dataclass(frozen=True, slots=True)
class DueJob:
    """A queued job that is due: its newest attempt, and the number of that attempt in its round.

    `sent` tells whether the message of that attempt was sent.
    """

    id: UUID
    source: str
    attempt: int
    attempt_of_round: int
    sent: bool
    requested_at: datetime


@dataclass(frozen=True, slots=True)
class Sending:
    """A message that is about to be sent, and the seconds until its lease expires."""

    job_id: UUID
    source: str
    attempt: int
    lease: float
    requested_at: datetime


@dataclass(frozen=True, slots=True)
class Claim:
    """Locked due jobs. Changes made through it are committed at the end of the block."""

    jobs: Sequence[DueJob]
    _engine: Engine

    async def look_later(self, ids: Collection[UUID], seconds: float) -> None:
        """Leave jobs alone for at most so many seconds, and at least half as many."""
        if ids:
            await self._engine.fetch(_LATER, seconds, list(ids))

    async def send(self, sendings: Collection[Sending]) -> None:
        """Record that messages are about to be sent."""
        if sendings:
            await self._engine.fetch(
                _SEND,
                [sending.job_id for sending in sendings],
                [sending.attempt for sending in sendings],
                [sending.lease for sending in sendings],
            )

    async def lose(self, ids: Collection[UUID], failure: Failure) -> None:
        """Record that the newest attempts of jobs have failed."""
        if ids:
            await self._engine.fetch(_LOST, failure.code, failure.detail, list(ids))

    async def give_up(self, ids: Collection[UUID], failure: Failure) -> None:
        """Let jobs fail."""
        if ids:
            values = State.FAILED.value, failure.code, failure.detail
            await self._engine.fetch(_GIVE_UP, *values, list(ids))


class LeaseStore:
    """The queued jobs of the open database, for the process worker alone."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def take_back(self, sendings: Collection[Sending]) -> None:
        """Record that messages were not sent, so their attempts are not used up.

        Raises StoreUnavailableError or SchemaError.
        """
        ids = [sending.job_id for sending in sendings]
        await self._engine.fetch(_TAKE_BACK, ids, [sending.attempt for sending in sendings])

    async def pull_in(self, longest: Sequence[float], limit: int) -> Pulled:
        """Let at most `limit` jobs that wait too long wait as long as a first attempt may.

        `longest` has the seconds that each attempt of a round may wait, the last those of all later
        ones. Raises StoreUnavailableError or SchemaError.
        """
        [row] = await self._engine.fetch(_PULL_IN, list(longest), limit)
        return Pulled(row["now"], row["jobs"])

    @asynccontextmanager
    async def due(self, limit: int) -> AsyncIterator[Claim]:
        """Lock at most `limit` due jobs, those that have waited longest first.

        The end of the block commits their changes and releases them; nothing changes if the block
        raises. Raises StoreUnavailableError or SchemaError; the
        database's deadline holds for the block as a whole.
        """
        async with self._engine.atomically():
            rows = await self._engine.fetch(_DUE, limit)
            yield Claim(
                [
                    DueJob(
                        id=row["id"],
                        source=row["source"],
                        attempt=row["attempts"],
                        attempt_of_round=row["attempts"] - row["attempts_before"],
                        sent=row["sent"],
                        requested_at=row["requested_at"],
                    )
                    for row in rows
                ],
                self._engine,
            )
