"""The process worker, in this process or in one of its own, between a real queue and Postgres."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from support import processes

LEASE = 0.5

SOURCES = 'default = "demo"\n[sources.demo]\nkind = "faker"\n'

Start = Callable[..., Awaitable[processes.Process]]


@pytest.fixture
async def start(postgres_dsn: str, redis_url: str, tmp_path: Path) -> AsyncIterator[Start]:
    """Start a process worker; arguments are its own, keywords are settings."""
    sources = tmp_path / "configured.toml"
    sources.write_text(SOURCES)
    async with AsyncExitStack() as stack:

        async def run(*arguments: str, **changes: str | None) -> processes.Process:
            settings: dict[str, str | None] = {
                "postgres_dsn": postgres_dsn,
                "redis_url": redis_url,
                "sources_file": str(sources),
                "lease": str(LEASE),
                "reconcile_period": "600",
                "health_port": "0",
                **changes,
            }
            worker = processes.running("process_worker", *arguments, settings=settings)
            return await stack.enter_async_context(worker)

        yield run
