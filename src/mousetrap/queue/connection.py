"""A connection to the server for one command after another."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

import hiredis
from redis.asyncio import ConnectionPool

from mousetrap.queue.server import answering

LARGE: Final = 64 * 1024
"""Bytes of an argument that is rather sent from where it is than copied."""

Argument = str | bytes | float


class Connection:
    """Sends a command and waits for its answer, for less than half of what redis-py's client takes.

    That one would take a connection out of its pool and put it back, pack arguments one by one,
    set a timer for the writing and one for the reading, and measure and be ready to repeat each
    command. This one is `pool`'s as well, opened when it is first used and closed with the pool. A
    call takes at most `deadline` seconds. Calls must not overlap.
    """

    def __init__(self, pool: ConnectionPool, *, deadline: float) -> None:
        self._pool = pool
        self._deadline = deadline
        self._connection: Any = None

    async def call(self, *command: Argument) -> Any:
        """Return the answer as the server gives it.

        Raises QueueUnavailableError; a connection that broke is opened anew by the next call.
        """
        async with answering(self._deadline):
            return await self._exchange(command)

    async def _exchange(self, command: Sequence[Argument]) -> Any:
        if self._connection is None:
            self._connection = await self._pool.get_connection()  # type: ignore[no-untyped-call]
            self._connection.socket_timeout = None  # the deadline is that of the whole call
        connection = self._connection
        if connection.is_connected and await connection.can_read():
            await connection.disconnect()  # the server has closed it
        await connection.send_packed_command(self._packed(command))
        return await connection.read_response()

    def _packed(self, command: Sequence[Argument]) -> Iterable[bytes]:
        if any(isinstance(it, bytes) and len(it) > LARGE for it in command):
            packed: Iterable[bytes] = self._connection.pack_command(*command)
            return packed
        return [hiredis.pack_command(tuple(command))]  # type: ignore[arg-type]  # any number
