"""How jobs end: the summary or the failure, the job's state and a notice, all at once or never."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from mousetrap.geo.point import Point
from mousetrap.geo.summary import Summary
from mousetrap.jobs.job import Failure
from mousetrap.jobs.state import State, predecessors
from mousetrap.store import geojson
from mousetrap.store.errors import UnknownJobError
from mousetrap.store.tables import JobRow
from mousetrap.store.text import storable

# Where a notice goes for every job that ends: {"job_id", "sequence", "source", "state"} as JSON.
CHANNEL: Final = "mousetrap_jobs"

# Each is one statement, hence one transaction: a second outcome for the job waits for the first
# one at the job's row, then finds it ended and changes nothing.
_NOTIFY: Final = f"""
SELECT pg_notify('{CHANNEL}', json_build_object(
    'job_id', id, 'sequence', sequence, 'source', source, 'state', state)::text)
FROM ended
"""  # noqa: S608 - made of constants

_SUCCEED: Final = f"""
WITH ended AS (
    UPDATE job
    SET state = {{}}, attempts = greatest(attempts, {{}}), fetched_at = {{}}, finished_at = now(),
        error_code = NULL, error_detail = NULL
    WHERE id = {{}} AND state = ANY ({{}})
    RETURNING *
), summarised AS (
    INSERT INTO summary (
        job_id, sequence, source, requested_at, fetched_at, processed_at, point_count,
        centroid_lat, centroid_lon, most_northerly_lat, most_northerly_lon, most_northerly_name,
        west, south, east, north)
    SELECT id, sequence, source, requested_at, fetched_at, finished_at, {{}}::integer,
        {{}}::float8, {{}}::float8, {{}}::float8, {{}}::float8, {{}}::text,
        {{}}::float8, {{}}::float8, {{}}::float8, {{}}::float8
    FROM ended
    ON CONFLICT (job_id) DO NOTHING
), kept AS (
    INSERT INTO batch (job_id, geojson) SELECT id, {{}}::json FROM ended
    ON CONFLICT (job_id) DO NOTHING
)
{_NOTIFY}
"""  # noqa: S608 - made of constants

_FAIL: Final = f"""
WITH ended AS (
    UPDATE job SET state = {{}}, finished_at = {{}}, error_code = {{}}, error_detail = {{}}
    WHERE id = {{}} AND state = ANY ({{}})
    RETURNING *
)
{_NOTIFY}
"""  # noqa: S608 - made of constants


class OutcomeStore:
    """The outcomes of jobs, for the process worker alone.

    Both methods may be called any number of times, in any order, by any number of processes: the
    first one that is committed ends the job, the others return False. Both raise UnknownJobError,
    StoreUnavailableError or SchemaError. In names, codes and details U+FFFD stands for NUL and
    lone surrogates, which Postgres does not take.
    """

    async def succeed(
        self,
        job_id: UUID,
        *,
        attempt: int,
        fetched_at: datetime,
        summary: Summary,
        points: Sequence[Point],
    ) -> bool:
        """Store the summary of a job and the batch that it is of; False if the job had ended."""
        text = await asyncio.to_thread(geojson.encode, points, summary.bbox)
        rows = await JobRow.raw(
            _SUCCEED,
            *(State.SUCCEEDED.value, attempt, fetched_at, job_id, _before(State.SUCCEEDED)),
            *_columns(summary),
            text,
        )
        return bool(rows) or await self._has_ended(job_id)

    async def fail(self, job_id: UUID, failure: Failure, *, at: datetime) -> bool:
        """Store why a job has no summary; False if the job had ended."""
        rows = await JobRow.raw(
            _FAIL,
            *(State.FAILED.value, at, storable(failure.code), storable(failure.detail)),
            *(job_id, _before(State.FAILED)),
        )
        return bool(rows) or await self._has_ended(job_id)

    async def _has_ended(self, job_id: UUID) -> bool:
        if not await JobRow.exists().where(JobRow.id == job_id):
            raise UnknownJobError(
                f"there is no job {job_id}: it was deleted, or belongs to another database"
            )
        return False


def _before(state: State) -> list[str]:
    return sorted(predecessors(state))


def _columns(summary: Summary) -> tuple[Any, ...]:
    centroid, north, bbox = summary.centroid, summary.most_northerly, summary.bbox
    return (
        summary.count,
        *((None, None) if centroid is None else (centroid.lat, centroid.lon)),
        *(north.lat, north.lon, None if north.name is None else storable(north.name)),
        *(bbox.west, bbox.south, bbox.east, bbox.north),
    )
