"""Workers in the process of their test: ours, and those that taskiq and taskiq-redis make."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, TypedDict, Unpack

from taskiq.acks import AcknowledgeType
from taskiq.receiver import Receiver
from taskiq_redis import RedisStreamBroker

from mousetrap.messages.dead_letter import DeadLetter
from mousetrap.queue.broker import StreamBroker, own_name
from mousetrap.queue.metrics import ConsumerMetrics
from mousetrap.queue.receiver import Admit, Bury, StreamReceiver
from mousetrap.queue.stages import FETCH, Stage
from mousetrap.queue.streams import GROUP

LEASE = 0.5


class Receiving(TypedDict, total=False):
    """The options of a receiver, as StreamReceiver has them."""

    concurrency: int
    grace: float
    bury: Bury
    metrics: ConsumerMetrics
    limit: int
    admit: Admit


class Options(Receiving, total=False):
    """The options of a worker: those of its broker as well."""

    lease: float
    max_deliveries: int


async def unexpected(letter: DeadLetter) -> None:
    raise AssertionError(letter.reason)


@asynccontextmanager
async def receiver[M](
    url: str,
    stream: Stage[M],
    handler: Callable[[M], Awaitable[None]],
    *,
    lease: float = LEASE,
    max_deliveries: int = 3,
    **options: Unpack[Receiving],
) -> AsyncIterator[StreamReceiver]:
    """Declare a task that hands its message to `handler`; the receiver is to be told to listen."""
    async with StreamBroker(
        url, stream, consumer=own_name("test"), lease=lease, max_deliveries=max_deliveries
    ) as broker:

        @broker.task(task_name=stream.task)
        async def run(message: Any) -> None:
            await handler(message)

        chosen: Receiving = {"concurrency": 2, "grace": 5.0, "bury": unexpected, **options}
        yield StreamReceiver(broker, **chosen)


@asynccontextmanager
async def working[M](
    url: str,
    stream: Stage[M],
    handler: Callable[[M], Awaitable[None]],
    *,
    stop: asyncio.Event | None = None,
    **options: Unpack[Options],
) -> AsyncIterator[asyncio.Task[None]]:
    """Start a worker of ours; its task returns when the block is left, or after `stop`."""
    stop = stop or asyncio.Event()
    async with receiver(url, stream, handler, **options) as worker, asyncio.timeout(60):
        running = asyncio.create_task(worker.listen(stop))
        try:
            yield running
        finally:
            stop.set()
            await running


class Stock:
    """The workers of requests that taskiq and taskiq-redis make."""

    def __init__(self, url: str) -> None:
        self._url = url

    @asynccontextmanager
    async def worker(
        self,
        handler: Callable[[dict[str, Any]], Awaitable[None]],
        *,
        consumer_id: str = "$",
        ack_type: AcknowledgeType | None = None,
        wait_tasks_timeout: float | None = None,
        socket_timeout: float = 5.0,
    ) -> AsyncIterator[asyncio.Task[None]]:
        """Start one; what ends it is in its task."""
        broker = RedisStreamBroker(
            self._url,
            FETCH.key,
            consumer_group_name=GROUP,
            consumer_id=consumer_id,
            xread_block=500,
            idle_timeout=round(LEASE * 1000),
            socket_timeout=socket_timeout,
        )

        async def run(payload: dict[str, Any]) -> None:
            await handler(payload)

        broker.register_task(run, task_name=FETCH.task)
        worker = Receiver(
            broker, max_async_tasks=2, ack_type=ack_type, wait_tasks_timeout=wait_tasks_timeout
        )
        stop = asyncio.Event()
        running = asyncio.create_task(worker.listen(stop))
        try:
            yield running
        finally:
            stop.set()
            await asyncio.wait([running], timeout=10)
            await broker.shutdown()
