"""Sends messages to the workers."""

from typing import Self

from taskiq.message import TaskiqMessage

from mousetrap.messages.schema import Message
from mousetrap.queue.broker import StreamBroker, answering
from mousetrap.queue.streams import FETCH, PROCESS, attempt_of, route


class Publisher:
    """Adds each message to the stream that it belongs to; use it as `async with`.

    Connects when it is first used, so it starts without a server. A call takes at most
    `deadline` seconds.
    """

    def __init__(self, redis_url: str, *, deadline: float = 3.0) -> None:
        self._deadline = deadline
        self._brokers = {
            stream.key: StreamBroker(redis_url, stream.key, deadline=deadline)
            for stream in (FETCH, PROCESS)
        }

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
        stream = route(message)
        broker = self._brokers[stream.key]
        packed = broker.formatter.dumps(
            TaskiqMessage(
                task_id=attempt_of(message),
                task_name=stream.task,
                labels={},
                args=[message],
                kwargs={},
            )
        )
        async with answering(self._deadline):
            await broker.kick(packed)

    async def ping(self) -> None:
        """Return when the server answers; raises QueueUnavailableError."""
        async with answering(self._deadline):
            await self._brokers[FETCH.key].ping()
