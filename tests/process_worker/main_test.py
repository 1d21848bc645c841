"""The whole process: how it starts, waits, works and stops."""

import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from redis.asyncio import Redis

from mousetrap.jobs.state import State
from mousetrap.messages.schema import FetchRequested
from mousetrap.process_worker.__main__ import main
from mousetrap.queue.publisher import Publisher
from mousetrap.queue.stages import PROCESS
from mousetrap.stack import ports
from mousetrap.stack.servers import Servers
from mousetrap.store.database import Database
from mousetrap.store.schema.grants import Roles
from mousetrap.store.schema.migrations import migrate
from mousetrap.store.schema.version import MIGRATIONS
from support.jobs import batch, ended, failure
from support.postgres import Connection
from support.postgres import until as until_sql
from support.processes import PYTHON_PATH, Starter
from support.samples import FAILURE, submitted
from support.streams import backlog, dead, until

BOTH = pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
KEEP_FROM_JOBS = "LOCK TABLE job IN ACCESS EXCLUSIVE MODE"
KEPT = "count(*) > 0 FROM pg_locks WHERE NOT granted AND relation = 'job'::regclass"


@BOTH
async def test_finishes_what_is_in_hand(  # noqa: PLR0913, PLR0917 - fixtures
    start: Starter,
    publisher: Publisher,
    raw: Redis,
    database: Database,
    side: Connection,
    number: signal.Signals,
) -> None:
    [port] = ports.free(1)
    worker = await start(health_port=str(port))
    assert (await worker.logged("health checks are served"))["port"] == port
    names = ("postgres", "redis", "reconciler", "schedules", "dead letters", "retention")
    assert await worker.ready() == dict.fromkeys(names, "ok")
    assert await worker.health("live") == (200, {"status": "ok"})
    job = await submitted(database)
    async with side.transaction():
        await side.execute(KEEP_FROM_JOBS)
        await publisher.send(batch(job.id))
        await until_sql(side, KEPT)

        worker.send(number)
        await worker.logged("draining", in_flight=1)
        assert (await worker.health("live"))[0] == 200
        assert (await worker.health("ready"))[0] == 503

    assert await worker.end() == (0, "")
    assert (await ended(database, job.id)).state is State.SUCCEEDED
    assert await raw.xlen(PROCESS.key) == 0
    assert {line["service"] for line in worker.lines} == {"process-worker"}
    assert (await worker.logged("outcome received"))["job_id"] == str(job.id)


@BOTH
async def test_a_second_signal_ends_it_at_once(
    start: Starter,
    publisher: Publisher,
    database: Database,
    side: Connection,
    number: signal.Signals,
) -> None:
    worker = await start(grace="600")
    job = await submitted(database)
    async with side.transaction():
        await side.execute(KEEP_FROM_JOBS)
        await publisher.send(batch(job.id))
        await until_sql(side, KEPT)

        worker.send(signal.SIGTERM)
        await worker.logged("draining")
        worker.send(number)

        assert await worker.end(deadline=10) == (128 + number, "")


async def test_waits_for_what_it_depends_on(  # noqa: PLR0913, PLR0917 - fixtures
    start: Starter,
    publisher: Publisher,
    servers: Servers,
    postgres_dsn: str,
    redis_url: str,
    tmp_path: Path,
) -> None:
    """Starts in front of empty addresses, into which the servers' sockets come one by one."""
    addresses = {"postgres_dsn": postgres_dsn, "redis_url": redis_url}
    worker = await start(
        **{
            name: url.replace(str(servers.sockets), str(tmp_path))
            for name, url in addresses.items()
        }
    )
    assert (await worker.logged("waiting for redis"))["level"] == "warning"
    assert (await worker.logged("waiting for postgres"))["level"] == "warning"
    checks = await worker.ready(503)
    assert "QueueUnavailableError" in checks["redis"]
    assert "StoreUnavailableError" in checks["postgres"]
    assert (await worker.health("live"))[0] == 200

    (tmp_path / "valkey").symlink_to(servers.sockets / "valkey")
    await worker.logged("dependency is ready", dependency="redis")
    (tmp_path / ".s.PGSQL.5432").symlink_to(servers.sockets / ".s.PGSQL.5432")
    async with Database(postgres_dsn) as database:

        async def not_migrated() -> bool:
            return "run `process_worker migrate`" in (await worker.ready(503))["postgres"]

        await until(not_migrated)
        assert not worker.all_logged("working")
        assert await (await start("migrate")).end() == (0, "")
        await worker.ready()
        job = await submitted(database)
        await publisher.send(batch(job.id))
        assert (await ended(database, job.id)).state is State.SUCCEEDED
    worker.send(signal.SIGTERM)
    assert await worker.end() == (0, "")


