"""Follow-ups: the work of a stage on a stored summary."""

from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import msgspec

from mousetrap.jobs.job import Failure
from mousetrap.jobs.retry import RetryPolicy
from mousetrap.store.engine import Engine
from mousetrap.store.summaries import document_of
from mousetrap.store.text import storable

MOST: Final = 10_000
"""How far follow-ups are counted."""

# Any number of processes may run this at once: each skips the rows that another one has locked.
_DUE: Final = """
SELECT job_id, attempts, sent, source, coalesce(document, summary_document(summary)) AS document
FROM follow_up JOIN summary USING (job_id)
WHERE stage = $1 AND state = 'queued' AND due_at <= now()
ORDER BY due_at
LIMIT $2
FOR UPDATE OF follow_up SKIP LOCKED
"""

# Jitter spreads follow-ups that were checked together.
_LATER: Final = """
UPDATE follow_up SET due_at = now() + $1::float8 * (1 + random()) / 2 * interval '1 second'
WHERE stage = $2 AND job_id = ANY ($3)
"""

_SEND: Final = """
UPDATE follow_up
SET sent = true, attempts = sending.attempt,
    due_at = now() + sending.lease * interval '1 second'
FROM unnest($2::uuid[], $3::integer[], $4::float8[]) AS sending (id, attempt, lease)
WHERE stage = $1 AND job_id = sending.id
"""

_TAKE_BACK: Final = """
UPDATE follow_up
SET sent = false, due_at = now()
FROM unnest($2::uuid[], $3::integer[]) AS unsent (id, attempt)
WHERE stage = $1 AND job_id = unsent.id AND attempts = unsent.attempt AND state = 'queued'
"""

# Also when it is failed: what is done is done, whichever attempt did it.
_DONE: Final = """
UPDATE follow_up SET state = 'done', error_code = NULL, error_detail = NULL
WHERE job_id = $1 AND stage = $2 AND state <> 'done'
RETURNING job_id
"""

_WANTED: Final = """
SELECT failures FROM follow_up
WHERE job_id = $1 AND stage = $2 AND state = 'queued' AND attempts = $3
"""

# A failure counts for the newest attempt only, and once.
_FAIL: Final = """
UPDATE follow_up
SET state = CASE WHEN $5::float8 IS NULL THEN 'failed' ELSE state END,
    failures = failures + 1, attempts = attempts + ($5::float8 IS NOT NULL)::integer, sent = false,
    due_at = coalesce(now() + $5::float8 * interval '1 second', due_at),
    error_code = $6, error_detail = $7
WHERE job_id = $1 AND stage = $2 AND state = 'queued' AND attempts = $3
    AND failures = $4
RETURNING state
"""

# A clock that was set back, or ahead for a while, leaves times that no policy asks for.
# A worker of the stage chooses the delay after a failure, by a policy of its own. For the rest see
# the same statement of jobs.
_PULL_IN: Final = """
WITH given AS (
    SELECT $2::float8[] AS longest
)
UPDATE follow_up SET due_at = now() + ($2::float8[])[1] * interval '1 second'
WHERE (job_id, stage) IN (
    SELECT job_id, stage FROM follow_up, given
    WHERE stage = $1 AND state = 'queued'
        AND due_at > now() + ($2::float8[])[1] * interval '1 second'
        AND due_at > now() + interval '1 second' * (
            1 + longest[CASE
                WHEN failures > 0 AND NOT sent THEN cardinality(longest)
                ELSE least(attempts, cardinality(longest))
            END]
        )
    LIMIT $3
    FOR UPDATE OF follow_up SKIP LOCKED
)
RETURNING job_id
"""

_COUNT: Final = f"""
SELECT count(*) AS rows FROM (
    SELECT FROM follow_up WHERE stage = $1 AND state = $2 AND state <> 'done' LIMIT {MOST}
) AS found
"""  # noqa: S608 - made of constants


@dataclass(frozen=True, slots=True)
class FollowUp:
    """A follow-up that is due, with the number of its newest attempt and its summary.

    `sent` tells whether the message of that attempt was sent.
    """

    job_id: UUID
    attempt: int
    sent: bool
    source: str
    summary: dict[str, Any]


