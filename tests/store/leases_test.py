"""Jobs whose time has come, and what is told of them."""

import asyncio
from uuid import UUID

import pytest

from mousetrap.jobs.job import Failure
from mousetrap.jobs.state import State
from mousetrap.store.database import Database
from mousetrap.store.leases import DueJob, Sending
from mousetrap.store.outcomes import Change
from support.postgres import Connection
from support.samples import fail, submitted, succeed

LOST = Failure("lost", "look at Redis")


async def due(database: Database, limit: int = 10) -> list[DueJob]:
    async with database.leases.due(limit) as claim:
        return list(claim.jobs)


async def make_due(side: Connection, job_id: UUID) -> None:
    await side.execute("UPDATE job SET due_at = now() WHERE id = $1", job_id)


async def test_a_job_is_due_when_its_lease_has_run_out_and_not_before(
    database: Database, side: Connection
) -> None:
    job = await submitted(database)
    assert await due(database) == []

    await make_due(side, job.id)

    assert await due(database) == [
        DueJob(job.id, "demo", 1, 1, sent=True, requested_at=job.requested_at)
    ]


async def test_a_job_that_has_ended_is_never_due(database: Database, side: Connection) -> None:
    done, failed = await submitted(database), await submitted(database)
    await succeed(database, done.id)
    await fail(database, failed.id)
    for job in (done, failed):
        await make_due(side, job.id)

    assert await due(database) == []


async def test_those_that_have_waited_longest_come_first(
    database: Database, side: Connection
) -> None:
    jobs = [await submitted(database) for _ in range(3)]
    for job in reversed(jobs):
        await make_due(side, job.id)

    assert [job.id for job in await due(database, 2)] == [jobs[2].id, jobs[1].id]


async def test_nobody_else_finds_what_is_held(database: Database, side: Connection) -> None:
    jobs = [await submitted(database) for _ in range(2)]
    for job in jobs:
        await make_due(side, job.id)
    async with database.leases.due(1) as claim:
        others = await asyncio.create_task(due(database))
        assert {job.id for job in [*claim.jobs, *others]} == {job.id for job in jobs}
        assert len(others) == 1
    assert len(await due(database)) == 2


async def test_what_is_told_in_a_block_that_raises_has_not_happened(
    database: Database, side: Connection
) -> None:
    job = await submitted(database)
    await make_due(side, job.id)

    async def give_up_and_raise() -> None:
        async with database.leases.due(1) as claim:
            await claim.give_up([job.id], LOST)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await give_up_and_raise()
    assert await database.jobs.find(job.id) == job


async def test_a_lost_attempt_is_remembered_and_followed_by_another(
    database: Database, side: Connection
) -> None:
    job = await submitted(database)
    await make_due(side, job.id)
    async with database.leases.due(1) as claim:
        await claim.lose([job.id], LOST)
        await claim.send([Sending(job.id, "demo", 2, 60, job.requested_at)])

    found = await database.jobs.find(job.id)
    assert found
    assert (found.state, found.attempts) == (State.QUEUED, 2)
    [attempt] = await database.jobs.failed_attempts(job.id)
    assert (attempt.number, attempt.failure) == (1, LOST)
    assert await due(database) == []


async def test_a_job_that_is_given_up_fails_with_the_reason(
    database: Database, side: Connection
) -> None:
    job = await submitted(database)
    await make_due(side, job.id)
    async with database.leases.due(1) as claim:
        await claim.give_up([job.id], LOST)

    found = await database.jobs.find(job.id)
    assert found
    assert (found.state, found.failure) == (State.FAILED, LOST)


async def test_a_failure_that_may_pass_is_followed_by_another_attempt(database: Database) -> None:
    job = await submitted(database)

    assert await fail(database, job.id, retryable=True) is Change.WAITS

    async with asyncio.timeout(5):
        while not (jobs := await due(database)):  # noqa: ASYNC110 - it sends no signal
            await asyncio.sleep(0.01)
    assert jobs == [DueJob(job.id, "demo", 2, 2, sent=False, requested_at=job.requested_at)]


async def test_the_last_attempt_that_fails_ends_the_job_and_all_are_remembered(
    database: Database,
) -> None:
    job = await submitted(database)
    changes = [
        await fail(database, job.id, Failure("gone", str(number)), attempt=number, retryable=True)
        for number in (1, 2, 3)
    ]

    assert changes == [Change.WAITS, Change.WAITS, Change.ENDED]
    found = await database.jobs.find(job.id)
    assert found
    assert (found.state, found.failure) == (State.FAILED, Failure("gone", "3"))
    attempts = await database.jobs.failed_attempts(job.id)
    assert [(it.number, it.failure.detail) for it in attempts] == [(1, "1"), (2, "2"), (3, "3")]


async def test_a_late_failure_changes_nothing(database: Database) -> None:
    job = await submitted(database)
    await fail(database, job.id, retryable=True)

    assert await fail(database, job.id, retryable=False) is Change.NONE

    found = await database.jobs.find(job.id)
    assert found
    assert (found.state, found.attempts) == (State.QUEUED, 2)
    assert len(await database.jobs.failed_attempts(job.id)) == 1


async def test_a_late_success_still_counts_within_its_round(database: Database) -> None:
    job = await submitted(database)
    await fail(database, job.id, retryable=True)

    assert await succeed(database, job.id, attempt=1) is Change.ENDED


async def test_an_attempt_of_an_earlier_round_changes_nothing(database: Database) -> None:
    job = await submitted(database)
    await fail(database, job.id)
    retried = await database.jobs.retry(job.id)

    assert await succeed(database, job.id, attempt=1) is Change.NONE
    assert await fail(database, job.id, attempt=1) is Change.NONE

    assert await database.jobs.find(job.id) == retried
    assert await succeed(database, job.id, attempt=2) is Change.ENDED


async def test_a_job_that_is_retried_has_all_its_attempts_again(database: Database) -> None:
    job = await submitted(database)
    await fail(database, job.id)
    await database.jobs.retry(job.id)

    changes = [await fail(database, job.id, attempt=number, retryable=True) for number in (2, 3, 4)]

    assert changes == [Change.WAITS, Change.WAITS, Change.ENDED]
    numbers = [it.number for it in await database.jobs.failed_attempts(job.id)]
    assert numbers == [1, 2, 3, 4]
