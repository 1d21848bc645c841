"""The primary of Valkey is lost under load, and its Sentinels promote the replica."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.callers import Callers, fleet
from support.postgres import Connection
from support.sentinels import Group, client, group


@pytest.fixture
def sentinels(tmp_path: Path) -> Iterator[Group]:
    with group(tmp_path / "sentinels") as running:
        yield running


async def test_failover_to_a_replica_loses_nothing(
    sentinels: Group, postgres_dsn: str, side: Connection
) -> None:
    async with fleet(postgres_dsn=postgres_dsn, redis_url=sentinels.url) as processes:
        callers = Callers(processes.url)
        async with callers.calling():
            await asyncio.sleep(2)
            sentinels.kill_primary()
            await asyncio.sleep(5)
            await callers.works_again(time.monotonic())
        await callers.check(side)
        await processes.are_ready()
        processes.check()
    with client(sentinels.replica) as primary:
        assert primary.info("replication")["role"] == "master"
