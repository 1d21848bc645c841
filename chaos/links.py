"""The links between processes and servers: a proxy for each, which fails on command."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from chaos.cells import Kind
from chaos.proxy import Proxy
from mousetrap.settings import environment
from mousetrap.stack import postgres, roles, servers

ROLES: Final[Mapping[Kind, str]] = {
    Kind.API: roles.API,
    Kind.PROCESS: roles.PROCESS,
    Kind.FOLLOW_UP: roles.FOLLOW_UP,
}
"""The roles of Postgres that log in with a password."""
USER: Final = "mousetrap"
"""The user of Valkey that all processes log in as."""


@dataclass(slots=True)
class Passwords:
    """The passwords of the processes; they begin with the one that holds when they are started."""

    postgres: str = "first"
    valkey: str = "first"


@dataclass(frozen=True, slots=True)
class Link:
    """The connections of one process to a server. A fault holds the `lock` until it is healed."""

    server: Kind
    proxy: Proxy
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


@dataclass(frozen=True, slots=True)
class Links:
    """The links of one process, whose passwords are `passwords`."""

    kind: Kind
    every: Mapping[Kind, Link]
    passwords: Passwords

    @property
    def settings(self) -> dict[str, str]:
        """Return the settings with which the process connects through them."""
        postgres_port = self.every[Kind.DATABASE].proxy.port
        valkey_port = self.every[Kind.QUEUE].proxy.port
        found = {
            "redis_url": f"redis://{USER}:{self.passwords.valkey}@127.0.0.1:{valkey_port}/0",
        }
        if self.kind in ROLES:
            who = f"{ROLES[self.kind]}:{self.passwords.postgres}"
            found["postgres_dsn"] = f"postgresql://{who}@127.0.0.1:{postgres_port}/{postgres.USER}"
        return {environment.variable(name): value for name, value in found.items()}


@contextlib.asynccontextmanager
async def between(
    kind: Kind, sockets: Path, passwords: Passwords, *, seed: int
) -> AsyncIterator[Links]:
    """Run the proxies between one process and the servers with these sockets."""
    targets = {
        Kind.QUEUE: str(servers.valkey_address(sockets)),
        Kind.DATABASE: str(sockets / f".s.PGSQL.{postgres.PORT}"),
    }
    async with contextlib.AsyncExitStack() as stack:
        every = {
            server: Link(server, await stack.enter_async_context(Proxy.to(target, seed=seed)))
            for server, target in targets.items()
        }
        yield Links(kind, every, passwords)
