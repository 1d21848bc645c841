"""Deletes old jobs and dead letters."""

from typing import Final

from mousetrap.store.engine import Engine

# A source keeps its newest summary, however old: `GET /` goes on answering with it. The summary and
# the attempts of a job go with it. Locked rows are left for the next time.
_JOBS: Final = """
DELETE FROM job WHERE id IN (
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
)
RETURNING id
"""

_LETTERS: Final = """
DELETE FROM dead_letter WHERE id IN (
    SELECT id FROM dead_letter WHERE buried_at < now() - $1::float8 * interval '1 second'
    ORDER BY buried_at
    LIMIT $2
)
RETURNING id
"""


class RetentionStore:
    """The old rows of the open database, for the process worker alone."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def delete(self, *, older_than: float, limit: int) -> int:
        """Delete at most `limit` jobs that ended, and as many dead letters; return how many went.

        They are those of which the end is `older_than` seconds ago, the oldest first. Raises
        StoreUnavailableError or SchemaError.
        """
        jobs = await self._engine.fetch(_JOBS, older_than, limit)
        letters = await self._engine.fetch(_LETTERS, older_than, limit)
        return len(jobs) + len(letters)
