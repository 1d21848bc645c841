"""A pooler in front of Postgres: one that keeps sessions works, any other is named."""

import asyncio
import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from mousetrap.stack.folder import Folder
from mousetrap.stack.servers import Servers
from mousetrap.store.connector import Connector
from mousetrap.store.database import Database
from mousetrap.store.errors import PoolerError
from mousetrap.store.schema.migrations import migrate
from mousetrap.store.session import PINNED
from support import pgbouncer

pytestmark = pgbouncer.NEEDED

IGNORING = ",".join(
    [
        *PINNED,
        "statement_timeout",
        "idle_in_transaction_session_timeout",
        "lock_timeout",
        "plan_cache_mode",
        "enable_seqscan",
        "jit",
    ]
)


@dataclass(frozen=True, slots=True)
class Pooler:
    """The pooler in front of the database of a test."""

    folder: Folder
    server: Path
    dsn: str

    @contextlib.contextmanager
    def running(self, **settings: str) -> Iterator[str]:
        """Run it with these settings; yield the address of the database by way of it."""
        with pgbouncer.running(self.folder, self.server, settings) as host:
            yield f"{self.dsn.partition('?')[0]}?{host}"


@pytest.fixture
def pooler(own_folder: Folder, servers: Servers, postgres_dsn: str) -> Pooler:
    return Pooler(own_folder, servers.sockets, postgres_dsn)


async def shown(database: Database, name: str) -> str:
    [row] = await database.engine.fetch("SELECT current_setting($1) AS it", name)
    value: str = row["it"]
    return value


@pytest.mark.parametrize(
    "settings", [{}, {"ignore_startup_parameters": IGNORING}], ids=["defaults", "ignoring"]
)
async def test_sessions_are_those_of_a_direct_connection(
    pooler: Pooler, settings: dict[str, str]
) -> None:
    with pooler.running(**settings) as dsn:
        await migrate(dsn)
        async with Database(dsn, deadline=7.0) as database:
            await database.ping()
            assert await shown(database, "search_path") == "public"
            assert await shown(database, "statement_timeout") == "7s"
            assert await shown(database, "enable_seqscan") == "off"
            assert await shown(database, "application_name") == "mousetrap"


async def test_notices_come_through_a_pooler_with_its_defaults(pooler: Pooler) -> None:
    with pooler.running() as dsn:
        await migrate(dsn)
        async with Database(dsn) as database:
            heard: asyncio.Queue[Any] = asyncio.Queue()
            works = asyncio.Event()
            database.notices.subscribe(heard.put_nowait)
            watching = asyncio.create_task(database.notices.watch(works.set))
            try:
                async with asyncio.timeout(20):
                    await works.wait()
                    submitted = await database.jobs.submit("demo", None)
                    while True:
                        notice = await heard.get()
                        job = getattr(notice, "job", None)
                        if job is not None and job.id == submitted.job.id:
                            break
            finally:
                watching.cancel()
                await asyncio.wait({watching})


@pytest.mark.parametrize("mode", ["transaction", "statement"])
async def test_a_pooler_that_keeps_no_sessions_is_named(pooler: Pooler, mode: str) -> None:
    with pooler.running(pool_mode=mode) as dsn:
        async with Database(dsn) as database:
            with pytest.raises(PoolerError, match="set its pool_mode to session"):
                await database.ping()
            with pytest.raises(PoolerError):
                await database.notices.watch(lambda: None)
        with pytest.raises(PoolerError):
            await migrate(dsn)


async def test_a_pooler_is_told_of_once(pooler: Pooler, events: list[dict[str, Any]]) -> None:
    with pooler.running() as dsn:
        connector = Connector(dsn, name="mousetrap", deadline=5.0, settings={})
        for _ in range(3):
            connection = await connector.connect()
            assert await connection.fetchval("SHOW idle_session_timeout") == "0"
            await connection.close(timeout=5)
    told = [it for it in events if it["event"] == "a pooler is in front of Postgres"]
    assert len(told) == 1
    assert "unsupported startup parameter" in told[0]["reason"]


async def test_a_pooler_that_knows_prepared_statements_is_no_exception(pooler: Pooler) -> None:
    # As PgBouncer 1.21 and later do it: each statement runs, in the session of whoever comes next.
    with pooler.running(pool_mode="transaction") as dsn:
        # Many at once, so that not every session is that of the one before.
        found = await asyncio.gather(
            *(
                Connector(dsn, name="mousetrap", deadline=9.0, settings={}).connect(
                    statement_cache_size=0
                )
                for _ in range(6)
            ),
            return_exceptions=True,
        )

    assert {type(it) for it in found} == {PoolerError}


async def test_many_connections_at_once_find_the_pooler(pooler: Pooler) -> None:
    with pooler.running() as dsn:
        connector = Connector(dsn, name="mousetrap", deadline=9.0, settings={"jit": "off"})
        connections = await asyncio.gather(*(connector.connect() for _ in range(6)))
        for it in connections:
            assert await it.fetchval("SHOW jit") == "off"
            it.terminate()
