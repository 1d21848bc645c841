"""The primary of Postgres is lost under load, and its standby promoted."""

import asyncio
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from chaos.proxy import behind
from support.callers import Callers, fleet
from support.replicas import Pair, connected, pair

pytestmark = pytest.mark.usefixtures("untraced")

RECOVERY = 15.0
"""Seconds after the promotion within which jobs are accepted again."""


@pytest.fixture
def two(tmp_path: Path) -> Iterator[Pair]:
    with pair(tmp_path / "pair") as running:
        yield running


async def failover(
    two: Pair, dsn: str, redis_url: str, lose_primary: Callable[[], None]
) -> Callers:
    """Lose the primary under load and promote the standby; return the callers."""
    async with fleet(postgres_dsn=dsn, redis_url=redis_url) as processes:
        callers = Callers(processes.url)
        async with callers.calling():
            await asyncio.sleep(2)
            lose_primary()
            await asyncio.sleep(1)
            await two.promote()
            assert await callers.works_again(time.monotonic()) < RECOVERY
            await asyncio.sleep(1)
        async with connected(two.standby_dsn) as database:
            await callers.wait_for_ends(database)
        await processes.are_ready()
        processes.check()
    return callers


async def test_failover_to_a_synchronous_standby_loses_nothing(two: Pair, redis_url: str) -> None:
    await two.wait_for_standby(synchronous=True)

    callers = await failover(two, two.dsn, redis_url, two.kill_primary)

    async with connected(two.standby_dsn) as database:
        await callers.check(database)


async def test_failover_from_a_primary_that_is_silent_loses_nothing(
    two: Pair, redis_url: str
) -> None:
    await two.wait_for_standby(synchronous=True)
    async with behind(two.primary_dsn) as (first, _), behind(two.standby_dsn) as (second, _):
        hosts = f"127.0.0.1:{first.port},127.0.0.1:{second.port}"

        callers = await failover(
            two, f"postgresql://postgres@{hosts}/postgres", redis_url, first.block
        )

    async with connected(two.standby_dsn) as database:
        await callers.check(database)
