"""Notices of Postgres about jobs, none of which is left out."""

import asyncio
import json
import os
import signal
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import pytest

from mousetrap.jobs.job import Failure, Job
from mousetrap.jobs.state import State
from mousetrap.runtime.supervision import Supervisor, Watcher
from mousetrap.stack import servers as stack_servers
from mousetrap.stack.folder import Folder
from mousetrap.store import notices
from mousetrap.store.database import Database
from mousetrap.store.errors import ReplayTooLongError, StoreError, StoreUnavailableError
from mousetrap.store.jobs import JobChange, JobStore
from mousetrap.store.leases import Sending
from mousetrap.store.notices import Gap, Notice, SummariesChanged, SummaryAdded
from mousetrap.store.schema.migrations import migrate
from mousetrap.telemetry.health import Health
from support.postgres import DEADLINE, Connection, cut_unnoticed
from support.samples import FAILURE, fail, submitted, succeed, succeeded

INSERT = "INSERT INTO job (id, source) VALUES ($1, 'demo')"
INSERT_MANY = """
INSERT INTO job (id, source) SELECT gen_random_uuid(), 'demo' FROM generate_series(1, $1)
"""
FAIL = """
UPDATE job SET state = 'failed', finished_at = now(), error_code = 'x', error_detail = $2
WHERE id = $1
"""
NOTIFY = "SELECT pg_notify('mousetrap_jobs', $1)"
CHANGED = "SELECT changed_at FROM job WHERE id = $1"
LISTENING = """
SELECT pid FROM pg_stat_activity
WHERE datname = current_database() AND application_name LIKE '%notices'
"""


class Ear:
    """A subscriber that remembers."""

    def __init__(self) -> None:
        self.heard: list[Notice] = []
        self._news = asyncio.Event()

    def hear(self, notice: Notice) -> None:
        self.heard.append(notice)
        self._news.set()

    @property
    def jobs(self) -> list[Job]:
        return [notice.job for notice in self.heard if isinstance(notice, JobChange)]

    async def until(self, wanted: Callable[[], Any]) -> None:
        async with asyncio.timeout(DEADLINE):
            while not wanted():
                self._news.clear()
                await self._news.wait()

    async def job(self, job_id: UUID, **wanted: Any) -> Job:
        """Return a job once it was told that it is so."""

        def told() -> list[Job]:
            return [
                job
                for job in self.jobs
                if job.id == job_id and all(getattr(job, k) == wanted[k] for k in wanted)
            ]

        await self.until(told)
        return told()[0]


@asynccontextmanager
async def hearing(database: Database) -> AsyncIterator[Ear]:
    ear = Ear()
    database.notices.subscribe(ear.hear)
    async with watching(database):
        await heard(database)
        yield ear


@asynccontextmanager
async def watching(database: Database) -> AsyncIterator[Health]:
    """Listen as the API does, again after every trouble."""
    health = Health({})
    watcher = Watcher("notices", "listening to Postgres", database.notices.watch)
    outages = (StoreUnavailableError,)
    async with Supervisor(
        health, watchers=[watcher], expected=(StoreError,), outages=outages
    ).running():
        yield health


async def heard(database: Database, *, within: float = 1.0) -> None:
    """Wait until Postgres is heard."""
    async with asyncio.timeout(DEADLINE):
        while database.notices.age > within:  # noqa: ASYNC110 - it does not say when
            await asyncio.sleep(0.01)


async def silent(database: Database) -> None:
    """Wait until Postgres has not been heard for too long."""
    async with asyncio.timeout(DEADLINE):
        limit = notices.PING_PERIOD + notices.PING_DEADLINE
        while database.notices.age < limit:  # noqa: ASYNC110 - it does not say when
            await asyncio.sleep(0.01)


@pytest.fixture
async def ear(database: Database) -> AsyncIterator[Ear]:
    async with hearing(database) as found:
        yield found


