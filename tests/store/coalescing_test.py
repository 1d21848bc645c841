"""Refreshes of one source at the same time are one job, whatever keys they have."""

import asyncio
from collections.abc import Collection
from uuid import UUID

import pytest

from mousetrap.jobs.state import State
from mousetrap.queue.begun import KEPT
from mousetrap.store import coalescing
from mousetrap.store.database import Database
from mousetrap.store.errors import (
    IdempotencyConflictError,
    IdempotencyKeyError,
    StoreUnavailableError,
)
from mousetrap.store.jobs import Submission
from support.postgres import Connection, until
from support.samples import fail, several, submitted, succeed

BLOCKED = """
EXISTS (SELECT FROM pg_stat_activity WHERE pg_backend_pid() = ANY (pg_blocking_pids(pid)))
"""
"""Whether a session waits for the one that asks."""


async def refresh(
    database: Database,
    key: str | None = None,
    *,
    source: str = "demo",
    begun: Collection[UUID] = (),
    may_accept: bool = True,
) -> Submission:
    """Submit as the API does, when these jobs have begun."""
    queued = await database.coalescing.queued(source)
    found = await database.coalescing.submit(
        source, key, begun=begun, floor=queued.floor, may_accept=may_accept
    )
    assert found is not None
    return found


async def test_many_at_the_same_time_are_one_job(database: Database, side: Connection) -> None:
    found = await asyncio.gather(*(refresh(database) for _ in range(20)))

    assert await side.fetchval("SELECT count(*) FROM job") == 1
    assert len({it.job.id for it in found}) == 1
    assert [it.created for it in found].count(True) == 1
    assert all(it.coalesced is not it.created for it in found)


async def test_those_who_wait_for_a_source_leave_connections_to_others(
    database: Database, side: Connection
) -> None:
    async with side.transaction():
        await side.execute(coalescing.LOCK, "demo", None)
        waiting = [asyncio.create_task(refresh(database)) for _ in range(20)]
        await until(side, BLOCKED)
        assert (await refresh(database, source="other")).created
        assert await database.jobs.page(limit=10)
    assert len({it.job.id for it in await asyncio.gather(*waiting)}) == 1


async def test_a_wait_for_a_source_ends(migrated_dsn: str, side: Connection) -> None:
    async with Database(migrated_dsn, deadline=0.5) as database, side.transaction():
        await side.execute(coalescing.LOCK, "demo", None)
        waiting = [asyncio.create_task(refresh(database)) for _ in range(3)]
        found = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(it) for it in found] == [StoreUnavailableError] * 3


async def test_many_with_keys_are_one_job_and_remember_it(database: Database) -> None:
    keys = [f"key {number % 10}" for number in range(20)]
    found = await asyncio.gather(*(refresh(database, key) for key in keys))
    assert [it.repeated for it in found].count(True) == 10
    assert len({it.job.id for it in found}) == 1
    [job_id] = {it.job.id for it in found}
    await succeed(database, job_id)

    again = await asyncio.gather(*(refresh(database, key) for key in keys))

    assert {it.job.id for it in again} == {job_id}
    assert not any(it.created for it in again)
    assert all(it.repeated for it in again)
    assert [it.coalesced for it in again].count(False) == 2  # those of the key that made it


async def test_a_job_that_has_begun_is_not_joined_nor_one_that_has_ended(
    database: Database,
) -> None:
    first = (await refresh(database)).job
    second = (await refresh(database, begun=[first.id])).job
    assert second.id != first.id
    assert (await refresh(database, begun=[first.id])).job.id == second.id
    await succeed(database, second.id)
    assert (await refresh(database, begun=[first.id])).created


async def test_a_source_joins_its_own_jobs_only(database: Database) -> None:
    first = (await refresh(database)).job
    assert (await refresh(database, source="other")).job.id != first.id


