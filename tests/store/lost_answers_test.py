"""The answer of Postgres to a commit is lost, or comes too late."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from chaos.proxy import Proxy, behind
from mousetrap.jobs.job import Job
from mousetrap.jobs.state import State
from mousetrap.store.database import Database
from mousetrap.store.errors import OutcomeUnknownError, StoreUnavailableError
from support.postgres import DEADLINE, Connection
from support.samples import fail, submitted

type Far = tuple[Database, Proxy]


@pytest.fixture
async def far(migrated_dsn: str) -> AsyncIterator[Far]:
    """The database behind a proxy."""
    async with (
        behind(migrated_dsn) as (proxy, dsn),
        Database(dsn, pool_size=1, deadline=1.0) as database,
    ):
        yield database, proxy


async def submit(database: Database, key: str | None) -> Job:
    return (await database.jobs.submit("demo", key)).job


@pytest.mark.parametrize("key", [None, "tuesday"])
async def test_a_job_whose_answer_is_lost_is_accepted_once(
    far: Far, side: Connection, key: str | None
) -> None:
    remote, proxy = far
    await submit(remote, key and "monday")  # prepares the statement
    lost = proxy.lose_next_answer()

    job = await submit(remote, key)

    assert lost.is_set()
    assert await side.fetchval("SELECT count(*) FROM job") == 2
    assert await side.fetchval("SELECT count(*) FROM job WHERE id = $1", job.id) == 1


async def test_a_job_whose_answer_does_not_come_may_be_stored(far: Far, side: Connection) -> None:
    remote, proxy = far
    await submit(remote, None)
    proxy.answers_pass.clear()

    with pytest.raises(OutcomeUnknownError) as caught:
        await submit(remote, None)

    assert await side.fetchval("SELECT count(*) FROM job WHERE id = $1", caught.value.job_id) == 1


async def test_a_job_that_postgres_has_not_seen_is_certainly_not_stored(
    far: Far, side: Connection
) -> None:
    remote, proxy = far
    proxy.block()

    with pytest.raises(StoreUnavailableError) as caught:
        await submit(remote, "tuesday")

    assert not isinstance(caught.value, OutcomeUnknownError)
    proxy.cut()
    assert await side.fetchval("SELECT count(*) FROM job") == 0


async def failed(database: Database) -> Job:
    job = await submitted(database)
    await fail(database, job.id)
    return job


async def test_a_retry_whose_answer_is_lost_is_done_once(far: Far, database: Database) -> None:
    remote, proxy = far
    await remote.jobs.retry((await failed(database)).id)  # prepares the statements
    job = await failed(database)
    found = remote.jobs.find
    lost = asyncio.Event()

    async def find(_: object) -> Job | None:
        nonlocal lost
        before = await found(job.id)
        lost = proxy.lose_next_answer()
        return before

    remote.jobs.find = find  # type: ignore[method-assign,assignment]
    async with asyncio.timeout(DEADLINE):
        retried = await remote.jobs.retry(job.id)

    assert lost.is_set()
    assert (retried.id, retried.state, retried.attempts) == (job.id, State.QUEUED, 2)
    after = await database.jobs.find(job.id)
    assert after == retried


async def test_a_retry_whose_answer_does_not_come_may_be_done(far: Far, database: Database) -> None:
    remote, proxy = far
    await remote.jobs.retry((await failed(database)).id)
    job = await failed(database)
    found = remote.jobs.find

    async def find(_: object) -> Job | None:
        before = await found(job.id)
        proxy.answers_pass.clear()
        return before

    remote.jobs.find = find  # type: ignore[method-assign,assignment]
    with pytest.raises(OutcomeUnknownError) as caught:
        await remote.jobs.retry(job.id)

    assert caught.value.job_id == job.id
    after = await database.jobs.find(job.id)
    assert after
    assert after.state is State.QUEUED
