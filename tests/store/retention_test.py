"""Rows that are deleted once they are old, and rows that stay for ever."""

from dataclasses import replace

import pytest

from mousetrap.store import retention
from mousetrap.store.database import Database
from support import samples
from support.postgres import Connection
from support.samples import LETTER, fail, submitted, succeed, succeeded

DAY = 86_400.0


async def age(side: Connection) -> None:
    await side.execute("UPDATE job SET finished_at = finished_at - interval '2 days'")
    await side.execute("UPDATE dead_letter SET buried_at = buried_at - interval '2 days'")


async def test_old_jobs_go_with_all_that_belongs_to_them(
    database: Database, side: Connection
) -> None:
    old, failed = await succeeded(database), await submitted(database)
    await fail(database, failed.id)
    await database.dead_letters.keep([LETTER])
    await age(side)
    newest = await succeeded(database)

    assert await database.retention.delete(older_than=DAY, limit=10) == 3

    assert [job.id for job in await database.jobs.page(limit=10)] == [newest.id]
    assert await database.summaries.find(old.id) is None
    assert await samples.points(database, old.id) is None
    assert await database.jobs.failed_attempts(failed.id) == []
    assert await database.dead_letters.page(limit=10) == []


async def test_the_newest_summary_of_a_source_stays_however_old_it_is(
    database: Database, side: Connection
) -> None:
    await succeeded(database)
    kept = [await succeeded(database), await succeeded(database, "earthquakes")]
    await age(side)

    assert await database.retention.delete(older_than=DAY, limit=10) == 1

    for job in kept:
        newest = await database.summaries.newest(job.source)
        assert newest
        assert newest.job_id == job.id


async def test_a_queued_job_stays_however_old_it_is(database: Database, side: Connection) -> None:
    job = await submitted(database)
    await side.execute("UPDATE job SET requested_at = requested_at - interval '1 year'")

    assert await database.retention.delete(older_than=0, limit=10) == 0

    assert await database.jobs.find(job.id)


async def test_the_keys_of_a_job_go_before_it_and_not_all_at_once(
    database: Database, side: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "KEYS", 2)
    for keys, end in ((0, fail), (3, fail), (6, succeed)):
        job = await submitted(database)
        await side.execute(
            "INSERT INTO joined_key SELECT $1::text || n, $2 FROM generate_series(1, $3) AS n",
            *(f"{job.id} ", job.id, keys),
        )
        await end(database, job.id)

    deleted = [await database.retention.delete(older_than=0, limit=10) for _ in range(4)]

    assert deleted == [1 + 2, 1, 1, 0]
    kept = await side.fetchval("SELECT count(*) FROM joined_key WHERE job_id = $1", job.id)
    assert kept == 6  # those of the job with the newest summary, which stays too


async def test_no_more_is_deleted_at_a_time_than_is_asked_for(database: Database) -> None:
    for _ in range(4):
        await succeeded(database)
    await database.dead_letters.keep([replace(LETTER, id=f"{n}-0") for n in range(3)])

    deleted = [await database.retention.delete(older_than=0, limit=2) for _ in range(3)]

    assert deleted == [4, 2, 0]
