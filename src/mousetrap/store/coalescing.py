"""Coalesces refreshes: a refresh joins a queued job of its source that no worker has begun."""

import asyncio
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from mousetrap.jobs.identity import new_id
from mousetrap.store import replication
from mousetrap.store.engine import Engine
from mousetrap.store.errors import StoreUnavailableError
from mousetrap.store.jobs import Submission, check_key, check_source, job_of, known_as

LOOKED_AT: Final = 100
"""The most queued jobs that a refresh looks at, the newest first."""

KEYS: Final = 10_000
"""The most requests with a key that join a job; the next one makes another job."""

JOINED_FOR: Final = "30 minutes"
"""How long after its request a job may be joined; marks of begun jobs are kept for longer."""

# Materialized, so that no plan walks the whole history of a source in search of a queued job.
_WAITING: Final = f"""
waiting AS MATERIALIZED (
    SELECT id, source, sequence, attempts, attempts_before FROM job
    WHERE state = 'queued' AND requested_at > now() - interval '{JOINED_FOR}'
)
"""  # noqa: S608 - made of constants

_QUEUED: Final = f"""
WITH {_WAITING}
SELECT * FROM waiting WHERE source = $1 ORDER BY sequence DESC LIMIT $2
"""  # noqa: S608 - made of constants

# A statement of its own, so that the next one sees what the holder before has committed. The key is
# locked too, since another source may get it at the same time; NULL locks nothing.
LOCK: Final = f"""
SELECT pg_advisory_xact_lock(hashtextextended('mousetrap refresh ' || $1, 0)),
    pg_advisory_xact_lock(hashtextextended('mousetrap key ' || $2::text, 0)),
    {replication.AWAIT}
"""
"""Held while a refresh of the source $1 with the key $2, or NULL, joins a job or makes one."""

_SUBMIT: Final = f"""
WITH known AS (
    SELECT id, false AS coalesced FROM job WHERE idempotency_key = $3
    UNION ALL
    SELECT job_id, true FROM joined_key WHERE idempotency_key = $3
), {_WAITING}, newest AS MATERIALIZED (
    SELECT id FROM waiting
    WHERE source = $2 AND id <> ALL ($5::uuid[]) AND sequence >= $6
    AND NOT EXISTS (SELECT FROM known)
    ORDER BY sequence DESC
    LIMIT 1
), joined AS (
    SELECT id FROM newest WHERE $3::text IS NULL
    OR NOT EXISTS (SELECT FROM joined_key WHERE job_id = newest.id OFFSET $8 - 1)
), recorded AS (
    INSERT INTO joined_key (idempotency_key, job_id)
    SELECT $3, id FROM joined WHERE $3::text IS NOT NULL
    ON CONFLICT DO NOTHING
    RETURNING job_id
), made AS (
    INSERT INTO job (id, source, idempotency_key, due_at)
    SELECT $1::uuid, $2::text, $3::text, now() + $4::float8 * interval '1 second'
    WHERE $7 AND NOT EXISTS (SELECT FROM known) AND NOT EXISTS (SELECT FROM joined)
    ON CONFLICT DO NOTHING
    RETURNING *
)
SELECT job.*, known.coalesced, true AS repeated FROM job JOIN known USING (id)
UNION ALL SELECT job.*, true, false FROM job JOIN joined USING (id)
WHERE $3 IS NULL OR EXISTS (SELECT FROM recorded)
UNION ALL SELECT made.*, false, false FROM made
"""  # noqa: S608 - made of constants


@dataclass(frozen=True, slots=True)
class Queued:
    """The attempts of the present round of the queued jobs of a source, the newest job first.

    No job before the sequence `floor` may be joined. Outcomes of earlier rounds change nothing.
    """

    attempts: Mapping[UUID, Sequence[int]]
    floor: int


class CoalescingStore:
    """Refreshes of the sources that coalesce; `lease` as in JobStore.

    A refresh first asks for the `queued` jobs, then finds out which of them have begun, and then
    submits. A job queued in between cannot have begun before the refresh arrived. Both methods
    raise StoreUnavailableError or SchemaError.
    """

    def __init__(self, engine: Engine, lease: float) -> None:
        self._engine = engine
        self._lease = lease
        # A refresh that waits for the lock of a source holds a connection, so only one waits.
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def queued(self, source: str) -> Queued:
        """Return the queued jobs of a source."""
        rows = await self._engine.fetch(_QUEUED, source, LOOKED_AT)
        floor = rows[-1]["sequence"] if len(rows) == LOOKED_AT else 0
        attempts = {
            row["id"]: range(row["attempts_before"] + 1, row["attempts"] + 1) for row in rows
        }
        return Queued(attempts, floor)

    async def submit(
        self,
        source: str,
        idempotency_key: str | None,
        *,
        begun: Collection[UUID],
        floor: int,
        may_accept: bool,
    ) -> Submission | None:
        """Join the newest queued job that is not among those `begun`, or accept another one.

        Committed on return. A repeated key returns the job that it was first used for. Once KEYS
        keys have joined a job, only requests without a key may join it. Unless it `may_accept`
        one, returns None when there is none to join. Raises what JobStore.submit does.
        """
        check_key(idempotency_key)
        job_id = new_id()
        with known_as(job_id):
            async with self._engine.guard() as turn:
                turn.sent = False  # neither a turn nor a lock stores anything
                async with self._turns[source], self._engine.atomically() as call:
                    call.sent = False
                    await self._engine.fetch(LOCK, source, idempotency_key)
                    turn.sent = call.sent = True
                    rows: Sequence[Mapping[str, Any]] = await self._engine.fetch(
                        *(_SUBMIT, job_id, source, idempotency_key, self._lease),
                        *(list(begun), floor, may_accept, KEYS),
                    )
        if rows:
            job = check_source(job_of(rows[0]), source)
            facts = {it: rows[0][it] for it in ("coalesced", "repeated")}
            return Submission(job, created=job.id == job_id, **facts)
        if may_accept:
            raise StoreUnavailableError(
                "the idempotency key was used elsewhere at the same time: try again"
            )
        return None
