"""Real servers for the tests of every package, one pair for each pytest process, and ways in."""

import contextlib
import itertools
import os
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import redis.asyncio
from hypothesis import settings
from hypothesis.configuration import set_hypothesis_home_dir
from structlog.testing import capture_logs

from mousetrap.queue.publisher import Publisher
from mousetrap.stack import folder
from mousetrap.stack import servers as stack_servers
from mousetrap.store.database import Database
from mousetrap.store.schema.migrations import migrate
from mousetrap.telemetry import logs
from support.postgres import Connection
from support.processes import COVERAGE

# Generated examples are the same in every run and leave no file behind: the caches would go to the
# working directory, and where they cannot be written hypothesis does without.
settings.load_profile("ci")
set_hypothesis_home_dir(os.devnull)

DATABASE = "test"
# As the schema is in a new database.
EMPTY = """
DROP SCHEMA public CASCADE;
CREATE SCHEMA public AUTHORIZATION pg_database_owner;
GRANT USAGE ON SCHEMA public TO PUBLIC
"""
NUMBERS = itertools.cycle(range(1, 16))


@pytest.fixture(scope="session")
def servers() -> Iterator[stack_servers.Servers]:
    with (
        tempfile.TemporaryDirectory(prefix="mousetrap-tests-") as root,
        folder.hold(Path(root)) as held,
        stack_servers.run(held, durable=False) as running,
    ):
        yield running


@pytest.fixture(scope="module")
def untraced() -> Iterator[None]:
    """Coverage leaves the processes alone that a module starts.

    It would more than double their work, and add to their memory; other tests run the same lines.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv(COVERAGE, raising=False)
        yield


@pytest.fixture
async def postgres_dsn(servers: stack_servers.Servers) -> AsyncIterator[str]:
    """An empty database: always the same one, since making one takes longer than most tests."""
    dsn = servers.database(DATABASE)
    admin = await asyncpg.connect(servers.postgres_dsn, timeout=10, command_timeout=30)
    try:
        with contextlib.suppress(asyncpg.DuplicateDatabaseError):
            await admin.execute(f"CREATE DATABASE {DATABASE}")
        yield dsn
        await admin.execute(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = $1",
            DATABASE,
        )
    finally:
        await admin.close(timeout=10)
    cleaner = await asyncpg.connect(dsn, timeout=10, command_timeout=30)
    try:
        await cleaner.execute(EMPTY)
    finally:
        await cleaner.close(timeout=10)


@pytest.fixture
def redis_url(servers: stack_servers.Servers) -> str:
    url = servers.logical_database(next(NUMBERS))
    with redis.Redis.from_url(url, socket_timeout=10) as client:
        client.flushdb()
    return url


@pytest.fixture
async def migrated_dsn(postgres_dsn: str) -> str:
    await migrate(postgres_dsn)
    return postgres_dsn


@pytest.fixture
async def database(migrated_dsn: str) -> AsyncIterator[Database]:
    async with Database(migrated_dsn) as found:
        yield found


@pytest.fixture
async def side(postgres_dsn: str) -> AsyncIterator[Connection]:
    """The database as its operator sees it."""
    connection = await asyncpg.connect(postgres_dsn, timeout=10, command_timeout=30)
    try:
        yield connection
    finally:
        await connection.close(timeout=10)


@pytest.fixture
async def raw(redis_url: str) -> AsyncIterator[redis.asyncio.Redis]:
    """The queue as its operator sees it."""
    async with redis.asyncio.Redis.from_url(redis_url, socket_timeout=5) as client:
        yield client


@pytest.fixture
async def publisher(redis_url: str) -> AsyncIterator[Publisher]:
    async with Publisher(redis_url) as found:
        yield found


@pytest.fixture
def events() -> Iterator[list[Any]]:
    """The log of this process, as dicts."""
    with capture_logs(processors=[logs.merge_facts]) as found:
        yield found
