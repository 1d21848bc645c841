import asyncio
import gc
import os
import signal
import subprocess
import sys
import time
from uuid import uuid4

import pytest

from mousetrap.stack import servers as stack_servers
from mousetrap.stack.folder import Folder
from mousetrap.store import database as database_module
from mousetrap.store.database import Database
from mousetrap.store.errors import (
    DsnError,
    LifecycleError,
    SchemaError,
    StoreUnavailableError,
)
from mousetrap.store.schema.migrations import migrate
from mousetrap.store.schema.version import MIGRATIONS
from support.postgres import DEADLINE, Connection, backends, cut_unnoticed, until

SETTINGS = """
SELECT current_setting('application_name') AS name,
       current_setting('statement_timeout') AS statement,
       current_setting('lock_timeout') AS lock,
       current_setting('idle_in_transaction_session_timeout') AS idle
"""


AT_MOST_ONE = """
count(*) <= 1 FROM pg_stat_activity
WHERE datname = current_database() AND application_name LIKE 'mousetrap%'
"""

WAITING = "count(*) > 0 FROM pg_locks WHERE NOT granted AND relation = 'job'::regclass"


async def _submit_and_find(database: Database) -> None:
    job = (await database.jobs.submit("demo", None)).job
    assert await database.jobs.find(job.id) == job


async def _ping_until_it_fails(database: Database) -> None:
    async with asyncio.timeout(DEADLINE):
        while True:
            await database.ping()


async def test_opens_while_postgres_is_absent_and_works_once_it_is_there(
    own_folder: Folder,
) -> None:
    with stack_servers.run(own_folder) as servers:
        dsn = servers.postgres_dsn
        await migrate(dsn)
    async with Database(dsn) as database:
        for _ in range(2):
            with pytest.raises(StoreUnavailableError, match="check that it runs"):
                await database.ping()
        with pytest.raises(StoreUnavailableError):
            await database.jobs.submit("demo", None)
        with stack_servers.run(own_folder):
            await database.ping()
            await _submit_and_find(database)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGQUIT])  # fast; at once, with recovery
async def test_a_restart_of_postgres_heals_by_itself(
    own_folder: Folder, how: signal.Signals
) -> None:
    with stack_servers.run(own_folder) as servers:
        dsn = servers.postgres_dsn
        await migrate(dsn)
    async with Database(dsn, pool_size=3) as database:
        with stack_servers.run(own_folder):
            await asyncio.gather(*(database.ping() for _ in range(10)))
            job = (await database.jobs.submit("demo", None)).job
            os.kill(int((own_folder.postgres / "postmaster.pid").read_text().split()[0]), how)
            with pytest.raises(StoreUnavailableError):
                await _ping_until_it_fails(database)
        with stack_servers.run(own_folder):
            found = await asyncio.gather(*(database.jobs.find(job.id) for _ in range(10)))
            assert found == [job] * 10
            await _submit_and_find(database)


async def test_connections_that_were_cut_unnoticed_are_no_callers_concern(
    migrated_dsn: str,
) -> None:
    async with Database(migrated_dsn, pool_size=3) as database:
        await asyncio.gather(*(database.ping() for _ in range(10)))
        cut_unnoticed(migrated_dsn)
        await database.ping()
        cut_unnoticed(migrated_dsn)
        await asyncio.gather(*(database.ping() for _ in range(10)))


async def test_connections_that_expired_broken_leave_no_error_behind(migrated_dsn: str) -> None:
    errors: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, error: errors.append(error))
    async with Database(migrated_dsn, pool_size=3) as database:
        await asyncio.gather(*(database.ping() for _ in range(3)))
        cut_unnoticed(migrated_dsn)
        assert database.engine.pool
        await database.engine.pool.expire_connections()  # as the first call does that notices
        await database.ping()
    gc.collect()  # asyncio tells of errors nobody asked for when their tasks are freed
    assert not errors


async def test_a_frozen_connection_is_given_up_at_the_deadline(
    migrated_dsn: str, side: Connection
) -> None:
    async with Database(migrated_dsn, pool_size=1, deadline=1.0) as database:
        await database.ping()
        [pid] = await backends(side)
        os.kill(pid, signal.SIGSTOP)
        try:
            begin = time.monotonic()
            with pytest.raises(StoreUnavailableError, match=r"within 1 s"):
                await database.ping()
            assert time.monotonic() - begin < 1.8
            await database.ping()
        finally:
            os.kill(pid, signal.SIGCONT)


