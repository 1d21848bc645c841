"""A connection to the server for one command after another."""

from typing import Any

from redis.asyncio import ConnectionPool


class Connection:
    """Sends a command and waits for its answer, for half of what redis-py's client takes.

    That one would take a connection out of its pool and put it back, and measure and be ready to
    repeat each command. This one is `pool`'s as well, opened when it is first used and closed with
    the pool. Commands must not overlap.
    """

    def __init__(self, pool: ConnectionPool) -> None:
        self._pool = pool
        self._connection: Any = None

    async def call(self, *command: str | bytes | float) -> Any:
        """Return the answer as the server gives it; raises what redis-py does.

        A connection that broke is opened anew by the next call.
        """
        if self._connection is None:
            self._connection = await self._pool.get_connection()  # type: ignore[no-untyped-call]
        connection = self._connection
        if connection.is_connected and await connection.can_read():
            await connection.disconnect()  # the server has closed it
        await connection.send_command(*command)
        return await connection.read_response()