@dataclass(frozen=True, slots=True)
class FollowUpSending:
    """A message that is about to be sent, and the seconds until its lease expires."""

    follow_up: FollowUp
    attempt: int
    lease: float


@dataclass(frozen=True, slots=True)
class FollowUpClaim:
    """Locked due follow-ups. Changes made through it are committed at the end of the block."""

    follow_ups: Sequence[FollowUp]
    _stage: str
    _engine: Engine

    async def look_later(self, ids: Collection[UUID], seconds: float) -> None:
        """Leave follow-ups alone for at most so many seconds, and at least half as many."""
        if ids:
            await self._engine.fetch(_LATER, seconds, self._stage, list(ids))

    async def send(self, sendings: Collection[FollowUpSending]) -> None:
        """Record that messages are about to be sent."""
        if sendings:
            await self._engine.fetch(
                _SEND,
                self._stage,
                [it.follow_up.job_id for it in sendings],
                [it.attempt for it in sendings],
                [it.lease for it in sendings],
            )


class FollowUpStore:
    """The follow-ups of the open database. They are inserted together with their summary.

    Every method may be called any number of times, in any order, by any number of processes, and
    raises StoreUnavailableError or SchemaError.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @asynccontextmanager
    async def due(self, stage: str, limit: int) -> AsyncIterator[FollowUpClaim]:
        """Lock at most `limit` due follow-ups of a stage, those that have waited longest first.

        The end of the block commits their changes; nothing changes if the block raises.
        """
        async with self._engine.atomically():
            rows = await self._engine.fetch(_DUE, stage, limit)
            follow_ups = [
                FollowUp(
                    row["job_id"],
                    row["attempts"],
                    row["sent"],
                    row["source"],
                    msgspec.json.decode(document_of(row["job_id"], row["document"])),
                )
                for row in rows
            ]
            yield FollowUpClaim(follow_ups, stage, self._engine)

    async def pull_in(self, stage: str, longest: Sequence[float], limit: int) -> int:
        """Let at most `limit` follow-ups that wait too long wait as long as a first attempt may.

        `longest` has the seconds that each attempt may wait, the last those of all later ones.
        Return how many they were.
        """
        return len(await self._engine.fetch(_PULL_IN, stage, list(longest), limit))

    async def take_back(self, stage: str, sendings: Collection[FollowUpSending]) -> None:
        """Record that messages were not sent, so they are sent as soon as possible."""
        ids = [it.follow_up.job_id for it in sendings]
        await self._engine.fetch(_TAKE_BACK, stage, ids, [it.attempt for it in sendings])

    async def is_wanted(self, job_id: UUID, stage: str, *, attempt: int) -> bool:
        """Return whether an attempt is the newest one of a follow-up that has not ended."""
        return bool(await self._engine.fetch(_WANTED, job_id, stage, attempt))

    async def done(self, job_id: UUID, stage: str) -> bool:
        """Record that a follow-up is done; return False when it was done before, or is unknown."""
        return bool(await self._engine.fetch(_DONE, job_id, stage))

    async def failed(  # noqa: PLR0913 - each is a plain fact about the attempt
        self,
        job_id: UUID,
        stage: str,
        failure: Failure,
        *,
        attempt: int,
        retryable: bool,
        policy: RetryPolicy,
    ) -> bool | None:
        """Record why an attempt failed.

        Return whether `policy` grants another one; None when it comes late and changes nothing.
        """
        rows = await self._engine.fetch(_WANTED, job_id, stage, attempt)
        if not rows:
            return None
        failures = rows[0]["failures"]
        delay = policy.delay(failures + 1, retryable=retryable)
        code, detail = storable(failure.code), storable(failure.detail)
        changed = await self._engine.fetch(
            _FAIL, job_id, stage, attempt, failures, delay, code, detail
        )
        return delay is not None if changed else None

    async def count(self, stage: str, state: str) -> int:
        """Return how many follow-ups of a stage are `queued` or `failed`, counting up to MOST."""
        [row] = await self._engine.fetch(_COUNT, stage, state)
        rows: int = row["rows"]
        return rows
