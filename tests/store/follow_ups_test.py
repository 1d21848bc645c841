"""Follow-ups of summaries: noted with them, then due, done or failed."""

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID, uuid4

import asyncpg
import pytest

from mousetrap.jobs.retry import RetryPolicy
from mousetrap.store.database import Database
from mousetrap.store.errors import StoreError
from mousetrap.store.follow_ups import FollowUp, FollowUpSending
from support.postgres import Connection
from support.samples import FAILURE, POLICY, SUMMARY, document, fail, submitted, succeed, succeeded

STAGE = "alert"


@pytest.fixture
async def database(migrated_dsn: str) -> AsyncIterator[Database]:
    async with Database(migrated_dsn, followed_by=[STAGE, "archive"]) as found:
        yield found


async def due(database: Database, stage: str = STAGE) -> list[FollowUp]:
    async with database.follow_ups.due(stage, 10) as claim:
        return list(claim.follow_ups)


async def failed(
    database: Database,
    job_id: UUID,
    *,
    attempt: int = 1,
    retryable: bool = True,
    policy: RetryPolicy = POLICY,
) -> bool | None:
    return await database.follow_ups.failed(
        job_id, STAGE, FAILURE, attempt=attempt, retryable=retryable, policy=policy
    )


async def test_every_summary_has_a_follow_up_for_each_stage(database: Database) -> None:
    job = await succeeded(database)
    await succeed(database, job.id, attempt=2)

    for stage in (STAGE, "archive"):
        [found] = await due(database, stage)
        assert (found.job_id, found.attempt, found.sent, found.source) == (job.id, 1, False, "demo")
        assert document(SUMMARY).items() <= found.summary.items()
        assert "version" not in found.summary


async def test_a_job_that_failed_has_none(database: Database, side: Connection) -> None:
    await fail(database, (await submitted(database)).id)

    assert await side.fetchval("SELECT count(*) FROM follow_up") == 0


async def test_without_a_stage_that_follows_nothing_is_noted(
    migrated_dsn: str, side: Connection
) -> None:
    async with Database(migrated_dsn) as database:
        await succeeded(database)

    assert await side.fetchval("SELECT count(*) FROM follow_up") == 0


async def test_there_is_no_summary_without_its_follow_up(
    database: Database, side: Connection
) -> None:
    job = await submitted(database)
    await side.execute("ALTER TABLE follow_up ADD CONSTRAINT none CHECK (stage <> 'alert')")

    with pytest.raises(StoreError):
        await succeed(database, job.id)

    assert await side.fetchval("SELECT count(*) FROM summary") == 0
    assert await database.jobs.find(job.id) == job


async def test_a_kill_before_the_commit_leaves_neither_and_after_it_both(
    database: Database, migrated_dsn: str, side: Connection
) -> None:
    job = await submitted(database)
    # Held up at its last row, so that it is killed with everything else done.
    await side.execute("BEGIN; LOCK TABLE follow_up IN SHARE MODE")
    storing = asyncio.create_task(succeed(database, job.id))
    other = await asyncpg.connect(migrated_dsn, timeout=10, command_timeout=30)
    try:
        killed = False
        async with asyncio.timeout(30):
            while not killed:
                killed = await other.fetchval(
                    "SELECT bool_or(pg_terminate_backend(pid)) FROM pg_locks"
                    " WHERE relation = 'follow_up'::regclass AND NOT granted"
                )
        assert await other.fetchval("SELECT count(*) FROM summary") == 0
    finally:
        await other.close(timeout=10)
    await side.execute("COMMIT")

    await storing  # the engine tries once more

    assert [it.job_id for it in await due(database)] == [job.id]


async def test_replicas_find_different_follow_ups(database: Database) -> None:
    jobs = [await succeeded(database) for _ in range(2)]
    async with database.follow_ups.due(STAGE, 1) as claim:
        others = await asyncio.create_task(due(database))
        assert {it.job_id for it in [*claim.follow_ups, *others]} == {job.id for job in jobs}


