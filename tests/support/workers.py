"""A worker in the process of its test."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from mousetrap.queue.broker import StreamBroker, own_name
from mousetrap.queue.receiver import StreamReceiver
from mousetrap.queue.stages import Stage


@asynccontextmanager
async def receiver[M](
    url: str,
    stream: Stage[M],
    handler: Callable[[M], Awaitable[None]],
    *,
    lease: float,
    max_deliveries: int,
    **options: Any,
) -> AsyncIterator[StreamReceiver]:
    """Declare a task that hands its message to `handler`; the receiver is to be told to listen."""
    async with StreamBroker(
        url, stream, consumer=own_name("test"), lease=lease, max_deliveries=max_deliveries
    ) as broker:

        @broker.task(task_name=stream.task)
        async def run(message: Any) -> None:
            await handler(message)

        yield StreamReceiver(broker, **options)
