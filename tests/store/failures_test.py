"""Failures that are stored at the same time count as if each had been alone."""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from typing import Any
from uuid import UUID, uuid4

import pytest

from mousetrap.jobs.job import FailedAttempt, Failure
from mousetrap.jobs.state import State
from mousetrap.store.database import Database
from mousetrap.store.errors import UnknownJobError, UnstorableValueError
from mousetrap.store.outcomes import Change, OutcomeStore
from support.postgres import Connection
from support.samples import FAILED_AT, FAILURE, POLICY, fail, several, succeed

JOBS = 30


def _together(
    outcomes: OutcomeStore,
    job_ids: Sequence[UUID],
    *,
    at: datetime = FAILED_AT,
    retryable: bool = False,
) -> "asyncio.Future[list[Any]]":
    return asyncio.gather(
        *(
            outcomes.fail(job_id, FAILURE, attempt=1, at=at, retryable=retryable, policy=POLICY)
            for job_id in job_ids
        ),
        return_exceptions=True,
    )


async def test_each_has_an_attempt_and_an_end_of_its_own(database: Database) -> None:
    jobs = await several(database, JOBS)
    failures = [Failure(f"code-{number}", f"for reason {number}") for number in range(JOBS)]

    changes = await asyncio.gather(
        *(
            fail(database, job_id, failure, retryable=number % 2 == 0)
            for number, (job_id, failure) in enumerate(zip(jobs, failures, strict=True))
        )
    )

    assert changes == [Change.WAITS, Change.ENDED] * (JOBS // 2)
    for job_id, failure, change in zip(jobs, failures, changes, strict=True):
        job = await database.jobs.find(job_id)
        assert job
        [attempt] = await database.jobs.failed_attempts(job_id)
        assert attempt == FailedAttempt(1, job.requested_at, failure)
        if change is Change.WAITS:
            assert (job.state, job.attempts, job.failure) == (State.QUEUED, 2, None)
            assert job.finished_at is None
        else:
            assert (job.state, job.attempts, job.failure) == (State.FAILED, 1, failure)
            assert job.finished_at


@pytest.mark.parametrize("retryable", [True, False])
async def test_of_two_failures_of_an_attempt_at_once_one_counts(
    database: Database, *, retryable: bool
) -> None:
    [job_id, other] = await several(database, 2)

    changes = await _together(
        database.outcomes, [job_id, other, job_id, job_id], retryable=retryable
    )

    counted = Change.WAITS if retryable else Change.ENDED
    assert sorted(changes) == sorted([counted] * 2 + [Change.NONE] * 2)
    assert len(await database.jobs.failed_attempts(job_id)) == 1


async def test_successes_in_the_opposite_order_do_not_lock_them_out(
    database: Database,
) -> None:
    for _ in range(5):
        jobs = await several(database, JOBS)
        successes = asyncio.gather(*(succeed(database, job_id) for job_id in jobs))
        one = await _together(OutcomeStore(database.engine), jobs[::-1])
        for failed, succeeded in zip(one[::-1], await successes, strict=True):
            assert {failed, succeeded} == {Change.ENDED, Change.NONE}


async def test_nobody_waits_for_the_row_of_another(database: Database, side: Connection) -> None:
    locked, *free = await several(database, 5)
    async with asyncio.TaskGroup() as group, side.transaction():
        await side.execute("SELECT FROM job WHERE id = $1 FOR UPDATE", locked)
        waiting = group.create_task(fail(database, locked))
        assert await _together(database.outcomes, free) == [Change.ENDED] * 4
        assert not waiting.done()
    assert waiting.result() is Change.ENDED


async def test_who_cannot_be_stored_takes_nobody_along(database: Database) -> None:
    guilty, *innocent = await several(database, 4)
    westernmost = timezone(-timedelta(hours=14))

    [failed], changes, [unknown] = await asyncio.gather(
        _together(database.outcomes, [guilty], at=datetime.max.replace(tzinfo=westernmost)),
        _together(database.outcomes, innocent),
        _together(database.outcomes, [uuid4()]),
    )

    assert isinstance(failed, UnstorableValueError)
    assert changes == [Change.ENDED] * 3
    assert isinstance(unknown, UnknownJobError)


async def test_of_two_attempts_at_once_the_newest_counts(
    database: Database, side: Connection
) -> None:
    [job_id] = await several(database, 1)
    await side.execute("UPDATE job SET attempts = 2 WHERE id = $1", job_id)

    changes = await asyncio.gather(
        *(fail(database, job_id, attempt=attempt, retryable=True) for attempt in (1, 2, 1))
    )

    assert changes == [Change.NONE, Change.WAITS, Change.NONE]
    assert [it.number for it in await database.jobs.failed_attempts(job_id)] == [2]
