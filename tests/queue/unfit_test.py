"""Servers that answer and cannot be the queue are named, by every process that asks."""

from pathlib import Path

import pytest
from redis.asyncio import Redis

from mousetrap.queue.broker import StreamBroker
from mousetrap.queue.errors import WrongServerError
from mousetrap.queue.publisher import Publisher
from mousetrap.queue.stages import FETCH
from mousetrap.queue.task_publisher import TaskPublisher
from support.valkey import command, running


async def refusals(url: str) -> set[str]:
    """Return what each of the three senders and receivers says of a server."""
    told = set()
    async with (
        Publisher(url) as publisher,
        TaskPublisher(url) as tasks,
        StreamBroker(url, FETCH, consumer="worker") as broker,
    ):
        for it in (publisher, tasks, broker):
            with pytest.raises(WrongServerError) as caught:
                await it.ping()
            told.add(str(caught.value))
        await broker.shutdown()
    return told


async def test_a_cluster_is_refused(tmp_path: Path) -> None:
    with running(tmp_path, "--cluster-enabled", "yes") as url:
        [told] = await refusals(url)

    assert "runs in cluster mode" in told
    assert "use a server with cluster-enabled no" in told


async def test_a_replica_is_refused_until_it_is_the_primary(tmp_path: Path) -> None:
    with running(tmp_path) as url:
        async with Redis.from_url(url) as operator, Publisher(url) as publisher:
            await publisher.ping()
            await command(operator, "REPLICAOF", "127.0.0.1", "1")

            [told] = await refusals(url)
            assert told.endswith("is read-only: name the primary in the address")

            await command(operator, "REPLICAOF", "NO", "ONE")
            await publisher.ping()


async def test_a_server_without_hello_is_taken(redis_url: str, raw: Redis) -> None:
    await command(raw, "ACL", "SETUSER", "old", "on", ">x", "-@all", "+ping", "+select")
    try:
        url = redis_url.replace("unix://", "unix://old:x@")
        async with Publisher(url) as publisher:
            await publisher.ping()
    finally:
        await command(raw, "ACL", "DELUSER", "old")
        await command(raw, "ACL", "LOG", "RESET")
