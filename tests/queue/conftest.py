"""Our worker and the stock one, side by side on a real server."""

import asyncio
import gc
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any
from uuid import UUID, uuid4

import pytest
from redis.asyncio import Redis
from taskiq.receiver import Receiver
from taskiq_redis import RedisStreamBroker

from mousetrap.messages.dead_letter import DeadLetter
from mousetrap.messages.schema import FetchRequested
from mousetrap.queue.publisher import Publisher
from mousetrap.queue.stages import FETCH
from mousetrap.queue.streams import GROUP
from support.workers import receiver

LEASE = 0.5

Start = Callable[..., AbstractAsyncContextManager[asyncio.Task[None]]]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # Cut off while it reclaims, the stock broker leaves a connection behind. A mark made by the
    # fixture would be too late: the filters are set before a test's fixtures are.
    for item in items:
        if "stock" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.filterwarnings("ignore::ResourceWarning"))


@pytest.fixture(autouse=True)
def events(events: list[Any]) -> list[Any]:
    """The log of this process; caught in every test here."""
    return events


@pytest.fixture
def send(publisher: Publisher) -> Callable[[], Awaitable[UUID]]:
    """Send a request and return its job."""

    async def one() -> UUID:
        job_id = uuid4()
        await publisher.send(FetchRequested(job_id=job_id, source="demo"))
        return job_id

    return one


@pytest.fixture
def abandon(raw: Redis) -> Callable[[str], Awaitable[None]]:
    """Read everything new in the name of a worker that dies at once."""

    async def read(consumer: str) -> None:
        if not await raw.exists(FETCH.key) or not await raw.xinfo_groups(FETCH.key):
            await raw.xgroup_create(FETCH.key, GROUP, id="0", mkstream=True)
        assert await raw.xreadgroup(GROUP, consumer, {FETCH.key: ">"}, count=100)

    return read


@pytest.fixture
def until() -> Callable[..., Awaitable[None]]:
    """Wait for what only the server knows."""

    async def wait(condition: Callable[[], Awaitable[object]], *, within: float = 5.0) -> None:
        async with asyncio.timeout(within):
            while not await condition():  # noqa: ASYNC110 - the server sends no signal
                await asyncio.sleep(0.02)

    return wait


@pytest.fixture
def consume(redis_url: str) -> Start:
    """Start a worker of ours; its task returns when the block is left."""

    async def bury(letter: DeadLetter) -> None:
        raise AssertionError(letter.reason)

    @asynccontextmanager
    async def start(
        handler: Callable[[Any], Awaitable[None]], **options: Any
    ) -> AsyncIterator[Any]:
        chosen: dict[str, Any] = {
            "url": redis_url,
            "stream": FETCH,
            "concurrency": 2,
            "lease": LEASE,
            "max_deliveries": 3,
            "grace": 5.0,
            "bury": bury,
            "stop": asyncio.Event(),
            **options,
        }
        stop = chosen.pop("stop")
        async with receiver(handler=handler, **chosen) as worker, asyncio.timeout(60):
            running = asyncio.create_task(worker.listen(stop))
            try:
                yield running
            finally:
                stop.set()
                await running

    return start


@pytest.fixture
def stock(redis_url: str) -> Iterator[Start]:
    """Start a worker as taskiq and taskiq-redis make it; what ends it is in its task."""

    @asynccontextmanager
    async def start(
        handler: Callable[[dict[str, Any]], Awaitable[None]], **options: Any
    ) -> AsyncIterator[Any]:
        receiving = {"max_async_tasks": 2, **options.pop("receiver", {})}
        reading: dict[str, Any] = {"idle_timeout": int(LEASE * 1000), "xread_block": 500, **options}
        url = reading.pop("url", redis_url)
        broker = RedisStreamBroker(url, FETCH.key, consumer_group_name=GROUP, **reading)

        async def run(payload: dict[str, Any]) -> None:
            await handler(payload)

        broker.register_task(run, task_name=FETCH.task)
        stop = asyncio.Event()
        running = asyncio.create_task(Receiver(broker, **receiving).listen(stop))
        try:
            yield running
        finally:
            stop.set()
            await asyncio.wait([running], timeout=10)
            await broker.shutdown()

    yield start
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()
