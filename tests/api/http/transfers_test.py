"""Real sockets: how many answers in pieces there may be, and for how long."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from api.caller import Caller, Server, serving
from mousetrap.api.http import transfers
from mousetrap.api.http.authentication import ANYBODY
from mousetrap.api.http.authentication import Caller as Sender
from mousetrap.api.http.connections import Connections
from mousetrap.api.http.limits import Application, Limits, Receive, Scope, Send
from mousetrap.api.http.peers import Peers
from mousetrap.api.http.transfers import Transfers
from mousetrap.api.metrics import ApiMetrics

START = {"type": "http.response.start", "status": 200, "headers": []}
OTHER = "127.0.0.2"


@pytest.fixture(autouse=True)
def limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfers, "MAXIMUM", 3)
    monkeypatch.setattr(transfers, "PER_CALLER", 2)


@pytest.fixture
def metrics() -> ApiMetrics:
    return ApiMetrics()


def endless(metrics: ApiMetrics, peers: Peers) -> Application:
    """Return an application that sends until its client is gone; the path is the token."""
    transfers = Transfers(peers, metrics)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        name = scope["path"].strip("/") or None
        scope["auth"] = Sender(name, ANYBODY.scopes)
        with transfers.under_way(scope):
            await send(START)
            sending = asyncio.create_task(pieces(send))
            while (await receive())["type"] != "http.disconnect":
                pass
            sending.cancel()

    return Limits(app, metrics)


async def pieces(send: Send) -> None:
    while True:
        await send({"type": "http.response.body", "body": bytes(1024), "more_body": True})
        await asyncio.sleep(0.01)


@pytest.fixture
async def server(metrics: ApiMetrics) -> AsyncIterator[Server]:
    connections = Connections(metrics, Peers(), maximum=100, per_peer=100)
    async with serving(endless(metrics, Peers()), connections) as found:
        yield found


async def hold(stack: AsyncExitStack, server: Server, path: str, *host: str) -> Caller:
    caller = await stack.enter_async_context(server.connect(*host))
    ask(caller, path)
    assert (await caller.read(12)).endswith(b"200")
    return caller


def ask(caller: Caller, path: str) -> None:
    caller.send(f"GET {path} HTTP/1.1\r\nHost: mousetrap.test\r\n\r\n".encode())


@pytest.mark.parametrize("path", ["/", "/token"])
async def test_a_caller_has_some_of_the_slots_only(server: Server, path: str) -> None:
    async with AsyncExitStack() as stack:
        first = await hold(stack, server, path)
        await hold(stack, server, path)
        async with server.connect() as caller:
            ask(caller, path)
            assert await caller.problem() == (503, "overloaded")

        first.close()
        while True:  # until the server knows
            async with server.connect() as caller:
                ask(caller, path)
                if (await caller.read(12)).endswith(b"200"):
                    break


async def test_callers_share_the_slots(server: Server) -> None:
    async with AsyncExitStack() as stack:
        for path, host in (("/", "127.0.0.1"), ("/", OTHER), ("/127.0.0.1", "127.0.0.1")):
            await hold(stack, server, path, host)
        async with server.connect() as caller:
            ask(caller, "/another")
            assert await caller.problem() == (503, "overloaded")


async def test_a_proxy_takes_as_many_as_there_are(metrics: ApiMetrics) -> None:
    peers = Peers("127.0.0.1")
    connections = Connections(metrics, peers, maximum=100, per_peer=100)
    async with serving(endless(metrics, peers), connections) as server, AsyncExitStack() as stack:
        for _ in range(3):
            await hold(stack, server, "/")


async def test_a_client_that_still_reads_is_cut_off_in_the_end(
    server: Server, metrics: ApiMetrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transfers, "DEADLINE", 0.3)
    async with server.connect() as caller:
        ask(caller, "/")
        with contextlib.suppress(ConnectionResetError):
            while await caller.read(1024):
                pass

    aborted = "mousetrap_http_connections_aborted_total"
    assert metrics.registry.get_sample_value(aborted, {"reason": "overdue"}) == 1