async def test_one_that_was_sent_is_due_when_its_lease_has_run_out(
    database: Database, side: Connection
) -> None:
    await succeeded(database)
    async with database.follow_ups.due(STAGE, 10) as claim:
        [found] = claim.follow_ups
        await claim.send([FollowUpSending(found, 1, 60.0)])
    assert await due(database) == []

    await side.execute("UPDATE follow_up SET due_at = now()")

    [again] = await due(database)
    assert (again.attempt, again.sent) == (1, True)


async def test_what_was_not_sent_is_due_at_once(database: Database) -> None:
    await succeeded(database)
    async with database.follow_ups.due(STAGE, 10) as claim:
        [found] = claim.follow_ups
        sendings = [FollowUpSending(found, 1, 60.0)]
        await claim.send(sendings)

    await database.follow_ups.take_back(STAGE, sendings)

    assert await due(database) == [found]


async def test_one_that_is_done_stays_so(database: Database) -> None:
    job = await succeeded(database)

    assert await database.follow_ups.done(job.id, STAGE)

    assert not await database.follow_ups.done(job.id, STAGE)
    assert await failed(database, job.id) is None
    assert not await database.follow_ups.is_wanted(job.id, STAGE, attempt=1)
    assert await due(database) == []
    assert await database.follow_ups.is_wanted(job.id, "archive", attempt=1)


async def test_a_failure_backs_off_and_the_last_one_is_the_end(
    database: Database, side: Connection
) -> None:
    job = await succeeded(database)
    for attempt in (1, 2):
        assert await failed(database, job.id, attempt=attempt)
        assert await side.fetchval("SELECT due_at > now() FROM follow_up WHERE stage = $1", STAGE)

    assert await failed(database, job.id, attempt=3) is False

    row = await side.fetchrow("SELECT * FROM follow_up WHERE stage = $1", STAGE)
    assert row
    assert (row["state"], row["failures"]) == ("failed", 3)
    assert (row["error_code"], row["error_detail"]) == (FAILURE.code, FAILURE.detail)
    assert await database.follow_ups.count(STAGE, "failed") == 1
    assert await database.follow_ups.count(STAGE, "queued") == 0


async def test_what_cannot_be_helped_is_not_tried_again(database: Database) -> None:
    job = await succeeded(database)

    assert await failed(database, job.id, attempt=1, retryable=False) is False


async def test_a_failure_counts_once(database: Database, side: Connection) -> None:
    job = await succeeded(database)

    told = await asyncio.gather(*(failed(database, job.id) for _ in range(5)))

    assert sorted(told, key=bool) == [None, None, None, None, True]
    assert await side.fetchval("SELECT failures FROM follow_up WHERE stage = $1", STAGE) == 1


async def test_an_attempt_is_wanted_until_another_follows(database: Database) -> None:
    job = await succeeded(database)
    assert await database.follow_ups.is_wanted(job.id, STAGE, attempt=1)

    await failed(database, job.id)

    assert not await database.follow_ups.is_wanted(job.id, STAGE, attempt=1)
    assert await database.follow_ups.is_wanted(job.id, STAGE, attempt=2)


async def test_an_unknown_one_is_neither_wanted_nor_changed(database: Database) -> None:
    assert not await database.follow_ups.is_wanted(uuid4(), STAGE, attempt=1)
    assert not await database.follow_ups.done(uuid4(), STAGE)
    assert await failed(database, uuid4()) is None


async def test_it_goes_with_its_job(database: Database, side: Connection) -> None:
    job = await succeeded(database)

    await side.execute("DELETE FROM job WHERE id = $1", job.id)

    assert await side.fetchval("SELECT count(*) FROM follow_up") == 0


async def test_looking_later_leaves_it_alone_for_a_while(database: Database) -> None:
    job = await succeeded(database)
    async with database.follow_ups.due(STAGE, 10) as claim:
        await claim.look_later([job.id], 60.0)

    assert await due(database) == []
