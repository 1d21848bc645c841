"""Calls to Redis or Valkey: clients, deadlines and errors."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import ClassVar, Final, Self

from redis.asyncio import BlockingConnectionPool, Redis
from redis.exceptions import RedisError

from mousetrap.queue.errors import QueueUnavailableError

TROUBLES: Final = (RedisError, OSError)
"""The errors of a call to a server that cannot be used."""


@contextmanager
def reaching() -> Iterator[None]:
    """Translate the errors of a call to the server into QueueUnavailableError."""
    try:
        yield
    except TROUBLES as error:
        raise QueueUnavailableError(
            f"the queue cannot be used ({type(error).__name__}: {error}):"
            " see whether Redis or Valkey is up, is the one configured, and has memory left"
        ) from error


@asynccontextmanager
async def answering(deadline: float) -> AsyncIterator[None]:
    """Like `reaching`, with a deadline of `deadline` seconds."""
    with reaching():
        try:
            async with asyncio.timeout(deadline):
                yield
        except TimeoutError:
            raise TimeoutError(f"no answer within {deadline:g} s") from None


class Client:
    """A client of the server; use it as `async with`.

    Connects when it is first used, at most CONNECTIONS times at once. A call of a subclass takes at
    most `deadline` seconds, and raises QueueUnavailableError when the server cannot be used.
    """

    CONNECTIONS: ClassVar[int] = 4

    def __init__(self, redis_url: str, *, deadline: float = 3.0) -> None:
        self._deadline = deadline
        self._redis = Redis.from_pool(
            BlockingConnectionPool.from_url(
                redis_url,
                max_connections=self.CONNECTIONS,
                timeout=deadline,
                socket_timeout=deadline,
                socket_connect_timeout=deadline,
            )
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._redis.aclose()
