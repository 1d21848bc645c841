"""The process worker, in this process or in one of its own, between a real queue and Postgres."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from typing import Any

import asyncpg
import pytest
from redis.asyncio import Redis
from structlog.testing import capture_logs

import processes
from mousetrap.queue.publisher import Publisher
from mousetrap.store.database import Database
from mousetrap.store.migrations import migrate
from store.side import Connection

LEASE = 0.5

Start = Callable[..., Awaitable[processes.Process]]


@pytest.fixture
def events() -> Iterator[list[Any]]:
    """What this process logs, as dicts."""
    with capture_logs() as found:
        yield found


@pytest.fixture
async def migrated_dsn(postgres_dsn: str) -> str:
    await migrate(postgres_dsn)
    return postgres_dsn


@pytest.fixture
async def database(migrated_dsn: str) -> AsyncIterator[Database]:
    async with Database(migrated_dsn) as found:
        yield found


@pytest.fixture
async def side(migrated_dsn: str) -> AsyncIterator[Connection]:
    connection = await asyncpg.connect(migrated_dsn, timeout=10, command_timeout=30)
    try:
        yield connection
    finally:
        await connection.close(timeout=10)


@pytest.fixture
async def raw(redis_url: str) -> AsyncIterator[Redis]:
    async with Redis.from_url(redis_url, socket_timeout=5) as client:
        yield client


@pytest.fixture
async def publisher(redis_url: str) -> AsyncIterator[Publisher]:
    async with Publisher(redis_url) as found:
        yield found


@pytest.fixture
async def start(postgres_dsn: str, redis_url: str) -> AsyncIterator[Start]:
    """Start a process worker; arguments are its own, keywords are settings."""
    async with AsyncExitStack() as stack:

        async def run(*arguments: str, **changes: str | None) -> processes.Process:
            settings: dict[str, str | None] = {
                "postgres_dsn": postgres_dsn,
                "redis_url": redis_url,
                "lease": str(LEASE),
                "health_port": "0",
                **changes,
            }
            worker = processes.running("process_worker", *arguments, settings=settings)
            return await stack.enter_async_context(worker)

        yield run
