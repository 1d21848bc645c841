"""What comes of attempts: summary or failure and the job's state, all at once or never."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from mousetrap.geo.point import Point
from mousetrap.geo.summary import Summary
from mousetrap.jobs.job import Failure
from mousetrap.jobs.retry import RetryPolicy
from mousetrap.jobs.state import State, predecessors
from mousetrap.store import geojson
from mousetrap.store.errors import UnknownJobError
from mousetrap.store.tables import JobRow
from mousetrap.store.text import storable

# Each is one statement, hence one transaction: a second outcome for the job waits for the first
# one at the job's row, then finds it ended and changes nothing.
_SUCCEED: Final = """
WITH ended AS (
    UPDATE job
    SET state = {}, attempts = greatest(attempts, {}), fetched_at = {}, finished_at = now(),
        error_code = NULL, error_detail = NULL
    WHERE id = {} AND state = ANY ({}) AND attempts_before < {}
    RETURNING *
), summarised AS (
    INSERT INTO summary (
        job_id, sequence, source, requested_at, fetched_at, processed_at, point_count,
        centroid_lat, centroid_lon, most_northerly_lat, most_northerly_lon, most_northerly_name,
        west, south, east, north)
    SELECT id, sequence, source, requested_at, fetched_at, finished_at, {}::integer,
        {}::float8, {}::float8, {}::float8, {}::float8, {}::text,
        {}::float8, {}::float8, {}::float8, {}::float8
    FROM ended
    ON CONFLICT (job_id) DO NOTHING
), kept AS (
    INSERT INTO batch (job_id, geojson) SELECT id, {}::json FROM ended
    ON CONFLICT (job_id) DO NOTHING
)
SELECT id FROM ended
"""

_ROUND: Final = "SELECT state, attempts, attempts_before FROM job WHERE id = {}"

_FAIL: Final = """
WITH ended AS (
    UPDATE job SET state = {}, finished_at = {}, error_code = {}, error_detail = {}
    WHERE id = {} AND state = ANY ({}) AND attempts = {}
    RETURNING *
), attempted AS (
    INSERT INTO attempt (job_id, number, failed_at, error_code, error_detail)
    SELECT id, attempts, finished_at, error_code, error_detail FROM ended
    ON CONFLICT (job_id, number) DO NOTHING
)
SELECT id FROM ended
"""

# The next attempt is counted at once: what is still to come of this one is late.
_TRY_AGAIN: Final = """
WITH waiting AS (
    UPDATE job
    SET attempts = attempts + 1, sent = false, due_at = now() + {}::float8 * interval '1 second'
    WHERE id = {} AND state = 'queued' AND attempts = {}
    RETURNING *
)
INSERT INTO attempt (job_id, number, failed_at, error_code, error_detail)
SELECT id, attempts - 1, {}::timestamptz, {}::text, {}::text FROM waiting
ON CONFLICT (job_id, number) DO NOTHING
RETURNING job_id
"""


class Change(StrEnum):
    """What an outcome did to its job."""

    ENDED = "ended"
    WAITS = "waits for another attempt"
    NONE = "changed nothing: it came late"


class OutcomeStore:
    """The outcomes of attempts, for the process worker alone.

    Every method may be called any number of times, in any order, by any number of processes. The
    first success that is committed ends its job, whichever attempt of the round it is of; a failure
    counts for the newest attempt only, and once. What comes after that, or is of an earlier round,
    changes nothing. Both raise UnknownJobError, StoreUnavailableError or SchemaError. In names,
    codes and details U+FFFD stands for NUL and lone surrogates, which Postgres does not take.
    """

    async def succeed(
        self,
        job_id: UUID,
        *,
        attempt: int,
        fetched_at: datetime,
        summary: Summary,
        points: Sequence[Point],
    ) -> Change:
        """Store the summary of a job and the batch that it is of."""
        text = await asyncio.to_thread(geojson.encode, points, summary.bbox)
        rows = await JobRow.raw(
            _SUCCEED,
            *(State.SUCCEEDED.value, attempt, fetched_at),
            *(job_id, _before(State.SUCCEEDED), attempt),
            *_columns(summary),
            text,
        )
        if rows:
            return Change.ENDED
        await self._round(job_id)
        return Change.NONE

    async def fail(  # noqa: PLR0913 - each is a plain fact about the attempt
        self,
        job_id: UUID,
        failure: Failure,
        *,
        attempt: int | None,
        at: datetime,
        retryable: bool,
        policy: RetryPolicy,
    ) -> Change:
        """Store why an attempt failed; the job fails with it unless `policy` grants another one.

        Without a number it is the newest attempt.
        """
        row = await self._round(job_id)
        newest = row["attempts"]
        if row["state"] != State.QUEUED or (attempt is not None and attempt < newest):
            return Change.NONE
        delay = policy.delay(newest - row["attempts_before"], retryable=retryable)
        error = storable(failure.code), storable(failure.detail)
        if delay is None:
            ended = (State.FAILED.value, at, *error, job_id, _before(State.FAILED), newest)
            return Change.ENDED if await JobRow.raw(_FAIL, *ended) else Change.NONE
        waits = await JobRow.raw(_TRY_AGAIN, delay, job_id, newest, at, *error)
        return Change.WAITS if waits else Change.NONE

    async def _round(self, job_id: UUID) -> dict[str, Any]:
        rows = await JobRow.raw(_ROUND, job_id)
        if not rows:
            raise UnknownJobError(
                f"there is no job {job_id}: it was deleted, or belongs to another database"
            )
        row: dict[str, Any] = rows[0]
        return row


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
