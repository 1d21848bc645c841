"""A task that the product does not know, declared in this module alone, has every promise."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Final

import msgspec
import pytest
from redis.asyncio import Redis
from taskiq import AsyncTaskiqDecoratedTask

from mousetrap.messages.dead_letter import DeadLetter
from mousetrap.queue.broker import StreamBroker, own_name
from mousetrap.queue.receiver import StreamReceiver
from mousetrap.queue.stages import Stage
from mousetrap.queue.streams import GROUP
from mousetrap.runtime import worker
from mousetrap.telemetry import logs
from mousetrap.telemetry.health import Health
from mousetrap.telemetry.metrics import Metrics
from support import processes
from support.streams import dead, until

LEASE: Final = 1.0


class Greeting(msgspec.Struct):
    """To be told to somebody, in some time."""

    name: str
    seconds: float = 0.0
    deadly: bool = False


GREET: Final[Stage[Greeting]] = Stage("greet", msgspec.json.Decoder(Greeting).decode, last=True)


def declare(broker: StreamBroker, notes: Redis) -> AsyncTaskiqDecoratedTask[[Greeting], Any]:
    """Declare the task; it notes in `notes` whom it has begun to greet, and whom it has greeted."""

    @broker.task(task_name=GREET.task)
    async def greet(greeting: Greeting) -> None:
        await notes.rpush("begun", greeting.name)
        await asyncio.sleep(greeting.seconds)
        if greeting.deadly:
            os.kill(os.getpid(), signal.SIGKILL)
        await notes.rpush("greeted", greeting.name)

    return greet


async def main(url: str) -> int:
    """Work off the stream until told to stop."""
    async with (
        Redis.from_url(url) as notes,
        StreamBroker(url, GREET, consumer=own_name("stranger"), lease=LEASE) as broker,
    ):
        declare(broker, notes)

        async def bury(letter: DeadLetter) -> None:
            await notes.rpush("buried", letter.id)

        receiver = StreamReceiver(broker, concurrency=4, grace=10.0, bury=bury)
        health = Health({"redis": broker.ping})
        return await worker.work(
            receiver, health, Metrics(), health_host="127.0.0.1", health_port=0
        )


def started(url: str) -> AbstractAsyncContextManager[processes.Process]:
    return processes.python(__file__, url)


@asynccontextmanager
async def listening(url: str) -> AsyncIterator[processes.Process]:
    async with started(url) as process:
        await process.logged("working")
        yield process


@pytest.fixture
async def greet(
    redis_url: str, raw: Redis
) -> AsyncIterator[AsyncTaskiqDecoratedTask[[Greeting], Any]]:
    async with StreamBroker(redis_url, GREET) as broker:
        yield declare(broker, raw)


async def noted(raw: Any, key: str) -> list[str]:
    return [it.decode() for it in await raw.lrange(key, 0, -1)]


async def test_what_a_killed_worker_had_in_hand_is_done_by_another(
    greet: Any, redis_url: str, raw: Any
) -> None:
    async def done() -> bool:
        return not await raw.xlen(GREET.key)

    async with listening(redis_url) as first:
        await greet.kiq(Greeting("Ada", seconds=2.0))
        await until(lambda: noted(raw, "begun"))
        await first.kill()
    async with listening(redis_url):
        await until(done)
    assert await noted(raw, "begun") == ["Ada", "Ada"]
    assert await noted(raw, "greeted") == ["Ada"]
    assert not await raw.exists("mousetrap:waiting")


async def test_a_task_longer_than_its_lease_is_not_done_by_two(
    greet: Any, redis_url: str, raw: Any
) -> None:
    async def done() -> bool:
        return not await raw.xlen(GREET.key)

    async with listening(redis_url), listening(redis_url):
        await greet.kicker().with_task_id("greeting/1").kiq(Greeting("Ada", seconds=3 * LEASE))
        await until(done)
    assert await noted(raw, "begun") == ["Ada"]


async def test_what_ends_its_workers_or_cannot_be_read_is_given_up(
    greet: Any, redis_url: str, raw: Any
) -> None:
    async def unreadable_is_buried() -> bool:
        return len(await dead(raw)) == 1

    async def both_are_buried() -> bool:
        return len(await dead(raw)) == 2

    await raw.xadd(GREET.key, {"data": b"?"})
    async with listening(redis_url):
        await until(unreadable_is_buried)
    await greet.kiq(Greeting("Death", deadly=True))
    for _ in range(3):
        async with started(redis_url) as mortal:
            await mortal.logged("working")
            await mortal.end()
    async with listening(redis_url):
        await greet.kiq(Greeting("Ada"))
        await until(both_are_buried)
    reasons = [letter[b"reason"].decode() for letter in await dead(raw)]
    assert "not an envelope" in reasons[0]
    assert reasons[1] == "delivered 3 times and never finished"
    assert len(await noted(raw, "buried")) == 2
    assert await noted(raw, "greeted") == ["Ada"]


async def test_sigterm_lets_the_work_in_hand_finish(greet: Any, redis_url: str, raw: Any) -> None:
    async with listening(redis_url) as process:
        await greet.kiq(Greeting("Ada", seconds=1.0))
        await until(lambda: noted(raw, "begun"))
        process.send(signal.SIGTERM)
        assert await process.end() == (0, "")
    assert await noted(raw, "greeted") == ["Ada"]
    assert await raw.xlen(GREET.key) == 0
    assert await raw.xinfo_consumers(GREET.key, GROUP) == []


if __name__ == "__main__":
    logs.configure("stranger")
    worker.run(main(sys.argv[1]))
