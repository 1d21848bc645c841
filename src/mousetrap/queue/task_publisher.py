"""Sends messages by taskiq, for processes that load it anyway."""

from collections.abc import Sequence
from typing import Any, Self

from taskiq.exceptions import SendTaskError
from taskiq.kicker import AsyncKicker

from mousetrap.messages.schema import Message
from mousetrap.queue.broker import StreamBroker
from mousetrap.queue.stages import STAGES, Stage, name_of
from mousetrap.queue.streams import attempt_of


class TaskPublisher:
    """Sends each message as the task of its stage, by taskiq's kicker; use it as `async with`.

    It promises what Publisher does, with the same entries in the streams.
    """

    def __init__(
        self, redis_url: str, *, deadline: float = 3.0, stages: Sequence[Stage[Any]] = STAGES
    ) -> None:
        self._brokers = {it.name: StreamBroker(redis_url, it, deadline=deadline) for it in stages}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        for broker in self._brokers.values():
            await broker.shutdown()

    async def send(self, message: Message) -> None:
        """Return once the server has the message.

        Raises QueueUnavailableError, in which case the message may have been sent or not, and
        MessageTooLargeError.
        """
        broker = self._brokers[name_of(message)]
        kicker: AsyncKicker[Any, None] = AsyncKicker(
            task_name=broker.stream.task, broker=broker, labels={}
        )
        try:
            await kicker.with_task_id(attempt_of(message)).kiq(message)
        except SendTaskError as error:
            raise error.__cause__ or error from None

    async def ping(self) -> None:
        """Return when the server can be the queue of all stages; raises QueueUnavailableError."""
        for broker in self._brokers.values():
            await broker.ping()