async def test_is_not_ready_while_it_lacks_a_right(
    start: Starter, postgres_dsn: str, side: Connection
) -> None:
    role = f"process-{uuid4().hex}"
    await side.execute(f'CREATE ROLE "{role}" LOGIN')
    try:
        await migrate(postgres_dsn, roles=Roles(process=role))
        dsn = postgres_dsn.replace("//postgres@", f"//{role}@")
        worker = await start(postgres_dsn=dsn, reconcile_period="0.1")
        await worker.ready()

        await side.execute(f'REVOKE UPDATE ON job FROM "{role}"')
        reason = (await worker.ready(503))["reconciler"]
        await side.execute(f'GRANT UPDATE ON job TO "{role}"')
        await worker.ready()
        worker.send(signal.SIGTERM)

        assert await worker.end() == (0, "")
        assert reason.startswith("AccessError")
        assert len(worker.all_logged("sending jobs again does not work, trying again")) == 1
        assert worker.all_logged("sending jobs again works again")
    finally:
        await side.execute(f'DROP OWNED BY "{role}"; DROP ROLE "{role}"')


def test_refuses_an_unknown_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ending:
        main(["migrte"])

    assert ending.value.code == 2
    assert "migrte" in capsys.readouterr().err


async def test_what_cannot_be_stored_becomes_a_dead_letter_and_the_work_goes_on(
    start: Starter, publisher: Publisher, raw: Redis, database: Database
) -> None:
    job, other, failed = [await submitted(database) for _ in range(3)]
    older = f'{{"type": "batch-fetched", "job_id": "{job.id}", "version": 0}}'
    envelope = f'{{"task_id": "1", "task_name": "{PROCESS.task}", "args": [{older}]}}'.encode()
    await raw.xadd(PROCESS.key, {"data": envelope})
    await publisher.send(batch(unknown := uuid4()))
    await publisher.send(batch(other.id))
    await publisher.send(failure(failed.id))

    await start(max_deliveries="2")

    assert (await ended(database, other.id)).state is State.SUCCEEDED
    assert (await ended(database, failed.id)).failure == FAILURE
    [misread] = await until(lambda: database.jobs.failed_attempts(job.id))
    assert misread.failure.code == "undeliverable"
    assert "update it" in misread.failure.detail

    async def all_done() -> Any:
        return len(await dead(raw)) == 2 and await backlog(raw) == 0

    await until(all_done)
    stranger, read = sorted(await dead(raw), key=lambda letter: letter[b"data"] == envelope)
    assert read[b"data"] == envelope
    assert str(unknown).encode() in stranger[b"data"]


async def test_leaves_requests_alone(
    start: Starter, publisher: Publisher, raw: Redis, database: Database
) -> None:
    await publisher.send(FetchRequested(uuid4(), "demo"))
    job = await submitted(database)
    await publisher.send(batch(job.id))

    await start()

    async def acknowledged() -> bool:
        return await raw.xlen(PROCESS.key) == 0

    assert (await ended(database, job.id)).state is State.SUCCEEDED
    await until(acknowledged)
    assert await backlog(raw) == 1


async def test_migrates_and_ends(start: Starter, postgres_dsn: str) -> None:
    for times in (len(MIGRATIONS), 0):
        migrator = await start("migrate", redis_url=None, lease=None, health_port=None)
        assert await migrator.end() == (0, "")
        [line] = migrator.lines
        assert (line["event"], len(line["applied"])) == ("the schema is up to date", times)
        assert line["service"] == "migrate"
    async with Database(postgres_dsn) as database:
        await database.ping()


async def test_says_in_one_line_that_it_cannot_migrate(start: Starter) -> None:
    begin = time.monotonic()
    migrator = await start("migrate", postgres_dsn="postgresql://postgres@/x?host=/nonexistent")

    assert await migrator.end() == (1, "")

    [line] = migrator.lines
    assert (line["level"], line["event"]) == ("error", "the database was not migrated")
    assert "check that it runs" in line["reason"]
    assert time.monotonic() - begin < 30


def test_what_only_a_migration_needs_is_not_in_the_memory_of_a_worker() -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys, mousetrap.process_worker.__main__; print(*sys.modules)",
        ],
        env={"PYTHONPATH": PYTHON_PATH},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )

    assert not {"black", "mousetrap.store.schema.migrations"} & set(done.stdout.split())