async def test_a_lock_is_not_waited_for_beyond_the_deadline(
    migrated_dsn: str, side: Connection
) -> None:
    async with Database(migrated_dsn, deadline=0.5) as database:
        async with side.transaction():
            await side.execute("LOCK TABLE job IN ACCESS EXCLUSIVE MODE")
            with pytest.raises(StoreUnavailableError):
                await database.jobs.find(uuid4())
        assert await database.jobs.find(uuid4()) is None


async def test_calls_together_have_one_deadline(migrated_dsn: str) -> None:
    async with Database(migrated_dsn, deadline=2.0) as database:
        with database.together():
            await database.engine.fetch("SELECT pg_sleep(1.2)")
            with pytest.raises(StoreUnavailableError, match=r"within 2 s"):
                await database.engine.fetch("SELECT pg_sleep(1.2)")
        await database.engine.fetch("SELECT pg_sleep(1.2)")


async def test_the_wait_for_a_free_connection_is_bounded(
    migrated_dsn: str, side: Connection
) -> None:
    async with Database(migrated_dsn, pool_size=1, deadline=1.0) as database:
        await database.ping()
        async with side.transaction():
            await side.execute("LOCK TABLE job IN ACCESS EXCLUSIVE MODE")
            begin = time.monotonic()
            calls = [database.jobs.find(uuid4()) for _ in range(20)]
            results = await asyncio.gather(*calls, return_exceptions=True)
            assert time.monotonic() - begin < 3
            assert all(isinstance(result, StoreUnavailableError) for result in results)
            # The server's side of the one that was given up ends when its own wait does.
            await until(side, AT_MOST_ONE)
        await database.ping()


async def test_cancelled_calls_leave_the_pool_whole(migrated_dsn: str, side: Connection) -> None:
    async with Database(migrated_dsn, pool_size=2) as database:
        await database.ping()
        async with side.transaction():
            await side.execute("LOCK TABLE job IN ACCESS EXCLUSIVE MODE")
            calls = [asyncio.create_task(database.jobs.find(uuid4())) for _ in range(6)]
            await until(side, WAITING)
            for call in calls:
                call.cancel()
            results = await asyncio.gather(*calls, return_exceptions=True)
            assert all(isinstance(result, asyncio.CancelledError) for result in results)
        await asyncio.gather(*(database.jobs.find(uuid4()) for _ in range(6)))


async def test_cancelled_block_ends_though_its_connection_is_lost(
    migrated_dsn: str, side: Connection
) -> None:
    async with Database(migrated_dsn) as database:
        begun = asyncio.Event()

        async def hold() -> None:
            async with database.leases.due(1):
                begun.set()
                await asyncio.Event().wait()

        task = asyncio.create_task(hold())
        await begun.wait()
        for pid in await backends(side):
            await side.execute("SELECT pg_terminate_backend($1, 10000)", pid)
        await backends(side)  # by now this event loop knows

        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await database.ping()


async def test_sessions_are_named_and_limited(migrated_dsn: str) -> None:
    async with Database(migrated_dsn, deadline=4.0, name="mousetrap api") as database:
        [session] = await database.engine.fetch(SETTINGS)
    assert dict(session) == {"name": "mousetrap api", "statement": "4s", "lock": "2s", "idle": "4s"}


async def test_the_pool_is_bounded(migrated_dsn: str, side: Connection) -> None:
    async with Database(migrated_dsn, pool_size=2) as database:
        await asyncio.gather(*(database.ping() for _ in range(20)))
        assert len(await backends(side)) == 2


async def test_statements_in_a_row_share_a_connection(migrated_dsn: str, side: Connection) -> None:
    async with Database(migrated_dsn, pool_size=5) as database:
        for _ in range(6):
            await database.ping()
        assert len(await backends(side)) == 1


async def test_closing_leaves_no_connection(migrated_dsn: str, side: Connection) -> None:
    async with Database(migrated_dsn) as database:
        await asyncio.gather(*(database.ping() for _ in range(20)))
        assert await backends(side)
    await until(side, "count(*) = 0 FROM pg_stat_activity WHERE application_name = 'mousetrap'")


async def test_closing_waits_for_calls_in_hand(migrated_dsn: str, side: Connection) -> None:
    async with Database(migrated_dsn) as database:
        async with side.transaction():
            await side.execute("LOCK TABLE job IN ACCESS EXCLUSIVE MODE")
            call = asyncio.create_task(database.jobs.find(uuid4()))
            await until(side, WAITING)
            closing = asyncio.create_task(database.__aexit__())
            done, _ = await asyncio.wait([closing], timeout=0.1)
            assert not done
        assert await call is None
        await closing


