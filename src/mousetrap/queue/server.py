"""Calls to Redis or Valkey: deadlines and errors."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Final

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
