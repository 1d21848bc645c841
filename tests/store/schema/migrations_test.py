import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from uuid import uuid4

import pytest

from mousetrap.store.database import Database
from mousetrap.store.errors import StoreUnavailableError, UnstorableValueError
from mousetrap.store.schema import migrations, piccolo_migrations
from mousetrap.store.schema.migrations import LOCK, migrate
from mousetrap.store.schema.version import MIGRATIONS
from support.postgres import DEADLINE, Connection, backends, until

TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY tablename"

BOTH_WAIT = "count(*) = 2 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"

MIGRATE = """
import asyncio, json, sys
from mousetrap.store.schema.migrations import migrate
applied = asyncio.run(migrate(sys.argv[1]))
print("applied", json.dumps(applied))
"""

MIGRATE_AND_HANG = """
import asyncio, sys, time
from types import SimpleNamespace
from mousetrap.store.schema import migrations
def hang():
    print("half-way", flush=True)
    time.sleep(600)
    yield "SELECT"
migrations.MODULES += (SimpleNamespace(ID="2999-01-01T00:00:00:000000", STATEMENTS=hang()),)
asyncio.run(migrations.migrate(sys.argv[1]))
"""


@asynccontextmanager
async def _process(program: str, dsn: str) -> AsyncIterator[Process]:
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, dsn, stdout=PIPE, env=environ
    )
    try:
        async with asyncio.timeout(DEADLINE):
            yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def _applied(process: Process) -> list[str]:
    output, _ = await process.communicate()
    assert process.returncode == 0
    [line] = [line for line in output.splitlines() if line.startswith(b"applied ")]
    applied: list[str] = json.loads(line.removeprefix(b"applied "))
    return applied


async def test_the_second_time_there_is_nothing_to_do(postgres_dsn: str, side: Connection) -> None:
    assert await migrate(postgres_dsn) == list(MIGRATIONS)
    before = await side.fetch("SELECT oid, relname, relfilenode FROM pg_class ORDER BY oid")
    assert await migrate(postgres_dsn) == []
    assert await side.fetch("SELECT oid, relname, relfilenode FROM pg_class ORDER BY oid") == before


def test_the_listed_migrations_are_those_in_the_folder() -> None:
    [folder] = piccolo_migrations.__path__
    files = sorted(path.stem for path in Path(folder).glob("*.py") if path.stem != "__init__")
    assert [module.__name__.rpartition(".")[2] for module in migrations.MODULES] == files
    assert tuple(module.ID for module in migrations.MODULES) == MIGRATIONS
    assert sorted(MIGRATIONS) == list(MIGRATIONS)


async def test_of_two_at_once_one_migrates(postgres_dsn: str, side: Connection) -> None:
    async with side.transaction():
        await side.execute(LOCK)
        async with (
            _process(MIGRATE, postgres_dsn) as first,
            _process(MIGRATE, postgres_dsn) as second,
        ):
            await until(
                side, "count(*) = 2 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
            )
            await side.execute("COMMIT; BEGIN")
            results = await asyncio.gather(_applied(first), _applied(second))
    assert sorted(results) == [[], list(MIGRATIONS)]


async def test_a_kill_half_way_leaves_nothing(postgres_dsn: str, side: Connection) -> None:
    async with _process(MIGRATE_AND_HANG, postgres_dsn) as process:
        assert process.stdout
        async for line in process.stdout:
            if line == b"half-way\n":
                break
        [pid] = await backends(side)
        process.send_signal(signal.SIGKILL)
        await process.wait()
    await until(side, "count(*) = 0 FROM pg_stat_activity WHERE pid = $1", pid)
    assert await side.fetch(TABLES) == []
    assert await migrate(postgres_dsn) == list(MIGRATIONS)


async def test_a_migration_that_fails_leaves_nothing(
    postgres_dsn: str, side: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = SimpleNamespace(ID="2999-01-01T00:00:00:000000", STATEMENTS=("SELECT 1 / 0",))
    with monkeypatch.context() as patch:
        patch.setattr(migrations, "MODULES", (*migrations.MODULES, bad))
        with pytest.raises(UnstorableValueError):
            await migrate(postgres_dsn)
    assert await side.fetch(TABLES) == []
    assert await migrate(postgres_dsn) == list(MIGRATIONS)
    async with Database(postgres_dsn) as database:
        await database.ping()


async def test_the_wait_for_another_migrator_is_bounded(
    postgres_dsn: str, side: Connection
) -> None:
    async with side.transaction():
        await side.execute(LOCK)
        with pytest.raises(StoreUnavailableError):
            await migrate(postgres_dsn, deadline=0.5)
    assert await migrate(postgres_dsn) == list(MIGRATIONS)


async def test_an_absent_postgres_is_said_to_be_unavailable(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailableError, match="check that it runs"):
        await migrate(f"postgresql://postgres@/postgres?host={tmp_path}")


async def test_a_process_with_an_open_database_may_migrate(postgres_dsn: str) -> None:
    async with Database(postgres_dsn) as database:
        await migrate(postgres_dsn)
        await database.ping()


async def test_of_two_at_once_in_a_process_one_migrates(postgres_dsn: str) -> None:
    both = await asyncio.gather(migrate(postgres_dsn), migrate(postgres_dsn))

    assert sorted(both) == [[], list(MIGRATIONS)]


async def test_a_process_of_the_version_before_runs_on(postgres_dsn: str, side: Connection) -> None:
    """Its statements, as they were, on the schema as it is."""
    await migrate(postgres_dsn)
    job_id = uuid4()

    await side.execute(
        "INSERT INTO job (id, source, idempotency_key) VALUES ($1, 'demo', NULL)", job_id
    )

    await side.execute("UPDATE job SET due_at = due_at - interval '10 seconds'")
    async with Database(postgres_dsn) as database, database.leases.due(10) as claim:
        [due] = claim.jobs
        assert (due.id, due.source, due.attempt, due.sent) == (job_id, "demo", 1, True)
    await side.execute(
        "UPDATE job SET state = 'failed', finished_at = now(), error_code = 'gone',"
        " error_detail = 'look there' WHERE id = $1 AND state = ANY ('{queued}')",
        job_id,
    )
    async with Database(postgres_dsn) as database:
        assert (await database.jobs.retry(job_id)).attempts == 2