async def test_every_change_is_told_with_the_job_as_it_is(database: Database, ear: Ear) -> None:
    async def told(job_id: UUID, **wanted: Any) -> None:
        assert await ear.job(job_id, **wanted) == await database.jobs.find(job_id)

    job = await submitted(database)
    await told(job.id, state=State.QUEUED)
    await succeed(database, job.id)
    await told(job.id, state=State.SUCCEEDED)

    other = await submitted(database, "earthquakes")
    await fail(database, other.id, retryable=True)
    await told(other.id, attempts=2)
    await fail(database, other.id, attempt=2)
    await told(other.id, state=State.FAILED)
    await database.jobs.retry(other.id)
    await told(other.id, state=State.QUEUED, attempts=3)

    [scheduled] = await database.schedule.submit({"demo": 3600})
    await told(scheduled.id, slot=scheduled.slot)


async def test_jobs_are_looked_up_only_while_somebody_wants_them(database: Database) -> None:
    ears, wanted = (Ear(), Ear()), set[str]()
    database.notices.subscribe(ears[0].hear, wants=lambda: bool(wanted))
    database.notices.subscribe(ears[1].hear, wants=lambda: False)
    async with watching(database):
        await heard(database)
        await succeeded(database)
        for ear in ears:
            await ear.until(lambda: SummaryAdded("demo") in ear.heard)  # noqa: B023 - awaited
        wanted.add("jobs")
        later = await submitted(database)
        for ear in ears:
            await ear.job(later.id)

    assert [it.id for it in ears[1].jobs] == [later.id]


async def test_what_the_reconciler_does_is_told(migrated_dsn: str) -> None:
    async with Database(migrated_dsn, lease=0) as database, hearing(database) as ear:
        job = await submitted(database)
        async with database.leases.due(1) as claim:
            await claim.send([Sending(job.id, job.source, 2, 0, job.requested_at)])
        await ear.job(job.id, attempts=2)
        async with database.leases.due(1) as claim:
            await claim.give_up([job.id], FAILURE)
        assert (await ear.job(job.id, state=State.FAILED)).failure == FAILURE


async def test_what_anybody_else_does_is_told(ear: Ear, side: Connection) -> None:
    jobs = [uuid4() for _ in range(3)]
    await side.execute("SET timezone = 'Asia/Kolkata'")
    for job_id in jobs:
        await side.execute(INSERT, job_id)
    await side.execute("UPDATE job SET attempts = 5")

    for job_id in jobs:
        told = await ear.job(job_id, attempts=5)
        assert told.requested_at.tzinfo == UTC
        assert told.requested_at == await side.fetchval(
            "SELECT requested_at FROM job WHERE id = $1", job_id
        )


async def test_what_changes_nothing_is_not_told(migrated_dsn: str, side: Connection) -> None:
    async with Database(migrated_dsn, lease=0) as database, hearing(database) as ear:
        job = (await database.jobs.submit("demo", "key")).job
        await ear.job(job.id)
        before = await side.fetchval(CHANGED, job.id)

        assert not (await database.jobs.submit("demo", "key")).created
        sending = Sending(job.id, job.source, 1, 0, job.requested_at)
        async with database.leases.due(1) as claim:
            await claim.send([sending])
            await claim.look_later([job.id], 10)
        await database.leases.take_back([sending])
        async with side.transaction():
            await side.execute("UPDATE job SET state = state, attempts = attempts")
        await ear.job((await submitted(database)).id)

        assert len(ear.jobs) == 2
        assert await side.fetchval(CHANGED, job.id) == before


async def test_what_is_rolled_back_is_not_told(
    database: Database, ear: Ear, side: Connection
) -> None:
    transaction = side.transaction()
    await transaction.start()
    await side.execute(INSERT, uuid4())
    await transaction.rollback()
    job = await submitted(database)

    await ear.job(job.id)

    assert [told.id for told in ear.jobs] == [job.id]


