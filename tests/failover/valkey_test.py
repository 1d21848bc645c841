"""The primary of Valkey is lost under load, and its Sentinels promote the replica."""

import asyncio
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.callers import Callers, fleet
from support.postgres import Connection
from support.sentinels import Group, group
from support.streams import until

pytestmark = pytest.mark.usefixtures("untraced")


@pytest.fixture
def sentinels(tmp_path: Path) -> Iterator[Group]:
    with group(tmp_path / "sentinels") as running:
        yield running


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGSTOP])
async def test_failover_to_a_replica_loses_nothing(
    sentinels: Group, postgres_dsn: str, side: Connection, end: signal.Signals
) -> None:
    async with fleet(postgres_dsn=postgres_dsn, redis_url=sentinels.url) as processes:
        callers = Callers(processes.url)
        async with callers.calling():
            await asyncio.sleep(2)
            sentinels.lose_primary(end)
            await until(sentinels.is_replaced)
            await callers.works_again(time.monotonic())
        await callers.check(side)
        await processes.are_ready()
        processes.check()
