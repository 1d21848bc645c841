"""Workers that are killed, and workers without their database, with work in hand."""

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from mousetrap.jobs.state import State
from mousetrap.queue.publisher import Publisher
from mousetrap.queue.stages import PROCESS
from mousetrap.queue.streams import GROUP
from mousetrap.stack import folder, identity, postgres
from mousetrap.stack.launcher import Launcher
from mousetrap.stack.output import LogFiles
from mousetrap.stack.servers import Servers
from mousetrap.store.database import Database
from mousetrap.store.outcomes import Change
from mousetrap.store.schema.migrations import migrate
from support.jobs import batch, ended
from support.postgres import Connection
from support.postgres import until as until_sql
from support.processes import Starter
from support.samples import submitted
from support.streams import dead, restricted, until

LEASE = 0.5
NO_DATABASE = "storing the outcome does not work, trying again"
IN_HAND = """
count(*) > 0 FROM pg_stat_activity
WHERE datname = current_database() AND wait_event_type = 'Lock'
"""


class Postgres:
    """A server of one's own, which may be stopped and started again."""

    def __init__(self, launcher: Launcher, sockets: Path) -> None:
        self.dsn = Servers(sockets, ()).postgres_dsn
        self._launcher = launcher
        self._sockets = sockets
        self._running = ExitStack()

    def start(self) -> None:
        self._running.enter_context(postgres.running(self._launcher, self._sockets, durable=False))

    def stop(self) -> None:
        self._running.close()


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Postgres]:
    with folder.hold(tmp_path / "postgres") as held:
        user = identity.choose(postgres.binary("postgres"), held.root)
        with held.sockets(user) as sockets:
            server = Postgres(Launcher(held, user, LogFiles(held.root)), sockets)
            server.start()
            yield server
            server.stop()


def empty(raw: Redis) -> Callable[[], Awaitable[bool]]:
    async def is_empty() -> bool:
        return int(await raw.xlen(PROCESS.key)) == 0

    return is_empty


async def pending(raw: Redis) -> list[Any]:
    return list(await raw.xpending_range(PROCESS.key, GROUP, "-", "+", 100))


async def test_outcomes_wait_for_postgres_and_use_up_no_delivery(
    start: Starter, publisher: Publisher, raw: Redis, own: Postgres
) -> None:
    await migrate(own.dsn)
    async with Database(own.dsn) as database:
        jobs = [(await submitted(database)).id for _ in range(5)]
        worker = await start(
            postgres_dsn=own.dsn, concurrency="2", max_deliveries="1", lease=str(LEASE)
        )
        await worker.ready()
        own.stop()
        for job in jobs:
            await publisher.send(batch(job))
        await worker.logged(NO_DATABASE)
        assert "StoreUnavailableError" in (await worker.ready(503))["postgres"]

        await asyncio.sleep(3 * LEASE)  # in which the leases of a careless worker run out

        assert (await worker.health("live"))[0] == 200
        assert [entry["times_delivered"] for entry in await pending(raw)] == [1, 1]
        own.start()
        assert {(await ended(database, job)).state for job in jobs} == {State.SUCCEEDED}
    await until(empty(raw))
    assert await dead(raw) == []


async def test_a_worker_without_postgres_stops_within_its_grace_and_loses_nothing(
    start: Starter, publisher: Publisher, raw: Redis, own: Postgres
) -> None:
    await migrate(own.dsn)
    async with Database(own.dsn) as database:
        job = await submitted(database)
        worker = await start(postgres_dsn=own.dsn, grace="0.5", lease="60")
        await worker.ready()
        own.stop()
        await publisher.send(batch(job.id))
        await worker.logged(NO_DATABASE)

        begin = time.monotonic()
        worker.send(signal.SIGTERM)
        assert await worker.end() == (0, "")
        assert time.monotonic() - begin < 6

        own.start()
        await start(postgres_dsn=own.dsn, lease="60")
        assert (await ended(database, job.id)).state is State.SUCCEEDED
    await until(empty(raw))


async def test_what_a_worker_had_in_hand_when_it_was_killed_is_stored_by_another(
    start: Starter, publisher: Publisher, raw: Redis, database: Database, side: Connection
) -> None:
    job = await submitted(database)
    worker = await start()
    async with side.transaction():
        await side.execute("SELECT FROM job WHERE id = $1 FOR UPDATE", job.id)
        await publisher.send(batch(job.id))
        await until_sql(side, IN_HAND)
        await worker.kill()
        await side.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )

    await start()

    assert (await ended(database, job.id)).state is State.SUCCEEDED
    await until(empty(raw))
    assert await side.fetchval("SELECT count(*) FROM summary") == 1


async def test_an_outcome_that_was_stored_but_not_acknowledged_changes_nothing(  # noqa: PLR0913, PLR0917 - fixtures
    start: Starter,
    publisher: Publisher,
    raw: Redis,
    redis_url: str,
    database: Database,
    side: Connection,
) -> None:
    job = await submitted(database)
    await publisher.send(batch(job.id))
    async with restricted(raw, redis_url, "xack") as user:
        mortal = await start(redis_url=user.url, lease="2")
        first = await ended(database, job.id)
        await mortal.kill()
    assert [entry["times_delivered"] for entry in await pending(raw)] == [1]

    heir = await start(lease="2")

    assert (await heir.logged("outcome received", job=Change.NONE))["job_id"] == str(job.id)
    await until(empty(raw))
    assert await database.jobs.find(job.id) == first
    assert await side.fetchval("SELECT count(*) FROM summary") == 1
