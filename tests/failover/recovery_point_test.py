"""Postgres comes back as it was some time ago, and Valkey is ahead of it."""

import asyncio
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import httpx2
import pytest
from redis.asyncio import Redis

from mousetrap.queue.stages import PROCESS
from mousetrap.stack import folder, postgres, roles, servers
from mousetrap.store.database import Database
from mousetrap.store.schema.grants import Roles
from mousetrap.store.schema.migrations import migrate
from support.callers import Callers, Fleet, fleet
from support.postgres import Connection, until
from support.replicas import Pair, connected, pair
from support.samples import submitted
from support.streams import backlog
from support.streams import until as until_true

pytestmark = pytest.mark.usefixtures("untraced")

AHEAD = 1.5
"""Seconds of jobs that Postgres forgets."""


@pytest.fixture
def two(tmp_path: Path) -> Iterator[Pair]:
    with pair(tmp_path / "pair") as running:
        yield running


async def accepted(system: Fleet, seconds: float) -> Callers:
    """Return callers who asked for that long."""
    callers = Callers(system.url)
    async with callers.calling():
        await asyncio.sleep(seconds)
    return callers


async def outcomes_wait(system: Fleet, raw: Redis) -> Callers:
    """Return callers of jobs whose outcomes wait in Valkey."""
    system.process_worker.send(signal.SIGSTOP)
    callers = await accepted(system, AHEAD)

    async def fetched() -> bool:
        return await raw.xlen(PROCESS.key) >= len(callers.accepted)

    await until_true(fetched)
    return callers


async def ids(database: Connection) -> set[UUID]:
    return {row["id"] for row in await database.fetch("SELECT id FROM job")}


async def check(system: Fleet, raw: Redis, database: Connection, forgotten: set[UUID]) -> None:
    """Check that forgotten jobs are dead letters, all others end, and new ones run."""

    async def nothing_waits() -> bool:
        return await backlog(raw) == 0

    async def all_forgotten_are_letters() -> bool:
        # They are moved to Postgres after their messages are acknowledged.
        letters = await database.fetch("SELECT job_id FROM dead_letter")
        return {it["job_id"] for it in letters} == forgotten

    callers = await accepted(system, AHEAD)
    jobs = await callers.wait_for_ends(database)
    assert callers.accepted.keys() <= jobs.keys()
    assert {(it["state"], it["summaries"]) for it in jobs.values()} == {("succeeded", 1)}
    await until_true(nothing_waits)
    await until_true(all_forgotten_are_letters)
    system.check()
    await system.are_ready()
    async with httpx2.AsyncClient(base_url=system.url, trust_env=False) as client:
        shown = UUID((await client.get("/")).json()["job_id"])
    newest = await database.fetchval("SELECT id FROM job ORDER BY sequence DESC LIMIT 1")
    assert shown == newest


async def test_failover_to_an_asynchronous_standby_loses_what_postgres_lost(
    two: Pair, redis_url: str, raw: Redis
) -> None:
    await two.wait_for_standby(synchronous=False)
    async with fleet(postgres_dsn=two.dsn, redis_url=redis_url) as system:
        kept = await accepted(system, AHEAD)
        async with connected(two.primary_dsn) as database:
            await kept.check(database)
            await until(database, "pg_current_wal_lsn() = replay_lsn FROM pg_stat_replication")
        await two.kill_standby()  # as one that lags
        lost = await outcomes_wait(system, raw)
        two.kill_primary()
        two.start_standby()
        await two.promote()
        system.process_worker.send(signal.SIGCONT)
        async with connected(two.standby_dsn) as database:
            assert await ids(database) == kept.accepted.keys()
            await check(system, raw, database, set(lost.accepted))


async def test_a_backup_is_restored_below_the_processes(
    postgres_dsn: str, redis_url: str, raw: Redis, side: Connection, tmp_path: Path
) -> None:
    back_up, restore = documented()
    async with fleet(postgres_dsn=postgres_dsn, redis_url=redis_url) as system:
        kept = await accepted(system, AHEAD)
        run(back_up, postgres_dsn, tmp_path)
        lost = await outcomes_wait(system, raw)
        run(restore, postgres_dsn, tmp_path)
        system.process_worker.send(signal.SIGCONT)
        assert await ids(side) == kept.accepted.keys()
        await check(system, raw, side, set(lost.accepted))


async def test_a_backup_is_restored_by_the_owner_of_the_tables(tmp_path: Path) -> None:
    back_up, restore = documented()
    with (
        folder.hold(tmp_path / "data") as held,
        servers.run(held, durable=False, plain_roles=True) as running,
    ):
        dsn = running.postgres_dsn
        owner, api = (roles.log_in(dsn, role) for role in (roles.OWNER, roles.API))
        granted = Roles(api=roles.API, process=roles.PROCESS, follow_up=roles.FOLLOW_UP)
        await migrate(owner, roles=granted)
        async with Database(api) as database:
            kept = await submitted(database)
            run(back_up, owner, tmp_path)
            lost = await submitted(database)
            run(restore, owner, tmp_path)
        async with Database(api) as database:
            assert await database.jobs.find(kept.id) == kept
            assert await database.jobs.find(lost.id) is None
            await submitted(database)


def documented() -> list[str]:
    """Return the commands of the page for a Postgres of one's own."""
    page = Path("docs/how-to/back-up-and-restore.md").read_text("utf-8")
    return re.findall(r"^```bash\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)


def run(commands: str, dsn: str, folder: Path) -> None:
    """Run commands with the clients of Postgres, as an operator does."""
    programs = postgres.binary("pg_dump").parent
    subprocess.run(
        ["bash", "-euc", commands],
        cwd=folder,
        env={"PATH": f"{programs}:{os.environ['PATH']}", "MOUSETRAP_POSTGRES_DSN": dsn},
        check=True,
        timeout=60,
        stdout=subprocess.DEVNULL,
    )
