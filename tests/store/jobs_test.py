import asyncio
from collections.abc import Sequence
from datetime import UTC, timedelta
from typing import Any
from uuid import uuid4

import pytest

from mousetrap.jobs.job import Job
from mousetrap.jobs.state import State
from mousetrap.store import jobs as jobs_module
from mousetrap.store.database import Database
from mousetrap.store.errors import (
    IdempotencyConflictError,
    IdempotencyKeyError,
    StoreUnavailableError,
    TooManyRetriesError,
    UnstorableValueError,
)
from mousetrap.store.jobs import Submission
from support.postgres import Connection, statements
from support.samples import fail, submitted, succeed, succeeded

NEVER_INSERT = """
CREATE FUNCTION never() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE TRIGGER never BEFORE INSERT ON job FOR EACH ROW EXECUTE FUNCTION never()
"""


def _ids(jobs: Sequence[Job]) -> list[object]:
    return [job.id for job in jobs]


async def test_a_submitted_job_is_queued_and_committed(
    database: Database, side: Connection
) -> None:
    submission = await database.jobs.submit("earthquakes", None)
    row = await side.fetchrow("SELECT * FROM job")
    assert row
    now = await side.fetchval("SELECT now()")
    job = submission.job
    assert submission.created
    assert job == Job(job.id, job.sequence, "earthquakes", State.QUEUED, 1, job.requested_at)
    assert (row["id"], row["sequence"], row["state"]) == (job.id, job.sequence, "queued")
    assert job.requested_at.tzinfo is UTC
    assert timedelta() < now - job.requested_at < timedelta(minutes=1)
    assert await database.jobs.find(job.id) == job


async def test_jobs_are_numbered_in_the_order_of_their_acceptance(database: Database) -> None:
    jobs = [await submitted(database) for _ in range(5)]
    assert sorted(jobs, key=lambda job: job.sequence) == jobs
    assert len({job.sequence for job in jobs}) == 5


async def test_a_repeated_key_answers_with_the_same_job(database: Database) -> None:
    for key in ("k", "K", "ключ 🐭", "k" * 255, "k" * 254, "' OR 1=1 --", "{}"):
        first = await database.jobs.submit("demo", key)
        assert first.created
        again = await database.jobs.submit("demo", key)
        assert not first.repeated
        assert again == Submission(first.job, created=False, repeated=True)


async def test_a_repeated_key_tells_how_its_job_fares(database: Database) -> None:
    job = (await database.jobs.submit("demo", "key")).job
    await fail(database, job.id)
    assert (await database.jobs.submit("demo", "key")).job.state is State.FAILED


async def test_jobs_without_a_key_are_all_different(database: Database) -> None:
    submissions = [await database.jobs.submit("demo", None) for _ in range(3)]
    assert len({submission.job.id for submission in submissions}) == 3


async def test_a_key_is_for_one_source_only(database: Database) -> None:
    await database.jobs.submit("demo", "key")
    with pytest.raises(IdempotencyConflictError, match="use another key for 'earthquakes'"):
        await database.jobs.submit("earthquakes", "key")
    assert len(await database.jobs.page(limit=10)) == 1


async def test_what_cannot_be_a_key_is_refused(database: Database) -> None:
    for key in ("", "k" * 256, "a\0b", "\ud800"):
        with pytest.raises(IdempotencyKeyError, match="1 to 255 characters"):
            await database.jobs.submit("demo", key)
    assert await database.jobs.page(limit=10) == []


async def test_one_key_at_once_makes_one_job(database: Database, side: Connection) -> None:
    for round_ in range(10):
        calls = [database.jobs.submit("demo", f"key {round_}") for _ in range(20)]
        submissions = await asyncio.gather(*calls)
        assert len({submission.job for submission in submissions}) == 1
        assert [submission.created for submission in submissions].count(True) == 1
    assert await side.fetchval("SELECT count(*) FROM job") == 10


async def test_a_key_waits_for_the_transaction_that_holds_it(
    database: Database, side: Connection
) -> None:
    transaction = side.transaction()
    await transaction.start()
    job_id = uuid4()
    await side.execute(
        "INSERT INTO job (id, source, idempotency_key) VALUES ($1, 'a', 'k')", job_id
    )
    submission = asyncio.create_task(database.jobs.submit("a", "k"))
    done, _ = await asyncio.wait([submission], timeout=0.1)
    assert not done
    await transaction.commit()
    assert (await submission).job.id == job_id


async def test_one_key_for_two_sources_at_once_is_a_conflict_for_one(database: Database) -> None:
    calls = [database.jobs.submit(source, "key") for source in ("demo", "earthquakes") * 5]
    results = await asyncio.gather(*calls, return_exceptions=True)
    conflicts = [result for result in results if isinstance(result, IdempotencyConflictError)]
    submissions = [result for result in results if isinstance(result, Submission)]
    assert len(conflicts) == len(submissions) == 5
    assert len({submission.job.id for submission in submissions}) == 1