async def test_a_job_that_is_retried_is_joined(database: Database) -> None:
    job = (await refresh(database)).job
    await fail(database, job.id)
    assert (await database.jobs.retry(job.id)).state is State.QUEUED
    assert (await database.coalescing.queued("demo")).attempts == {job.id: range(2, 3)}
    assert (await refresh(database)).job.id == job.id


async def test_a_job_whose_mark_of_a_begin_may_have_expired_is_not_joined(
    database: Database, side: Connection
) -> None:
    job = (await refresh(database)).job
    await side.execute(
        "UPDATE job SET requested_at = requested_at - $1::float8 * interval '1 second'", KEPT
    )
    assert (await database.coalescing.queued("demo")).attempts == {}
    assert (await refresh(database)).job.id != job.id


async def test_where_no_job_may_be_accepted_one_is_joined_or_none(database: Database) -> None:
    assert (
        await database.coalescing.submit("demo", None, begun=(), floor=0, may_accept=False)
    ) is None
    job = await submitted(database)
    assert (await refresh(database, may_accept=False)).job.id == job.id


async def test_jobs_that_are_older_than_those_looked_at_are_not_joined(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(coalescing, "LOOKED_AT", 2)
    _, *looked_at = await several(database, 3)
    queued = await database.coalescing.queued("demo")
    assert queued.attempts == {it: range(1, 2) for it in looked_at}
    assert (await refresh(database, begun=looked_at)).created


async def test_a_key_belongs_to_one_job_whichever_way_it_came(database: Database) -> None:
    first = await refresh(database, "first")
    joined = await refresh(database, "joined")
    assert joined.job.id == first.job.id

    assert (await database.jobs.submit("demo", "joined")).job.id == first.job.id
    assert (await database.jobs.submit("demo", "first")).job.id == first.job.id
    for key in ("first", "joined"):
        with pytest.raises(IdempotencyConflictError, match="use another key"):
            await database.jobs.submit("other", key)
        with pytest.raises(IdempotencyConflictError, match="use another key"):
            await refresh(database, key, source="other")
    with pytest.raises(IdempotencyKeyError):
        await refresh(database, "")


async def test_a_job_with_many_keys_is_joined_by_requests_without_one_only(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(coalescing, "KEYS", 2)
    full = [await refresh(database, key) for key in ("made", "first", "second")]
    assert [it.coalesced for it in full] == [False, True, True]
    assert (await refresh(database)).coalesced
    none = await database.coalescing.submit("demo", "third", begun=(), floor=0, may_accept=False)
    assert none is None

    assert (await refresh(database, "third")).created
    assert (await refresh(database, "fourth")).coalesced
    assert (await refresh(database, "second")).job.id == full[0].job.id


async def test_a_key_that_another_source_gets_at_the_same_time_belongs_to_one_job(
    database: Database,
) -> None:
    """Whether a request joins a job, as those of one of these sources do, or makes one."""
    await refresh(database)
    for number in range(20):
        queued = await database.coalescing.queued("other")
        found = await asyncio.gather(
            refresh(database, f"key {number}"),
            refresh(database, f"key {number}", source="other", begun=queued.attempts),
            return_exceptions=True,
        )
        assert {type(it) for it in found} == {IdempotencyConflictError, Submission}


async def test_a_request_whose_key_was_not_noted_has_not_joined(
    database: Database, side: Connection
) -> None:
    await refresh(database)
    other = await submitted(database, "other")
    async with side.transaction():  # as a process of the version before, which locks no keys
        await side.execute("INSERT INTO joined_key VALUES ('key', $1)", other.id)
        refreshing = asyncio.create_task(refresh(database, "key"))
        await until(side, BLOCKED)

    with pytest.raises(StoreUnavailableError, match="try again"):
        await refreshing
    with pytest.raises(IdempotencyConflictError):
        await refresh(database, "key")


async def test_its_keys_go_with_a_job(database: Database, side: Connection) -> None:
    await refresh(database, "first")
    await refresh(database, "joined")
    await side.execute("DELETE FROM job")
    assert await side.fetchval("SELECT count(*) FROM joined_key") == 0
    assert (await refresh(database, "joined")).created
