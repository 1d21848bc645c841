"""One stream's worker in this process."""

import asyncio
import os
import secrets
import socket
import sys
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Self

from mousetrap.queue.broker import StreamBroker
from mousetrap.queue.deliveries import DeadLetter
from mousetrap.queue.metrics import ConsumerMetrics
from mousetrap.queue.receiver import StreamReceiver
from mousetrap.queue.streams import Stream


class Consumer[M]:
    """Hands the messages of a stream to `handler`; use it as `async with`.

    At most `concurrency` messages are in hand, and fewer while they are large or while `room` says
    that there is no room for so many more. When the handler returns, its message is acknowledged;
    when it raises, or this process dies, the message is delivered again after `lease` seconds, at
    most `max_deliveries` times in all; unless it raises RejectedMessageError, which gives the
    message up at once. A message that is given up is first told to `bury`, again and again until
    that returns, and then moved to the dead letters; so both must bear being told twice. They share
    the event loop with the signs of life, so neither may block it for as long as a third of the
    lease. `grace` is how many seconds work in hand has to finish once it is time to stop.

    `name` is the service; the consumer's name in Redis adds host, process and a random part.
    """

    def __init__(  # noqa: PLR0913 - each is a plain number, name or function
        self,
        redis_url: str,
        stream: Stream[M],
        handler: Callable[[M], Awaitable[None]],
        *,
        name: str,
        concurrency: int,
        lease: float,
        max_deliveries: int,
        grace: float,
        bury: Callable[[DeadLetter], Awaitable[None]],
        metrics: ConsumerMetrics | None = None,
        room: Callable[[], int] = lambda: sys.maxsize,
    ) -> None:
        self._broker = StreamBroker(
            redis_url,
            stream.key,
            consumer=f"{name}-{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}",
            lease=lease,
            max_deliveries=max_deliveries,
        )
        self._receiver = StreamReceiver(
            self._broker,
            stream=stream,
            handler=handler,
            concurrency=concurrency,
            grace=grace,
            bury=bury,
            metrics=metrics or ConsumerMetrics(),
            room=room,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._broker.shutdown()

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set and what was in hand is finished or its grace is over.

        Outages of the server, at the start as well, are waited out.
        """
        try:
            await self._receiver.listen(stop)
        finally:
            await self._broker.leave()

    async def ping(self) -> None:
        """Return when the server answers; raises QueueUnavailableError."""
        await self._broker.ping()
