"""The embedded Postgres and Valkey of `./pants up`, equally durable, and their faults."""

import asyncio
import contextlib
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

import asyncpg
from redis.asyncio import Redis

from mousetrap.stack import folder, identity, postgres, servers, valkey
from mousetrap.stack.folder import Folder
from mousetrap.stack.launcher import Launcher
from mousetrap.stack.output import LogFiles
from mousetrap.stack.servers import Addresses


class Servers:
    """Both servers; each contender has its own database in each."""

    def __init__(self, held: Folder, real: servers.Servers, stack: contextlib.ExitStack) -> None:
        self.root = held.root
        self.socket = Path(unquote(urlsplit(real.redis_url).path))
        self._held = held
        self._real = real
        self._stack = stack
        self._valkey = next(it for it in real.processes if it.name == valkey.NAME)

    async def database(self, name: str) -> str:
        """Create an empty Postgres database; return its DSN."""
        admin = await asyncpg.connect(self._real.postgres_dsn)
        try:
            await admin.execute(f"CREATE DATABASE {name}")
        finally:
            await admin.close()
        return self._real.database(name)

    def addresses(self, postgres_dsn: str, number: int) -> Addresses:
        """Return the addresses of a Postgres database and of a logical database of Valkey."""
        return Addresses(postgres_dsn, self._real.logical_database(number))

    async def kill_valkey(self, *, back_after: float) -> None:
        """Kill Valkey, and restart it on the same data after some seconds."""
        self._valkey.child.kill()
        self._valkey.child.wait()
        await asyncio.sleep(back_after)
        user = identity.choose(postgres.binary("postgres"), self._held.root)
        launcher = Launcher(self._held, user, LogFiles(self._held.root))
        running = valkey.running(launcher, self.socket, durable=True)
        self._valkey = self._stack.enter_context(running)

    async def flush(self) -> None:
        """Flush Valkey."""
        async with Redis(unix_socket_path=str(self.socket)) as redis:
            await redis.flushall()


@contextlib.contextmanager
def running(root: Path) -> Iterator[Servers]:
    """Run both servers in an empty folder."""
    with (
        folder.hold(root) as held,
        servers.run(held) as real,
        contextlib.ExitStack() as stack,
    ):
        yield Servers(held, real, stack)
