"""What comes of attempts: summary or failure and the job's state, all at once or never."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
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
from mousetrap.store.summaries import DOCUMENT, encode
from mousetrap.store.text import storable

# An outcome is stored by one statement, hence in one transaction: a second outcome for the job
# waits for the first one at the job's row, or is stored after its group, then finds that the job
# has gone on and changes nothing.
_SUCCEED: Final = f"""
WITH given AS (
    SELECT * FROM unnest($1::uuid[], $2::integer[], $3::timestamptz[], $4::text[], $5::text[])
    AS given (id, attempt, fetched_at, summary, geojson)
), mine AS (
    SELECT id, state, attempts_before FROM job WHERE id = ANY ($1) FOR NO KEY UPDATE
), ended AS (
    UPDATE job
    SET state = $6, attempts = greatest(attempts, given.attempt), fetched_at = given.fetched_at,
        finished_at = now(), error_code = NULL, error_detail = NULL
    FROM given JOIN mine USING (id)
    WHERE job.id = given.id AND mine.state = ANY ($7) AND mine.attempts_before < given.attempt
    RETURNING job.*
), summarised AS (
    INSERT INTO summary (job_id, sequence, source, requested_at, document)
    SELECT id, sequence, source, requested_at, {DOCUMENT} FROM ended JOIN given USING (id)
    ON CONFLICT (job_id) DO NOTHING
), kept AS (
    INSERT INTO batch (job_id, geojson) SELECT id, geojson::json FROM ended JOIN given USING (id)
    ON CONFLICT (job_id) DO NOTHING
)
SELECT id FROM ended
"""  # noqa: S608 - made of constants
# Nobody waits in a group for a row that is locked, so groups cannot lock each other out.
_SUCCEED_TOGETHER: Final = _SUCCEED.replace("NO KEY UPDATE", "NO KEY UPDATE SKIP LOCKED")

_ROUNDS: Final = "SELECT id, state, attempts, attempts_before FROM job WHERE id = ANY ($1)"

# Whether there is a delay tells what is next. The next attempt is counted at once: what is still
# to come of this one is late.
_FAIL: Final = """
WITH given AS (
    SELECT * FROM unnest($1::uuid[], $2::integer[], $3::float8[], $4::timestamptz[], $5::text[],
        $6::text[])
    AS given (id, attempt, delay, failed_at, code, detail)
), mine AS (
    SELECT id, state, attempts FROM job WHERE id = ANY ($1) FOR NO KEY UPDATE%s
), failed AS (
    UPDATE job
    SET state = CASE WHEN delay IS NULL THEN $7 ELSE job.state END,
        finished_at = CASE WHEN delay IS NULL THEN failed_at END,
        error_code = CASE WHEN delay IS NULL THEN code END,
        error_detail = CASE WHEN delay IS NULL THEN detail END,
        attempts = job.attempts + (delay IS NOT NULL)::integer,
        sent = job.sent AND delay IS NULL,
        due_at = coalesce(now() + delay * interval '1 second', job.due_at)
    FROM given JOIN mine USING (id)
    WHERE job.id = given.id AND mine.state = ANY ($8) AND mine.attempts = given.attempt
    RETURNING job.id
), attempted AS (
    INSERT INTO attempt (job_id, number, failed_at, error_code, error_detail)
    SELECT id, attempt, failed_at, code, detail FROM failed JOIN given USING (id)
    ON CONFLICT (job_id, number) DO NOTHING
)
SELECT id FROM failed
"""
_FAIL_ALONE: Final = _FAIL % ""
_FAIL_TOGETHER: Final = _FAIL % " SKIP LOCKED"

FEW: Final = 1000
"""Points of which the text is made on the event loop, which takes half a millisecond."""

MAX_GROUP: Final = 4 * 1024 * 1024
"""The most characters of batches, or of what failures say in detail, that are stored together."""


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
    summary: str
    points: str


@dataclass(frozen=True, slots=True)
class _Failed:
    """An attempt that failed, by its number or as the newest one."""

    job_id: UUID
    attempt: int | None
    at: datetime
    failure: Failure
    retryable: bool
    policy: RetryPolicy


@dataclass(frozen=True, slots=True)
class _Verdict:
    """What is to become of a job: another attempt after a `delay` in seconds, or the end."""

    failed: _Failed
    attempt: int
    delay: float | None

    @property
    def change(self) -> Change:
        return Change.ENDED if self.delay is None else Change.WAITS


class OutcomeStore:
    """The outcomes of attempts, for the process worker alone.

    Every method may be called any number of times, in any order, by any number of processes. The
    first success that is committed ends its job, whichever attempt of the round it is of; a failure
    counts for the newest attempt only, and once. What comes after that, or is of an earlier round,
    changes nothing. What succeeds at the same time is stored together, in one transaction, and so
    is what fails. Both raise UnknownJobError, StoreUnavailableError or SchemaError. In names, codes
    and details U+FFFD stands for NUL and lone surrogates, which Postgres does not take.
    """

    def __init__(self) -> None:
        self._successes = GroupCommit(_succeed, weight=MAX_GROUP)
        self._failures = GroupCommit(_fail, weight=MAX_GROUP)

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
        text = await _text(points, summary.bbox)
        success = _Success(job_id, attempt, fetched_at, encode(summary), text)
        if await self._successes.submit(success, weight=len(text)):
            return Change.ENDED
        # It came late; or its row was locked, or one of its group cannot be stored.
        if await ENGINE.fetch(_SUCCEED, *_arguments([success])):
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
        failed = _Failed(job_id, attempt, at, failure, retryable, policy)
        change = await self._failures.submit(failed, weight=len(failure.detail))
        if change is not None:
            return change
        # It was not the only one of its job; or its row was locked, there is none, or one of its
        # group cannot be stored.
        verdict = _judge(failed, await self._round(job_id))
        if verdict and await ENGINE.fetch(_FAIL_ALONE, *_facts([verdict])):
            return verdict.change
        return Change.NONE

    async def _round(self, job_id: UUID) -> Mapping[str, Any]:
        rows: list[Mapping[str, Any]] = await ENGINE.fetch(_ROUNDS, [job_id])
        if not rows:
            raise UnknownJobError(
                f"there is no job {job_id}: it was deleted, or belongs to another database"
            )
        return rows[0]


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


async def _fail(failures: Sequence[_Failed]) -> list[Change | None]:
    """Store those that can be stored together, of each job the first; return what came of them.

    Nothing is told of those that are left for another time.
    """
    rounds = await ENGINE.fetch(_ROUNDS, [it.job_id for it in failures])
    firsts = {it.job_id: it for it in reversed(failures)}
    # By identity: what was delivered twice is equal.
    changes: dict[int, Change] = {}
    verdicts = []
    for row in rounds:
        first = firsts[row["id"]]
        verdict = _judge(first, row)
        if verdict is None:
            changes[id(first)] = Change.NONE
        else:
            verdicts.append(verdict)
    if verdicts:
        with suppress(UnstorableValueError):
            stored = {row["id"] for row in await ENGINE.fetch(_FAIL_TOGETHER, *_facts(verdicts))}
            kept = [it for it in verdicts if it.failed.job_id in stored]
            changes |= {id(it.failed): it.change for it in kept}
    return [changes.get(id(it)) for it in failures]


def _judge(failed: _Failed, row: Mapping[str, Any]) -> _Verdict | None:
    """Return what is to become of a job; nothing if the failure comes late."""
    newest = row["attempts"]
    if row["state"] != State.QUEUED or (failed.attempt is not None and failed.attempt < newest):
        return None
    delay = failed.policy.delay(newest - row["attempts_before"], retryable=failed.retryable)
    return _Verdict(failed, newest, delay)


def _facts(verdicts: Sequence[_Verdict]) -> tuple[Any, ...]:
    failures = [it.failed for it in verdicts]
    return (
        [it.job_id for it in failures],
        [it.attempt for it in verdicts],
        [it.delay for it in verdicts],
        [it.at for it in failures],
        [storable(it.failure.code) for it in failures],
        [storable(it.failure.detail) for it in failures],
        State.FAILED.value,
        _before(State.FAILED),
    )


def _arguments(successes: Sequence[_Success]) -> tuple[Any, ...]:
    return (
        [it.job_id for it in successes],
        [it.attempt for it in successes],
        [it.fetched_at for it in successes],
        [it.summary for it in successes],
        [it.points for it in successes],
        State.SUCCEEDED.value,
        _before(State.SUCCEEDED),
    )


def _before(state: State) -> list[str]:
    return sorted(predecessors(state))
