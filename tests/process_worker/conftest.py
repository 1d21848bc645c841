"""The process worker, in this process or in one of its own, between a real queue and Postgres."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import pytest

import processes

LEASE = 0.5

Start = Callable[..., Awaitable[processes.Process]]


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
