"""The real PgBouncer in front of the tests' Postgres."""

import contextlib
import shutil
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from mousetrap.stack import identity, postgres
from mousetrap.stack.folder import Folder
from mousetrap.stack.launcher import Launcher
from mousetrap.stack.output import LogFiles

_FOUND = shutil.which("pgbouncer", path="/usr/sbin:/usr/bin:/usr/local/bin:/opt/homebrew/bin")
NEEDED = pytest.mark.skipif(_FOUND is None, reason="there is no pgbouncer: apt install pgbouncer")

_PORT = 6432  # it only names the socket
_FILE = """
[databases]
* = host={server} port={server_port}

[pgbouncer]
listen_port = {port}
unix_socket_dir = {sockets}
auth_type = trust
auth_file = {users}
{settings}
"""


@contextlib.contextmanager
def running(folder: Folder, server: Path, settings: Mapping[str, str]) -> Iterator[str]:
    """Run it in front of a Postgres with its socket in `server`; yield what replaces its host.

    It has its defaults but for `settings`.
    """
    assert _FOUND
    user = identity.choose(postgres.binary("postgres"), folder.root)
    launcher = Launcher(folder, user, LogFiles(folder.root))
    home = folder.provide(folder.root / "pgbouncer", user)
    with folder.sockets(user) as sockets:
        (home / "users.txt").write_text(f'"{postgres.USER}" ""\n')
        configured = "\n".join(f"{name} = {value}" for name, value in settings.items())
        (home / "pgbouncer.ini").write_text(
            _FILE.format(
                server=server,
                server_port=postgres.PORT,
                port=_PORT,
                sockets=sockets,
                users=home / "users.txt",
                settings=configured,
            )
        )
        address = sockets / f".s.PGSQL.{_PORT}"
        command: list[str | Path] = [_FOUND, home / "pgbouncer.ini"]
        with launcher.running("pgbouncer", command, home, lambda _: _accepts(address)):
            yield f"host={sockets}&port={_PORT}"


def _accepts(address: Path) -> bool:
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(1.0)
        connection.connect(str(address))
        return True
    return False
