"""The fetch worker, in this process or in one of its own, with a real queue and real sources."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mousetrap.queue.pieces import PieceStore
from support import origin as origins
from support.processes import Starter

SOURCES = """
default = "demo"

[sources.demo]
kind = "faker"
count = 3

[sources.feed]
kind = "geojson"
url = "{feed}"
allow_private = true

[sources.gone]
kind = "geojson"
url = "{gone}"
allow_private = true
"""
LEASE = 0.5


@pytest.fixture
async def origin() -> AsyncIterator[origins.Origin]:
    async with origins.running() as running:
        yield running


@pytest.fixture
async def pieces(redis_url: str) -> AsyncIterator[PieceStore]:
    async with PieceStore(redis_url) as found:
        yield found


@pytest.fixture
async def start(redis_url: str, origin: origins.Origin, tmp_path: Path) -> AsyncIterator[Starter]:
    file = tmp_path / "sources.toml"
    file.write_text(SOURCES.format(feed=origin.url("/feed"), gone=origin.url("/gone")))
    async with Starter(
        "fetch_worker",
        redis_url=redis_url,
        sources_file=str(file),
        lease=str(LEASE),
        health_port="0",
    ) as found:
        yield found
