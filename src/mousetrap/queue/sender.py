"""Adds messages to a stream."""

from collections.abc import Sequence
from typing import Any, Final

from redis.asyncio import Redis

from mousetrap.concurrency.group_commit import GroupCommit
from mousetrap.queue import scripts
from mousetrap.queue.breaker import Breaker
from mousetrap.queue.stages import Stage

MAX_GROUP_BYTES: Final = 4 * 1024 * 1024


class Sender:
    """Adds messages to one stream. It is never trimmed, which would drop unread messages.

    Concurrent sends share a round trip, under the `breaker` of the server.
    """

    def __init__(self, redis: Redis, stage: Stage[Any], breaker: Breaker) -> None:
        self._redis = redis
        self._breaker = breaker
        # As bytes, since the client encodes a text again at each call.
        self._keys = (stage.key.encode(), stage.waiting.encode())
        self._group = GroupCommit(self._add, weight=MAX_GROUP_BYTES)

    async def send(self, data: bytes, attempt: str) -> None:
        """Return once the server has the message of an attempt.

        Raises QueueUnavailableError, in which case the message may have been sent or not.
        """
        self._breaker.admit()
        await self._group.submit((data, attempt), weight=len(data))

    async def _add(self, messages: Sequence[tuple[bytes, str]]) -> Sequence[None]:
        pairs = [it for message in messages for it in message]
        # Those who came while the group before waited in vain do not wait once more.
        async with self._breaker.call():
            await scripts.SEND.run(self._redis, self._keys, *pairs)
        return [None] * len(messages)
