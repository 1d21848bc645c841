"""The streams as an operator of Redis sees them."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from redis.asyncio import Redis

from mousetrap.queue.envelope import opened
from mousetrap.queue.stages import STAGES, Stage
from mousetrap.queue.streams import DATA, DEAD

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


async def until[T](condition: Callable[[], Awaitable[T]]) -> T:
    """Wait for what only the server knows; return what the condition does, once it is true."""
    async with asyncio.timeout(DEADLINE):
        while not (result := await condition()):  # noqa: ASYNC110 - it sends no signal
            await asyncio.sleep(0.02)
    return result


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
