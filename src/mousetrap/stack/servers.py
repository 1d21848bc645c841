"""A real Postgres and a real Valkey that run exactly as long as this process.

Both listen only on unix sockets in a private folder, so instances cannot collide and no other
user can connect.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from mousetrap.stack import identity, postgres, valkey
from mousetrap.stack.folder import Folder
from mousetrap.stack.launcher import Launcher
from mousetrap.stack.output import LogFiles, Output
from mousetrap.stack.process import Process


@dataclass(frozen=True, slots=True)
class Addresses:
    """The addresses of both servers.

    With `plain_roles` each process logs in to Postgres as itself, as `roles` has it; otherwise all
    of them use the DSN as it is.
    """

    postgres_dsn: str
    redis_url: str
    plain_roles: bool = False


@dataclass(frozen=True, slots=True)
class Servers:
    """Both servers, accepting connections on sockets in the folder `sockets`."""

    sockets: Path
    processes: tuple[Process, ...]
    plain_roles: bool = False

    @property
    def postgres_dsn(self) -> str:
        """The DSN of the database `postgres`, for its superuser."""
        return self.database("postgres")

    @property
    def redis_url(self) -> str:
        """The URL of Valkey's logical database 0."""
        return self.logical_database(0)

    @property
    def addresses(self) -> Addresses:
        """The addresses of both."""
        return Addresses(self.postgres_dsn, self.redis_url, self.plain_roles)

    def database(self, name: str) -> str:
        """Return the DSN of a Postgres database."""
        host = quote(str(self.sockets))
        return f"postgresql://{postgres.USER}@/{name}?host={host}&port={postgres.PORT}"

    def logical_database(self, number: int) -> str:
        """Return the URL of one of Valkey's logical databases, 0 to 15."""
        return f"unix://{quote(str(valkey_address(self.sockets)))}?db={number}"


@contextlib.contextmanager
def run(
    folder: Folder,
    *,
    durable: bool = True,
    output: Output | None = None,
    plain_roles: bool = False,
) -> Iterator[Servers]:
    """Run both servers on the data in `folder` until the end of the block.

    With `plain_roles` the database `postgres` belongs to a role that is no superuser, and the
    processes have roles of their own.

    When `durable`, acknowledged writes survive a crash (a power cut may cost Valkey its last
    second); otherwise the servers are faster, and Valkey starts empty. Output goes to log files in
    the folder by default. On Linux the servers end with this process even when it is killed. Call
    it from the main thread. Raises StackError.
    """
    user = identity.choose(postgres.binary("postgres"), folder.root)
    launcher = Launcher(folder, user, output or LogFiles(folder.root))
    with (
        folder.sockets(user) as sockets,
        valkey.running(launcher, valkey_address(sockets), durable=durable) as second,
        postgres.running(launcher, sockets, durable=durable) as first,
    ):
        if plain_roles:
            postgres.create_roles(launcher, sockets)
        yield Servers(sockets, (first, second), plain_roles)


def valkey_address(sockets: Path) -> Path:
    """Return the path of Valkey's socket in a folder."""
    return sockets / "valkey"
