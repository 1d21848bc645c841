"""Adds messages to a stream."""

from collections.abc import Sequence
from typing import Any, Final

from redis.asyncio import Redis

from mousetrap.concurrency.group_commit import GroupCommit
from mousetrap.queue import scripts
from mousetrap.queue.server import answering
from mousetrap.queue.stages import Stage

MAX_GROUP_BYTES: Final = 4 * 1024 * 1024


class Sender:
    """Adds messages to one stream. It is never trimmed, which would drop unread messages.

    Concurrent sends share a round trip, which takes at most `deadline` seconds.
    """

    def __init__(self, redis: Redis, stage: Stage[Any], *, deadline: float) -> None:
        self._redis = redis
        self._deadline = deadline
        self._stage = stage
        self._group = GroupCommit(self._add, weight=MAX_GROUP_BYTES)

    async def send(self, data: bytes, attempt: str) -> None:
        """Return once the server has the message of an attempt.

        Raises QueueUnavailableError, in which case the message may have been sent or not.
        """
        await self._group.submit((data, attempt), weight=len(data))

    async def _add(self, messages: Sequence[tuple[bytes, str]]) -> Sequence[None]:
        keys = (self._stage.key, self._stage.waiting)
        pairs = [it for message in messages for it in message]
        async with answering(self._deadline):
            await scripts.SEND.run(self._redis, keys, *pairs)
        return [None] * len(messages)
