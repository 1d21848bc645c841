"""The primary is the one that the Sentinels name."""

import re
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from redis.asyncio import Redis

from chaos.proxy import Proxy
from mousetrap.messages.schema import FetchRequested
from mousetrap.queue.broker import StreamBroker
from mousetrap.queue.connections import pool
from mousetrap.queue.errors import QueueUnavailableError, WrongServerError
from mousetrap.queue.inspector import Depth, Inspector
from mousetrap.queue.publisher import Publisher
from mousetrap.queue.stages import FETCH
from mousetrap.queue.task_publisher import TaskPublisher
from mousetrap.stack.servers import Servers, valkey_address
from support import sentinels, tls
from support.sentinels import Group, client
from support.streams import until

CONNECTIONS = Path("docs/operations/connections.md").read_text("utf-8")
TRUSTED = f"ssl_ca_certs={tls.CERTIFICATE}"


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Group]:
    with sentinels.group(tmp_path_factory.mktemp("sentinels")) as running:
        yield running


async def ping(url: str) -> None:
    async with Publisher(url) as publisher:
        await publisher.ping()


@pytest.fixture
async def silent(watched: Group) -> AsyncIterator[str]:
    """The address of the queue, with a Sentinel before the others that does not answer."""
    async with Proxy.to(watched.sentinels[0]) as proxy:
        proxy.block()
        yield watched.url.replace("@127", f"@127.0.0.1:{proxy.port},127")


async def test_messages_reach_the_primary(watched: Group) -> None:
    request = FetchRequested(uuid4(), "demo", attempt=1)
    async with (
        Publisher(watched.url) as publisher,
        TaskPublisher(watched.url) as tasks,
        Inspector(watched.url) as inspector,
        StreamBroker(watched.url, FETCH, consumer="worker") as broker,
    ):
        await tasks.ping()
        await broker.ping()
        await publisher.send(request)
        delivery = await anext(broker.listen())
        assert delivery.job_id == request.job_id
        await broker.acknowledge(delivery)
        assert await inspector.depths(silence=10.0)
        await broker.shutdown()


@pytest.mark.parametrize("number", [0, 3])
async def test_the_number_of_the_logical_database_is_a_parameter(
    watched: Group, number: int
) -> None:
    async with Publisher(f"{watched.url}&db={number}") as publisher:
        await publisher.send(FetchRequested(uuid4(), "demo"))

    with client(watched.primary) as primary:
        assert f"db{number}" in primary.info("keyspace")
        primary.flushall()


async def test_a_silent_sentinel_leaves_time_for_the_next(silent: str) -> None:
    await ping(silent)


async def test_a_user_of_the_sentinels_needs_one_right(watched: Group) -> None:
    [page] = re.findall(r"`user mousetrap on >PASSWORD (.*)`", CONNECTIONS)
    for port in watched.sentinels:
        with client(port, sentinels.SENTINELS_PASSWORD) as sentinel:
            sentinel.execute_command("ACL", "SETUSER", "mousetrap", "on", ">x", *page.split())

    await ping(f"{watched.url.partition('?')[0]}?sentinel_username=mousetrap&sentinel_password=x")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("/queue?", "/other?"), "no Sentinel names a primary 'other'.*: No such master"),
        (("sentinel_password", "sentinel_username=x&sentinel_password"), "invalid username"),
        ((":hunter2@", ":x@"), "invalid username-password pair"),
    ],
)
async def test_a_primary_that_cannot_be_had_is_told(
    watched: Group, change: tuple[str, str], told: str
) -> None:
    with pytest.raises(QueueUnavailableError, match=told):
        await ping(watched.url.replace(*change))


async def test_a_sentinel_is_not_the_queue(watched: Group) -> None:
    url = f"redis://:{sentinels.SENTINELS_PASSWORD}@127.0.0.1:{watched.sentinels[0]}"
    with pytest.raises(WrongServerError, match=r"write redis\+sentinel://HOST:PORT/NAME"):
        await ping(url)


async def test_sentinels_are_asked_by_tls(watched: Group) -> None:
    async with tls.before(watched.sentinels[0]) as port:
        url = f"rediss+sentinel://localhost:{port}/queue?sentinel_password=hunter3"
        with pytest.raises(QueueUnavailableError, match="CERTIFICATE_VERIFY_FAILED"):
            await ping(url)

        trusting: Any = pool(f"{url}&{TRUSTED}", connections=1, deadline=3.0)
        assert await trusting.get_master_address() == ("127.0.0.1", watched.primary)
        await trusting.disconnect()


async def test_the_primary_is_verified_by_tls(
    servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with tls.before(valkey_address(servers.sockets)) as port:

        async def state(*_: object) -> dict[str, object]:
            flags = {"is_master": True, "is_sdown": False, "is_odown": False}
            return {"ip": "localhost", "port": port, **flags}

        monkeypatch.setattr(Redis, "sentinel_master", state)
        await ping(f"rediss+sentinel://any/queue?{TRUSTED}")
        with pytest.raises(QueueUnavailableError, match="CERTIFICATE_VERIFY_FAILED"):
            await ping("rediss+sentinel://any/queue")


async def test_a_primary_that_is_demoted_is_left(watched: Group) -> None:
    with client(watched.primary) as before, client(watched.replica) as after:

        async def demoted() -> bool:
            role: Any = before.info("replication")
            return bool(role["role"] == "slave")

        async with Publisher(watched.url) as publisher, Inspector(watched.url) as inspector:
            await publisher.send(FetchRequested(uuid4(), "demo"))
            await inspector.depths(silence=10.0)
            with client(watched.sentinels[0], sentinels.SENTINELS_PASSWORD) as sentinel:
                sentinel.execute_command("SENTINEL", "FAILOVER", sentinels.NAME, "COORDINATED")
            await until(demoted)
            after.flushall()

            await until(lambda: sent(publisher))
            [queue, *_] = await until(lambda: measured(inspector))

        assert queue.messages == after.xlen(FETCH.key) == 1


async def sent(publisher: Publisher) -> bool:
    try:
        await publisher.send(FetchRequested(uuid4(), "demo"))
    except QueueUnavailableError:
        return False
    return True


async def measured(inspector: Inspector) -> Sequence[Depth]:
    try:
        return await inspector.depths(silence=10.0)
    except QueueUnavailableError:
        return []
