"""Calls to Redis or Valkey: clients, deadlines and errors."""

import asyncio
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager, suppress
from types import TracebackType
from typing import Any, ClassVar, Final, Self

from redis.asyncio import Redis
from redis.exceptions import NoPermissionError, RedisError, ResponseError

from mousetrap.queue.connections import pool
from mousetrap.queue.errors import QueueUnavailableError, WrongServerError
from mousetrap.queue.stages import Stage
from mousetrap.queue.streams import GROUP

DEADLINE: Final = 3.0
"""Seconds for a call."""

TROUBLES: Final = (RedisError, OSError)
"""The errors of a call to a server that cannot be used."""

NOBODY: Final = "-"
"""The name of no attempt."""

_UNFIT: Final[Mapping[tuple[bytes, bytes | None], str]] = {
    (b"mode", b"cluster"): (
        "this Redis or Valkey runs in cluster mode, which cannot keep the keys of a script on one"
        " node: use a server with cluster-enabled no"
    ),
    (b"mode", b"sentinel"): (
        "this is a Sentinel, which holds no data: write redis+sentinel://HOST:PORT/NAME, with the"
        " name of the primary that it watches"
    ),
    (b"role", b"replica"): (
        "this Redis or Valkey is a replica, which is read-only: name the primary in the address"
    ),
}
"""Servers that answer and cannot be the queue, by a field of the answer to HELLO."""


class Answering(AbstractAsyncContextManager[None]):
    """A call to the server, which may take `deadline` seconds; use it as `async with`.

    Raises QueueUnavailableError for the errors of the client. A class, because a generator costs
    a message more than its deadline does.
    """

    __slots__ = ("_deadline", "_timeout")

    def __init__(self, deadline: float) -> None:
        self._deadline = deadline
        self._timeout = asyncio.timeout(deadline)

    async def __aenter__(self) -> None:
        await self._timeout.__aenter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            await self._timeout.__aexit__(kind, error, traceback)
        except TimeoutError as late:
            error = late
        if isinstance(error, TimeoutError):
            error = TimeoutError(f"no answer within {self._deadline:g} s")
        if isinstance(error, TROUBLES):
            raise QueueUnavailableError(
                f"the queue cannot be used ({type(error).__name__}: {error}):"
                " see whether Redis or Valkey is up, is the one configured, and has memory left"
            ) from error


async def check(redis: Redis, *stages: Stage[Any]) -> None:
    """Return if the server can be the queue of these stages: it takes writes, and has streams.

    Raises WrongServerError for a server that runs, yet never can, and errors of the client.
    """
    await redis.ping()  # fails while the server loads its data; HELLO does not
    await _check_kind(redis)
    for stage in stages:
        await _check(redis, stage)


async def _check_kind(redis: Redis) -> None:
    client: Any = redis  # it has a command of its own for HELLO only when it connects
    try:
        found = await client.execute_command("HELLO")
    except ResponseError:
        return  # a proxy without it, or a users.acl of the version before
    if isinstance(found, list):
        found = dict(zip(found[::2], found[1::2], strict=True))
    advice = _UNFIT.get((b"mode", found.get(b"mode"))) or _UNFIT.get((b"role", found.get(b"role")))
    if advice is not None:
        raise WrongServerError(advice)


async def _check(redis: Redis, stage: Stage[Any]) -> None:
    with suppress(NoPermissionError):
        # A write that changes nothing: it needs memory and a disk as every other one.
        await redis.zadd(stage.waiting, {NOBODY: 0}, xx=True)
    with suppress(NoPermissionError):
        try:
            await redis.xpending(stage.key, GROUP)
        except ResponseError as error:
            if not str(error).startswith("NOGROUP"):  # nobody has come yet
                raise


class Client:
    """A client of the server; use it as `async with`.

    Connects when it is first used, at most CONNECTIONS times at once. A call of a subclass takes at
    most `deadline` seconds, and raises QueueUnavailableError when the server cannot be used.
    """

    CONNECTIONS: ClassVar[int] = 4

    def __init__(self, redis_url: str, *, deadline: float = DEADLINE) -> None:
        self._deadline = deadline
        self._redis = Redis.from_pool(
            pool(
                redis_url,
                connections=self.CONNECTIONS,
                deadline=deadline,
            )
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._redis.aclose()
