"""What comes of attempts: summary or failure and the job's state, all at once or never."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from mousetrap.concurrency.group_commit import GroupCommit
from mousetrap.geo.bounds import BoundingBox
from mousetrap.geo.point import Point
from mousetrap.geo.summary import Summary
from mousetrap.jobs.job import Failure
from mousetrap.jobs.retry import RetryPolicy
from mousetrap.jobs.state import State, predecessors
from mousetrap.store import geojson
from mousetrap.store.engine import ENGINE
from mousetrap.store.errors import UnknownJobError, UnstorableValueError
from mousetrap.store.tables import JobRow
from mousetrap.store.text import storable

# Each is one statement, hence one transaction: a second outcome for the job waits for the first
# one at the job's row, then finds it ended and changes nothing.
_SUCCEED: Final = """
WITH given AS (
    SELECT * FROM unnest(
        {}::uuid[], {}::integer[], {}::timestamptz[], {}::integer[],
        {}::float8[], {}::float8[], {}::float8[], {}::float8[], {}::text[],
        {}::float8[], {}::float8[], {}::float8[], {}::float8[], {}::text[]
    ) AS given (
        id, attempt, fetched_at, point_count,
        centroid_lat, centroid_lon, most_northerly_lat, most_northerly_lon, most_northerly_name,
        west, south, east, north, geojson)
), mine AS (
    SELECT id, state, attempts_before FROM job WHERE id = ANY ({}) FOR NO KEY UPDATE%s
), ended AS (
    UPDATE job
    SET state = {}, attempts = greatest(attempts, given.attempt), fetched_at = given.fetched_at,
        finished_at = now(), error_code = NULL, error_detail = NULL
    FROM given JOIN mine USING (id)
    WHERE job.id = given.id AND mine.state = ANY ({}) AND mine.attempts_before < given.attempt
    RETURNING job.*
), summarised AS (
    INSERT INTO summary (
        job_id, sequence, source, requested_at, fetched_at, processed_at, point_count,
        centroid_lat, centroid_lon, most_northerly_lat, most_northerly_lon, most_northerly_name,
        west, south, east, north)
    SELECT id, sequence, source, requested_at, ended.fetched_at, finished_at, point_count,
        centroid_lat, centroid_lon, most_northerly_lat, most_northerly_lon, most_northerly_name,
        west, south, east, north
    FROM ended JOIN given USING (id)
    ON CONFLICT (job_id) DO NOTHING
), kept AS (
    INSERT INTO batch (job_id, geojson) SELECT id, geojson::json FROM ended JOIN given USING (id)
    ON CONFLICT (job_id) DO NOTHING
)
SELECT id FROM ended
"""
_PARAMETERS: Final = tuple(f"${number}" for number in range(1, _SUCCEED.count("{}") + 1))
_SUCCEED_ALONE: Final = (_SUCCEED % "").format(*_PARAMETERS)
# Nobody waits in a group for a row that is locked, so groups cannot lock each other out.
_SUCCEED_TOGETHER: Final = (_SUCCEED % " SKIP LOCKED").format(*_PARAMETERS)

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


FEW: Final = 1000
"""Points of which the text is made on the event loop, which takes half a millisecond."""

MAX_GROUP: Final = 4 * 1024 * 1024
"""The most characters of batches that are stored together."""


class Change(StrEnum):
    """What an outcome did to its job."""

    ENDED = "ended"
    WAITS = "waits for another attempt"
    NONE = "changed nothing: it came late"


@dataclass(frozen=True, slots=True)
class _Success:
    job_id: UUID
    attempt: int
    fetched_at: datetime
    summary: Summary
    text: str


class OutcomeStore:
    """The outcomes of attempts, for the process worker alone.

    Every method may be called any number of times, in any order, by any number of processes. The
    first success that is committed ends its job, whichever attempt of the round it is of; a failure
    counts for the newest attempt only, and once. What comes after that, or is of an earlier round,
    changes nothing. What succeeds at the same time is stored together, in one transaction. Both
    raise UnknownJobError, StoreUnavailableError or SchemaError. In names, codes and details U+FFFD
    stands for NUL and lone surrogates, which Postgres does not take.
    """

    def __init__(self) -> None:
        self._successes = GroupCommit(_succeed, weight=MAX_GROUP)

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
        success = _Success(job_id, attempt, fetched_at, summary, await _text(points, summary.bbox))
        if await self._successes.submit(success, weight=len(success.text)):
            return Change.ENDED
        # It came late; or its row was locked, or one of its group cannot be stored.
        if await ENGINE.fetch(_SUCCEED_ALONE, *_arguments([success])):
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


async def _text(points: Sequence[Point], bbox: BoundingBox) -> str:
    if len(points) <= FEW:
        return geojson.encode(points, bbox)
    return await asyncio.to_thread(geojson.encode, points, bbox)


async def _succeed(successes: Sequence[_Success]) -> list[bool]:
    """Store those that can be stored together, of each job the first; return which ones were."""
    chosen = {it.job_id: it for it in reversed(successes)}
    try:
        rows = await ENGINE.fetch(_SUCCEED_TOGETHER, *_arguments(list(chosen.values())))
    except UnstorableValueError:
        return [False] * len(successes)
    ended = {row["id"] for row in rows}
    return [it.job_id in ended and chosen[it.job_id] is it for it in successes]


def _arguments(successes: Sequence[_Success]) -> tuple[Any, ...]:
    ids = [it.job_id for it in successes]
    attempts = [it.attempt for it in successes]
    fetched = [it.fetched_at for it in successes]
    columns = zip(*(_columns(it.summary) for it in successes), strict=True)
    texts = [it.text for it in successes]
    ended = (State.SUCCEEDED.value, _before(State.SUCCEEDED))
    return (ids, attempts, fetched, *map(list, columns), texts, ids, *ended)


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
