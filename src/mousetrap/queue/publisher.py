"""Sends messages to the workers.

This module does not import taskiq, so a process that only sends needs no memory for it.
"""

from collections.abc import Sequence
from typing import Any, Protocol, Self

from redis.asyncio import Redis

from mousetrap.messages.schema import Message
from mousetrap.queue.breaker import Breaker
from mousetrap.queue.connections import pool
from mousetrap.queue.envelope import pack
from mousetrap.queue.sender import Sender
from mousetrap.queue.server import DEADLINE, Answering, check
from mousetrap.queue.stages import FETCH, STAGES, Stage, name_of
from mousetrap.queue.streams import attempt_of


class MessageSender(Protocol):
    """Sends messages to the workers."""

    async def send(self, message: Message) -> None:
        """Return once the server has the message; raises what Publisher.send does."""


class Publisher:
    """Adds each message to the stream that it belongs to; use it as `async with`.

    Connects when it is first used, so it starts without a server. A round trip takes at most
    `deadline` seconds, or those of the `breaker` that it may share. Messages sent during a round
    trip share the next one, up to 256 messages or 4 MiB, so a call rarely waits for more than two.
    """

    def __init__(
        self,
        redis_url: str,
        *,
        deadline: float = DEADLINE,
        breaker: Breaker | None = None,
        stages: Sequence[Stage[Any]] = STAGES,
    ) -> None:
        self._deadline = deadline
        breaker = breaker or Breaker(deadline)
        self._redis: Redis = Redis.from_pool(pool(redis_url, connections=8, deadline=deadline))
        self._stages = {stage.name: stage for stage in stages}
        self._senders = {stage.name: Sender(self._redis, stage, breaker) for stage in stages}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._redis.aclose()

    async def send(self, message: Message) -> None:
        """Return once the server has the message.

        Raises QueueUnavailableError, in which case the message may have been sent or not, and
        MessageTooLargeError.
        """
        name, attempt = name_of(message), attempt_of(message)
        data = pack(attempt, self._stages[name].task, message)
        await self._senders[name].send(data, attempt)

    async def ping(self) -> None:
        """Return when the server can be the queue; raises QueueUnavailableError."""
        async with Answering(self._deadline):
            await check(self._redis, FETCH)
