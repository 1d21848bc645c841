"""Adds messages to a stream."""

import time
from collections.abc import Sequence
from typing import Any, Final

from redis.asyncio import Redis

from mousetrap.concurrency.group_commit import GroupCommit
from mousetrap.queue import scripts
from mousetrap.queue.errors import QueueUnavailableError
from mousetrap.queue.server import Answering
from mousetrap.queue.stages import Stage

MAX_GROUP_BYTES: Final = 4 * 1024 * 1024
PAUSE: Final = 1.0
"""Seconds between two attempts to reach a server that did not answer."""


class Sender:
    """Adds messages to one stream. It is never trimmed, which would drop unread messages.

    Concurrent sends share a round trip, which takes at most `deadline` seconds. After one in
    which the server was silent, sends fail at once, but for one each PAUSE: many callers must not
    wait, each for the deadline, for a server that is away.
    """

    def __init__(self, redis: Redis, stage: Stage[Any], *, deadline: float) -> None:
        self._redis = redis
        self._deadline = deadline
        # As bytes, since the client encodes a text again at each call.
        self._keys = (stage.key.encode(), stage.waiting.encode())
        self._group = GroupCommit(self._add, weight=MAX_GROUP_BYTES)
        self._failure = ""
        self._probe = False
        self._try_again = 0.0

    async def send(self, data: bytes, attempt: str) -> None:
        """Return once the server has the message of an attempt.

        Raises QueueUnavailableError, in which case the message may have been sent or not.
        """
        if self._failure:
            if time.monotonic() < self._try_again:
                raise QueueUnavailableError(self._failure)
            self._probe = True
            self._try_again = time.monotonic() + self._deadline + PAUSE
        await self._group.submit((data, attempt), weight=len(data))

    async def _add(self, messages: Sequence[tuple[bytes, str]]) -> Sequence[None]:
        # Those who came while the group before waited for the server do not wait once more.
        if self._failure and not self._probe:
            raise QueueUnavailableError(self._failure)
        self._probe = False
        pairs = [it for message in messages for it in message]
        begin = time.monotonic()
        try:
            async with Answering(self._deadline):
                await scripts.SEND.run(self._redis, self._keys, *pairs)
        except QueueUnavailableError as error:
            end = time.monotonic()
            if end - begin > self._deadline / 2:  # a server that refuses at once costs no time
                self._failure = str(error)
                self._try_again = end + PAUSE
            raise
        self._failure = ""
        return [None] * len(messages)