@pytest.mark.parametrize("letter", ["x", "ä", '"', "\n", "🐭"])
async def test_a_reason_is_told_whole_however_long(
    database: Database, ear: Ear, side: Connection, letter: str
) -> None:
    """A notice has to be shorter than 8,000 bytes."""
    for length in (1, 7_300, 7_500, 7_600, 7_700, 100_000):
        job = await submitted(database)
        await side.execute(FAIL, job.id, letter * length)

        told = await ear.job(job.id, state=State.FAILED)

        assert told.failure == Failure("x", letter * length)


async def test_summaries_that_change_or_go_are_told(
    database: Database, ear: Ear, side: Connection
) -> None:
    def told() -> int:
        return ear.heard.count(SummariesChanged())

    job = await succeeded(database)
    await ear.job(job.id, state=State.SUCCEEDED)
    assert told() == 1  # when it began to listen
    for change in ("UPDATE summary SET north = 80", "DELETE FROM job", "TRUNCATE job CASCADE"):
        expected = told() + 1
        await side.execute(change)
        await ear.until(partial(lambda wanted: told() >= wanted, expected))


async def test_a_restored_backup_is_told(database: Database, ear: Ear, side: Connection) -> None:
    await succeeded(database)
    await ear.until(lambda: len(ear.jobs) == 2)
    before = ear.heard.count(SummariesChanged())

    # As pg_restore --clean does, which fires no trigger: other tables under the same names.
    async with side.transaction():
        await side.execute("CREATE TABLE copy (LIKE summary INCLUDING ALL)")
        await side.execute("ALTER TABLE summary RENAME TO lost")
        await side.execute("ALTER TABLE copy RENAME TO summary")

    await ear.until(lambda: ear.heard.count(SummariesChanged()) > before)
    assert Gap() in ear.heard
    assert database.notices.position
    assert database.notices.horizon > database.notices.position
    async with side.transaction():
        await side.execute("DROP TABLE summary")
        await side.execute("ALTER TABLE lost RENAME TO summary")


async def test_a_clock_of_postgres_that_goes_back_is_told(
    database: Database, ear: Ear, monkeypatch: pytest.MonkeyPatch
) -> None:
    await heard(database)
    before = database.notices.position
    assert before

    now = notices._NOW  # noqa: SLF001 - the clock of a real server cannot be set
    earlier = now.replace("clock_timestamp()", "clock_timestamp() - interval '1 minute'")
    monkeypatch.setattr(notices, "_NOW", earlier)

    await ear.until(lambda: Gap() in ear.heard)
    assert database.notices.position
    assert database.notices.position < before < database.notices.horizon
    job = await submitted(database)
    await ear.job(job.id)


