"""A primary of Postgres with a standby, which may be killed and promoted."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Final, Self
from urllib.parse import quote

import asyncpg

from mousetrap.stack import identity, postgres
from mousetrap.stack.folder import hold
from mousetrap.stack.launcher import Launcher
from mousetrap.stack.output import LogFiles
from mousetrap.stack.process import Process
from mousetrap.stack.servers import Servers
from support.postgres import Connection, until

DEADLINE: Final = 20.0
STANDBY: Final = "standby"
PORT: Final = postgres.PORT + 1


class Pair:
    """A primary and its streaming standby, each with a socket in the same folder."""

    def __init__(self, launcher: Launcher, sockets: Path) -> None:
        self.primary_dsn = Servers(sockets, ()).postgres_dsn
        self.standby_dsn = self.primary_dsn.replace(f"={postgres.PORT}", f"={PORT}")
        host = quote(str(sockets))
        self.dsn = (
            f"postgresql://{postgres.USER}@/{postgres.USER}?host={host},{host}"
            f"&port={postgres.PORT},{PORT}&target_session_attrs=read-write"
        )
        self.sockets = sockets
        self._launcher = launcher
        self._primary: Process | None = None
        self._standby: Process | None = None
        self._data = launcher.folder.root / STANDBY
        self._running = contextlib.ExitStack()

    def __enter__(self) -> Self:
        server = postgres.running(self._launcher, self.sockets, durable=False)
        self._primary = self._running.enter_context(server)
        self._launcher.folder.provide(self._data, self._launcher.user)
        command: list[str | Path] = [
            *(postgres.binary("pg_basebackup"), "--pgdata", self._data, "--host", self.sockets),
            *("--port", str(postgres.PORT), "--username", postgres.USER),
            *("--write-recovery-conf", "--checkpoint=fast", "--no-sync"),
        ]
        log = LogFiles(self._launcher.folder.root)
        self._launcher.complete("pg_basebackup", command, self._data, log)
        self.start_standby()
        return self

    def __exit__(self, *_: object) -> None:
        self._running.close()

    def start_standby(self) -> None:
        """Start the standby, or start it again after `kill_standby`."""
        ready = self.sockets / f".s.PGSQL.{PORT}"
        settings = {
            "cluster_name": STANDBY,
            "fsync": "off",
            "io_method": "sync",
            "listen_addresses": "",
            "port": PORT,
            "shared_buffers": "32MB",
            "unix_socket_directories": self.sockets,
        }
        options = [f"--{name}={value}" for name, value in settings.items()]
        command: list[str | Path] = [postgres.binary("postgres"), "-D", self._data, *options]
        (self._data / "postmaster.pid").unlink(missing_ok=True)
        server = self._launcher.running(STANDBY, command, self._data, lambda _: ready.exists())
        self._standby = self._running.enter_context(server)

    def kill_primary(self) -> None:
        """End the primary at once, as a crash of its machine does."""
        _kill(self._primary)

    async def kill_standby(self) -> None:
        """End the standby at once; return when none of its processes can confirm a commit."""
        _kill(self._standby)
        async with connected(self.primary_dsn) as operator:
            await until(operator, "NOT EXISTS (SELECT FROM pg_stat_replication)")

    async def wait_for_standby(self, *, synchronous: bool) -> None:
        """Let commits wait for the standby, or not, and return once it streams."""
        async with connected(self.primary_dsn) as operator:
            names = f"'{STANDBY}'" if synchronous else "''"
            await operator.execute(f"ALTER SYSTEM SET synchronous_standby_names = {names}")
            await operator.execute("SELECT pg_reload_conf()")
            state = "sync" if synchronous else "async"
            await until(
                operator, "EXISTS (SELECT FROM pg_stat_replication WHERE sync_state = $1)", state
            )

    async def promote(self) -> None:
        """Let the standby be the primary."""
        async with connected(self.standby_dsn) as operator:
            assert await operator.fetchval("SELECT pg_promote()")


@contextlib.contextmanager
def pair(root: Path) -> Iterator[Pair]:
    """Run a primary with a standby on data in a folder; commits do not wait for it yet."""
    with hold(root) as folder:
        user = identity.choose(postgres.binary("postgres"), folder.root)
        with (
            folder.sockets(user) as sockets,
            Pair(Launcher(folder, user, LogFiles(folder.root)), sockets) as running,
        ):
            yield running


@contextlib.asynccontextmanager
async def connected(dsn: str) -> AsyncIterator[Connection]:
    """Connect to a server that may be about to accept connections."""
    async with asyncio.timeout(DEADLINE):
        while True:
            try:
                connection = await asyncpg.connect(dsn, timeout=10, command_timeout=30)
                break
            except (OSError, asyncpg.CannotConnectNowError):
                await asyncio.sleep(0.05)
    try:
        yield connection
    finally:
        await connection.close(timeout=10)


def _kill(server: Process | None) -> None:
    assert server is not None
    server.child.kill()
    server.child.wait(10)
