"""The process worker, in this process or in one of its own, between a real queue and Postgres."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mousetrap.queue.pieces import PieceStore
from support.processes import Starter

LEASE = 0.5

SOURCES = 'default = "demo"\n[sources.demo]\nkind = "faker"\n'


@pytest.fixture
async def start(postgres_dsn: str, redis_url: str, tmp_path: Path) -> AsyncIterator[Starter]:
    sources = tmp_path / "configured.toml"
    sources.write_text(SOURCES)
    async with Starter(
        "process_worker",
        postgres_dsn=postgres_dsn,
        redis_url=redis_url,
        sources_file=str(sources),
        lease=str(LEASE),
        reconcile_period="600",
        health_port="0",
    ) as found:
        yield found


@pytest.fixture
async def pieces(redis_url: str) -> AsyncIterator[PieceStore]:
    async with PieceStore(redis_url) as found:
        yield found