async def test_a_clock_of_postgres_that_went_back_in_a_longer_outage_is_told(
    database: Database, ear: Ear, side: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its time is later than the last one that was heard, and earlier than it should be."""
    begin = datetime.now(UTC)
    assert database.notices.horizon < begin

    minute = SimpleNamespace(monotonic=lambda: time.monotonic() + 60)
    monkeypatch.setattr(notices, "time", minute)
    await side.execute("SELECT pg_terminate_backend($1)", await side.fetchval(LISTENING))

    await ear.until(lambda: Gap() in ear.heard)
    assert database.notices.horizon > begin + timedelta(seconds=59)


@pytest.mark.parametrize(("ahead", "told"), [("1 hour", "yes"), ("1 year", "")])
async def test_what_changed_in_the_future_tells_that_the_clock_went_back_before(
    database: Database, side: Connection, ahead: str, told: str
) -> None:
    await side.execute("ALTER TABLE job DISABLE TRIGGER USER")
    await side.execute(
        "INSERT INTO job (id, source, changed_at) VALUES ($1, 'demo', now() + $2::text::interval)",
        uuid4(),
        ahead,
    )
    async with hearing(database):
        assert (database.notices.horizon > datetime.now(UTC)) is bool(told)


async def test_what_is_no_notice_of_ours_does_no_harm(
    database: Database, ear: Ear, side: Connection, events: list[dict[str, Any]]
) -> None:
    before = {"job_id": str(uuid4()), "sequence": 1, "source": "demo", "state": "failed"}
    for payload in (json.dumps(before), "[]", "no JSON"):
        await side.execute(NOTIFY, payload)
    job = await submitted(database)

    await ear.job(job.id)

    assert ear.jobs == [job]
    # A notice from a process of the version before is nothing to warn of.
    assert len([event for event in events if "cannot be read" in event["event"]]) == 2


@pytest.mark.parametrize(
    "said",
    [
        {"job_id": str(uuid4())},
        {"state": "succeeded", "sequence": 10**15, "fetched_at": "2026-11-23T12:00:00Z"},
        {"state": "failed", "error_code": "forged", "error_detail": "<p>forged"},
        {"state": "queued", "source": "forged", "attempts": 10**6},
        {"state": "queued", "changed_at": "1970-01-01T00:00:00Z"},
        {"state": "failed", "changed_at": "2999-01-01T00:00:00Z"},
        {"state": "succeeded", "changed_at": "-infinity"},
    ],
)
async def test_only_what_is_true_of_a_job_is_told(
    database: Database, ear: Ear, side: Connection, said: dict[str, Any]
) -> None:
    job = await submitted(database)
    await ear.job(job.id)
    seen = await side.fetchval(CHANGED, job.id)
    await side.execute("UPDATE job SET attempts = 2")
    changed = await ear.job(job.id, attempts=2)
    true = {"job_id": str(job.id), "state": "queued", "attempts": 1}
    for at in (seen, await side.fetchval(CHANGED, job.id), datetime.now(UTC)):
        await side.execute(NOTIFY, json.dumps({**true, "changed_at": at.isoformat()} | said))

    later = await submitted(database)
    await ear.job(later.id)

    assert all(it in {job, changed, later} for it in ear.jobs)


async def test_a_notice_that_comes_late_is_told_as_it_was(ear: Ear, side: Connection) -> None:
    async with side.transaction():
        job_id = uuid4()
        await side.execute(INSERT, job_id)
        await side.execute("UPDATE job SET attempts = 2")
        await side.execute(FAIL, job_id, "x")

    await ear.job(job_id, state=State.FAILED)

    assert [(it.state, it.attempts) for it in ear.jobs] == [
        (State.QUEUED, 1),
        (State.QUEUED, 2),
        (State.FAILED, 2),
    ]


async def test_after_a_lost_connection_nothing_is_left_out(
    migrated_dsn: str, side: Connection
) -> None:
    async with Database(migrated_dsn) as database, hearing(database) as ear:
        jobs = []
        for _ in range(5):
            cut_unnoticed(migrated_dsn)
            for _ in range(10):
                jobs.append(uuid4())
                await side.execute(INSERT, jobs[-1])
            await side.execute("UPDATE job SET attempts = attempts + 1")
            await heard(database)

        for job_id in jobs:
            await ear.job(
                job_id,
                attempts=await side.fetchval("SELECT attempts FROM job WHERE id = $1", job_id),
            )


async def test_after_a_restart_of_postgres_nothing_is_left_out(own_folder: Folder) -> None:
    with stack_servers.run(own_folder) as servers:
        dsn = servers.postgres_dsn
        await migrate(dsn)
    async with Database(dsn) as database, watching(database):
        with stack_servers.run(own_folder):
            await heard(database)
            before = database.notices.position
        assert before
        ear = Ear()
        database.notices.subscribe(ear.hear)
        await silent(database)
        with stack_servers.run(own_folder):
            missed = await succeeded(database)
            assert (await ear.job(missed.id, state=State.SUCCEEDED)).sequence == missed.sequence
            later = await submitted(database)
            await ear.job(later.id)
            assert database.notices.horizon < before
            # The files may be those of a backup, for all that a process knows that begins after it.
            async with Database(dsn) as other, hearing(other):
                assert other.notices.horizon > before


async def test_a_postgres_that_does_not_answer_is_not_heard(
    database: Database, ear: Ear, side: Connection
) -> None:
    pid = await side.fetchval(LISTENING)
    os.kill(pid, signal.SIGSTOP)
    try:
        job = await submitted(database)
        await silent(database)
        await ear.job(job.id)
        await heard(database)
    finally:
        os.kill(pid, signal.SIGCONT)


async def test_a_job_never_goes_back(
    database: Database, ear: Ear, side: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A notice that comes while the past is replayed may be older than the row that is read."""
    job = await submitted(database)
    await ear.job(job.id)
    changes = database.jobs.changes

    async def late(*args: Any, **kwargs: Any) -> list[JobChange]:
        for attempts in (2, 3):
            await side.execute("UPDATE job SET attempts = $1", attempts)
        return await changes(*args, **kwargs)

    monkeypatch.setattr(JobStore, "changes", lambda _, *args, **kwargs: late(*args, **kwargs))
    await side.execute("SELECT pg_terminate_backend($1)", await side.fetchval(LISTENING))
    await ear.job(job.id, attempts=3)
    await side.execute("UPDATE job SET attempts = 4")
    await ear.job(job.id, attempts=4)

    attempts = [told.attempts for told in ear.jobs]
    assert attempts == sorted(attempts)


async def test_when_too_much_was_missed_it_says_so(
    database: Database, ear: Ear, side: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notices, "REPLAY_LIMIT", 4)
    monkeypatch.setattr(notices, "PAGE", 2)
    await side.execute("SELECT pg_terminate_backend($1)", await side.fetchval(LISTENING))
    await side.execute(INSERT_MANY, 5)

    await ear.until(lambda: Gap() in ear.heard)
    job = await submitted(database)
    await ear.job(job.id)

    position = database.notices.position
    assert position
    with pytest.raises(ReplayTooLongError):
        async for _ in database.notices.replay(position):
            pass


async def test_more_than_can_wait_is_replayed(
    ear: Ear, side: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notices, "QUEUE_LIMIT", 10)

    await side.execute(INSERT_MANY, 1000)

    await ear.until(lambda: len({job.id for job in ear.jobs}) == 1000)


async def test_a_replay_is_in_order_and_of_one_source_if_asked_for(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notices, "PAGE", 2)
    jobs = [await submitted(database, source) for source in ("demo", "other") * 3]
    await succeed(database, jobs[0].id)

    async def replayed(source: str | None = None) -> list[UUID]:
        pages = database.notices.replay(datetime.min.replace(tzinfo=UTC), source)
        return [change.job.id async for page in pages for change in page]

    ids = [job.id for job in jobs]
    assert await replayed() == [*ids[1:], ids[0]]
    assert await replayed("demo") == [ids[2], ids[4], ids[0]]


async def test_trouble_is_logged_once(events: list[dict[str, Any]], tmp_path: Path) -> None:
    async with (
        Database(f"postgresql://postgres@/postgres?host={tmp_path}") as database,
        watching(database) as health,
    ):
        await asyncio.sleep(0.5)  # for several attempts

    assert "check that it runs" in health.report()["notices"]
    assert (database.notices.age, database.notices.position) == (float("inf"), None)
    [event] = events
    assert event["log_level"] == "warning"
    assert "check that it runs" in event["reason"]


async def test_nothing_counts_as_told_before_the_schema_tells(
    postgres_dsn: str, events: list[dict[str, Any]]
) -> None:
    async with Database(postgres_dsn) as database, watching(database):
        async with asyncio.timeout(DEADLINE):
            while not events:  # noqa: ASYNC110 - a list
                await asyncio.sleep(0.01)

    assert "process_worker migrate" in events[0]["reason"]
    assert (database.notices.age, database.notices.position) == (float("inf"), None)
