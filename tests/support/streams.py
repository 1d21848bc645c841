"""The streams as an operator of Redis sees them."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Unpack

from redis.asyncio import Redis

from mousetrap.messages.schema import FetchRequested
from mousetrap.queue.envelope import opened
from mousetrap.queue.publisher import Publisher
from mousetrap.queue.stages import FETCH, STAGES, Stage
from mousetrap.queue.streams import DATA, DEAD, GROUP
from support.workers import Options, working

DEADLINE = 30.0


async def sent[M](raw: Redis, stream: Stage[M]) -> list[M]:
    """Return the messages in a stream, oldest first."""
    entries: Any = await raw.xrange(stream.key)
    return [read(stream, fields) for _, fields in entries]


def read[M](stream: Stage[M], fields: dict[bytes, bytes]) -> M:
    """Return the message in an entry."""
    return stream.read(opened(fields[DATA]).args[0])


async def dead(raw: Redis) -> list[dict[bytes, bytes]]:
    """Return the dead letters, oldest first."""
    entries: Any = await raw.xrange(DEAD)
    return [fields for _, fields in entries]


async def backlog(raw: Redis) -> int:
    """Return how many messages are not done."""
    return sum([int(await raw.xlen(stage.key)) for stage in STAGES])


async def blocked(raw: Any) -> int:
    """Return how many clients of the server wait for what has not come."""
    return int((await raw.info("clients"))["blocked_clients"])


async def until[T](condition: Callable[[], Awaitable[T]], *, within: float = DEADLINE) -> T:
    """Wait for what only the server knows; return what the condition does, once it is true."""
    async with asyncio.timeout(within):
        while not (result := await condition()):  # noqa: ASYNC110 - it sends no signal
            await asyncio.sleep(0.02)
    return result


class Stream:
    """The stream of requests: what is sent to it, who works on it, and what is left of it."""

    def __init__(self, url: str, raw: Redis) -> None:
        self._url = url
        self._raw: Any = raw

    async def send(self, source: str = "demo") -> uuid.UUID:
        """Send a request and return its job."""
        request = FetchRequested(uuid.uuid4(), source)
        async with Publisher(self._url) as publisher:  # the server may have died since the last
            await publisher.send(request)
        return request.job_id

    def worker(
        self,
        handler: Callable[[FetchRequested], Awaitable[None]],
        *,
        stop: asyncio.Event | None = None,
        **options: Unpack[Options],
    ) -> AbstractAsyncContextManager[asyncio.Task[None]]:
        """Start a worker of ours; its task returns when the block is left, or after `stop`."""
        return working(self._url, FETCH, handler, stop=stop, **options)

    async def abandon(self, consumer: str = "dead") -> None:
        """Read everything new in the name of a worker that dies at once."""
        if not await self._has_group():
            await self._raw.xgroup_create(FETCH.key, GROUP, id="0", mkstream=True)
        assert await self._raw.xreadgroup(GROUP, consumer, {FETCH.key: ">"}, count=100)

    async def pending(self) -> list[tuple[bytes, int]]:
        """Return holder and number of deliveries of each message that was read and is not done."""
        if not await self._has_group():
            return []
        entries = await self._raw.xpending_range(FETCH.key, GROUP, "-", "+", 100)
        return [(it["consumer"], it["times_delivered"]) for it in entries]

    async def emptied(self) -> None:
        """Wait until nothing is left of what was sent."""

        async def is_empty() -> bool:
            return not (await self._raw.xlen(FETCH.key) or await self.pending())

        await until(is_empty)

    async def acknowledged(self, count: int) -> None:
        """Wait until so many are read and acknowledged, and see that they are still there."""

        async def is_so() -> bool:
            groups = await self._raw.xinfo_groups(FETCH.key)
            return [(it["entries-read"], it["pending"]) for it in groups] == [(count, 0)]

        await until(is_so)
        assert await self._raw.xlen(FETCH.key) == count

    async def _has_group(self) -> bool:
        return bool(await self._raw.exists(FETCH.key) and await self._raw.xinfo_groups(FETCH.key))


class Restricted:
    """A user of Redis who may do everything but one command, until allowed to."""

    def __init__(self, raw: Any, name: str, url: str, command: str) -> None:
        self.url = url
        self._raw = raw
        self._name = name
        self._command = command

    async def allow(self) -> None:
        await self._raw.execute_command("ACL", "SETUSER", self._name, f"+{self._command}")


@asynccontextmanager
async def restricted(raw: Any, url: str, command: str) -> AsyncIterator[Restricted]:
    """Make a user of the server at `url` who may not use a command."""
    name = f"test-{uuid.uuid4().hex}"
    rules = ("on", "nopass", "~*", "&*", "+@all", f"-{command}")
    await raw.execute_command("ACL", "SETUSER", name, *rules)
    try:
        yield Restricted(raw, name, url.replace("unix://", f"unix://{name}:any@"), command)
    finally:
        await raw.execute_command("ACL", "DELUSER", name)
