"""The queue is ready only when a process could send to its streams and read them."""

import pytest
from redis.asyncio import Redis

from mousetrap.queue.broker import StreamBroker
from mousetrap.queue.errors import QueueUnavailableError
from mousetrap.queue.publisher import Publisher
from mousetrap.queue.stages import FETCH, PROCESS
from mousetrap.queue.streams import WAITING
from mousetrap.queue.task_publisher import TaskPublisher
from support.valkey import command


async def refuse(url: str, reason: str) -> None:
    """See that a sender and a worker of requests, and who sends outcomes, are told a reason."""
    async with (
        Publisher(url) as publisher,
        TaskPublisher(url, stages=(PROCESS,)) as outcomes,
        StreamBroker(url, FETCH, consumer="worker") as broker,
    ):
        for it in (publisher, broker, outcomes):
            with pytest.raises(QueueUnavailableError, match=reason):
                await it.ping()
        await broker.shutdown()


async def test_streams_of_the_wrong_type_are_not_ready(redis_url: str, raw: Redis) -> None:
    await raw.set(FETCH.key, "x")
    await raw.set(PROCESS.key, "x")

    await refuse(redis_url, "WRONGTYPE")


async def test_waiting_attempts_of_the_wrong_type_are_not_ready(redis_url: str, raw: Redis) -> None:
    await raw.set(WAITING, "x")

    await refuse(redis_url, "WRONGTYPE")


async def test_a_server_without_memory_is_not_ready_until_it_has_some(
    redis_url: str, raw: Redis
) -> None:
    await command(raw, "CONFIG", "SET", "maxmemory", "1")
    try:
        await refuse(redis_url, "OutOfMemoryError")
    finally:
        await command(raw, "CONFIG", "SET", "maxmemory", "0")
    async with Publisher(redis_url) as publisher:
        await publisher.ping()


async def test_a_check_leaves_nothing_behind(redis_url: str, raw: Redis) -> None:
    async with Publisher(redis_url) as publisher:
        await publisher.ping()

    assert await raw.dbsize() == 0
