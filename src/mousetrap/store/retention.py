"""Deletes old jobs and dead letters."""

from typing import Final

from mousetrap.store.engine import Engine

# A source keeps its newest summary, however old: `GET /` goes on answering with it. The summary and
# the attempts of a job go with it. Locked rows are left for the next time.
#
# The keys of a job go first, in rounds of their own: it may have so many that one statement, with
# the cascade, would never end in time. No job goes that has keys when the round begins. They are
# found by ctid, since looking each up in its index is slow; the lock of their job keeps them.
_JOBS: Final = """
WITH old AS (
    SELECT id FROM job
    WHERE state <> 'queued' AND finished_at < now() - $1::float8 * interval '1 second'
    AND NOT EXISTS (
        SELECT FROM summary WHERE summary.job_id = job.id AND NOT EXISTS (
            SELECT FROM summary AS newer
            WHERE newer.source = summary.source AND newer.sequence > summary.sequence
        )
    )
    ORDER BY finished_at
    LIMIT $2
    FOR UPDATE SKIP LOCKED
), forgotten AS (
    DELETE FROM joined_key WHERE ctid = ANY (ARRAY(
        SELECT it.ctid FROM old CROSS JOIN LATERAL (
            SELECT ctid FROM joined_key WHERE job_id = old.id LIMIT $3
        ) AS it
        LIMIT $3
    ))
    RETURNING 1
), deleted AS (
    DELETE FROM job WHERE id IN (SELECT id FROM old)
    AND NOT EXISTS (SELECT FROM joined_key WHERE job_id = job.id)
    RETURNING 1
)
SELECT * FROM forgotten UNION ALL SELECT * FROM deleted
"""

_LETTERS: Final = """
DELETE FROM dead_letter WHERE id IN (
    SELECT id FROM dead_letter WHERE buried_at < now() - $1::float8 * interval '1 second'
    ORDER BY buried_at
    LIMIT $2
)
RETURNING id
"""

KEYS: Final = 10_000
"""The most idempotency keys that are deleted at a time."""


class RetentionStore:
    """The old rows of the open database, for the process worker alone."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def delete(self, *, older_than: float, limit: int) -> int:
        """Delete at most `limit` jobs that ended, and as many dead letters; return the rows gone.

        They are those of which the end is `older_than` seconds ago, the oldest first. Keys of
        requests that joined these jobs count as rows, and go in earlier calls than their job. Until
        a call returns 0, there may be more. Raises StoreUnavailableError or SchemaError.
        """
        jobs = await self._engine.fetch(_JOBS, older_than, limit, KEYS)
        letters = await self._engine.fetch(_LETTERS, older_than, limit)
        return len(jobs) + len(letters)