async def test_closing_does_not_wait_for_ever(migrated_dsn: str, side: Connection) -> None:
    async with Database(migrated_dsn, deadline=0.5) as database:
        assert database.engine.pool
        await database.engine.pool.acquire()  # and nobody gives it back
        begin = time.monotonic()
    assert time.monotonic() - begin < 2
    await until(side, "count(*) = 0 FROM pg_stat_activity WHERE application_name = 'mousetrap'")


async def test_a_database_that_is_open_is_not_entered_again(database: Database) -> None:
    with pytest.raises(LifecycleError, match="open already"):
        await database.__aenter__()
    await database.ping()


async def test_two_databases_of_one_process_keep_to_themselves(
    database: Database, servers: stack_servers.Servers
) -> None:
    async with Database(servers.postgres_dsn) as other:  # which has not been migrated
        with pytest.raises(SchemaError):
            await other.ping()
        await _submit_and_find(database)
    await _submit_and_find(database)


async def test_a_database_that_is_not_open_connects_to_nothing(migrated_dsn: str) -> None:
    database = Database(migrated_dsn)
    with pytest.raises(LifecycleError, match="not open"):
        await database.ping()
    async with database:
        await database.ping()
    with pytest.raises(LifecycleError, match="not open"):
        await database.jobs.submit("demo", None)


@pytest.mark.parametrize(
    "dsn",
    [
        "mysql://localhost/x",
        "postgresql://localhost/x?sslmode=sometimes",
        "postgresql://user:s3cr3t/pass@localhost/x",
    ],
)
async def test_an_address_that_makes_no_sense_is_explained_without_the_password(dsn: str) -> None:
    async with Database(dsn) as database:
        with pytest.raises(DsnError, match="address of Postgres") as caught:
            await database.ping()
    assert "s3cr3t" not in str(caught.value)
    assert caught.value.__suppress_context__


@pytest.mark.parametrize(("part", "other"), [("//postgres@", "//nobody@"), ("/test?", "/missing?")])
async def test_a_role_or_database_that_is_not_there_yet_is_waited_for(
    postgres_dsn: str, part: str, other: str
) -> None:
    async with Database(postgres_dsn.replace(part, other)) as database:
        with pytest.raises(StoreUnavailableError, match="does not exist"):
            await database.ping()


async def test_ping_tells_that_the_schema_is_missing(postgres_dsn: str) -> None:
    async with Database(postgres_dsn) as database:
        with pytest.raises(SchemaError, match="run `process_worker migrate`"):
            await database.ping()
        with pytest.raises(SchemaError, match="run `process_worker migrate`"):
            await database.jobs.submit("demo", None)
    await migrate(postgres_dsn)
    async with Database(postgres_dsn) as database:
        await database.ping()


async def test_ping_tells_that_the_schema_is_older_than_the_code(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    newer = (*MIGRATIONS, "2999-01-01T00:00:00:000000")
    monkeypatch.setattr(database_module, "MIGRATIONS", newer)
    with pytest.raises(SchemaError, match=r"2999.*run `process_worker migrate`"):
        await database.ping()


async def test_a_newer_schema_is_fine(database: Database, side: Connection) -> None:
    job = (await database.jobs.submit("demo", None)).job
    await side.execute(
        "INSERT INTO migration (name, app_name) VALUES ('2999-01-01T00:00:00:000000', 'mousetrap')"
    )
    await side.execute("ALTER TABLE job ADD COLUMN colour text NOT NULL DEFAULT 'grey'")
    await database.ping()
    assert await database.jobs.find(job.id) == job
    await _submit_and_find(database)


def test_importing_the_room_touches_nothing() -> None:
    program = """
import os, sys
os.environ.pop("PICCOLO_CONF", None)
def refuse(event, args):
    if event in ("socket.connect", "socket.getaddrinfo", "subprocess.Popen"):
        raise SystemExit(event)
sys.addaudithook(refuse)
import mousetrap.store.database, mousetrap.store.schema.migrations
assert "PICCOLO_CONF" not in os.environ
"""
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "PGHOST": "127.0.0.1"}
    subprocess.run([sys.executable, "-c", program], env=environ, check=True, timeout=DEADLINE)