async def test_jobs_at_once_are_each_accepted_in_the_order_in_which_they_came(
    database: Database, side: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = statements(monkeypatch)
    sources = [f"source-{number}" for number in range(50)]

    submissions = await asyncio.gather(*(database.jobs.submit(source) for source in sources))

    assert all(submission.created for submission in submissions)
    assert [submission.job.source for submission in submissions] == sources
    jobs = [submission.job for submission in submissions]
    assert sorted(jobs, key=lambda job: job.sequence) == jobs
    assert [row["id"] for row in await side.fetch("SELECT id FROM job ORDER BY sequence")] == [
        job.id for job in jobs
    ]
    assert len(sent) < 5


async def test_a_statement_that_is_sent_twice_accepts_once(
    database: Database, side: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = database.engine
    run = engine._run_in_pool  # noqa: SLF001 - the one way of all statements

    async def twice(query: str, args: Any = None) -> Any:
        await run(query, args)
        return await run(query, args)

    monkeypatch.setattr(engine, "_run_in_pool", twice)

    submissions = await asyncio.gather(*(database.jobs.submit("demo") for _ in range(3)))

    assert all(submission.created for submission in submissions)
    assert await side.fetchval("SELECT count(*) FROM job") == 3
    assert len({submission.job.id for submission in submissions}) == 3


async def test_who_has_no_key_does_not_wait_for_who_waits_for_one(
    database: Database, side: Connection
) -> None:
    async with side.transaction():
        await side.execute(
            "INSERT INTO job (id, source, idempotency_key) VALUES ($1, $2, $3)",
            uuid4(),
            "demo",
            "k",
        )
        waiting = asyncio.create_task(database.jobs.submit("demo", "k"))
        await asyncio.sleep(0.1)

        assert (await database.jobs.submit("demo")).created
        assert not waiting.done()
    assert not (await waiting).created


async def test_a_job_that_vanishes_meanwhile_is_to_be_tried_again(
    database: Database, side: Connection
) -> None:
    await side.execute(NEVER_INSERT)
    with pytest.raises(StoreUnavailableError, match="try again"):
        await database.jobs.submit("demo", "key")


async def test_a_job_that_is_not_there_is_none(database: Database) -> None:
    await submitted(database)
    assert await database.jobs.find(uuid4()) is None


async def test_a_job_of_a_version_that_noted_no_changes_is_found(
    database: Database, side: Connection
) -> None:
    job = await submitted(database)
    await side.execute("UPDATE job SET changed_at = '-infinity'")  # as the migration left it
    assert await database.jobs.find(job.id) == job


async def test_pages_are_newest_first_and_filtered(database: Database) -> None:
    queued = await submitted(database, "demo")
    done = await succeeded(database, "demo")
    failed = await submitted(database, "earthquakes")
    await fail(database, failed.id)
    page = database.jobs.page
    assert _ids(await page(limit=10)) == [failed.id, done.id, queued.id]
    assert _ids(await page(limit=2)) == [failed.id, done.id]
    assert _ids(await page(source="demo", limit=10)) == [done.id, queued.id]
    assert _ids(await page(state=State.SUCCEEDED, limit=10)) == [done.id]
    assert _ids(await page(state=State.QUEUED, source="demo", limit=10)) == [queued.id]
    assert _ids(await page(state=State.QUEUED, source="earthquakes", limit=10)) == []
    assert _ids(await page(before=failed.sequence, limit=10)) == [done.id, queued.id]
    assert _ids(await page(before=failed.sequence, source="demo", limit=1)) == [done.id]


async def test_pages_stand_still_while_jobs_are_accepted_and_end(database: Database) -> None:
    jobs = [await submitted(database) for _ in range(10)]
    seen: list[Job] = []
    before = None
    while page := await database.jobs.page(before=before, limit=3):
        seen += page
        before = page[-1].sequence
        await submitted(database)
        await succeed(database, page[0].id)
    assert _ids(seen) == _ids(jobs)[::-1]


async def test_what_no_job_can_have_is_said_to_be_wrong(database: Database) -> None:
    for before in (2**63, -(2**63) - 1):
        with pytest.raises(UnstorableValueError, match="correct the value"):
            await database.jobs.page(before=before, limit=1)
    for source in ("a\0b", "\ud800"):
        with pytest.raises(UnstorableValueError, match="correct the value"):
            await database.jobs.page(source=source, limit=1)


async def test_a_job_is_retried_so_often_and_no_more(
    database: Database, side: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs_module, "MAX_RETRIES", 2)
    job = await submitted(database)
    for attempt in (1, 2):
        await fail(database, job.id, attempt=attempt)
        await database.jobs.retry(job.id)
    await fail(database, job.id, attempt=3)

    with pytest.raises(TooManyRetriesError, match="was retried 2 times: correct"):
        await database.jobs.retry(job.id)

    found = await database.jobs.find(job.id)
    assert found
    assert (found.state, found.attempts) == (State.FAILED, 3)
    assert await side.fetchval("SELECT retries FROM job") == 2


async def test_only_the_last_failed_attempts_are_shown(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs_module, "SHOWN_ATTEMPTS", 2)
    job = await submitted(database)
    for attempt in (1, 2, 3):
        await fail(database, job.id, attempt=attempt)
        await database.jobs.retry(job.id)

    assert [it.number for it in await database.jobs.failed_attempts(job.id)] == [2, 3]
