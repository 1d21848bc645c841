"""Real sockets: how many connections there may be, and which of them end."""

import asyncio
import contextlib
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import cast

import pytest

from api.caller import DEADLINE, Caller, Server, serving, succeed
from mousetrap.api.http import connections, protocol
from mousetrap.api.http.connections import Connections
from mousetrap.api.http.limits import Limits, Receive, Scope, Send
from mousetrap.api.http.peers import Peers
from mousetrap.api.metrics import ApiMetrics
from mousetrap.settings.errors import SettingsError

GET = b"GET / HTTP/1.1\r\nHost: mousetrap.test\r\n\r\n"
HEALTH = b"GET /health/live HTTP/1.1\r\nHost: mousetrap.test\r\n\r\n"
LARGE = GET.replace(b"GET / ", b"GET /large ")
SIZE = 16 * 1024 * 1024
"""More than the kernel takes for a client that does not read."""
OTHER = "127.0.0.2"


async def app(scope: Scope, _: Receive, send: Send) -> None:
    await succeed(send, bytes(SIZE) if scope["path"] == "/large" else b"")


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE):
        while True:
            if condition():
                return
            await asyncio.sleep(0.01)


async def opened(metrics: ApiMetrics, count: int) -> None:
    await until(lambda: counted(metrics, "") == count)


async def hold(stack: AsyncExitStack, server: Server, count: int) -> list[Caller]:
    """Open connections, and wait until each has its place."""
    found = [await stack.enter_async_context(server.connect()) for _ in range(count)]
    for caller in found:
        caller.send(GET)
        assert (await caller.answer())[0] == 200
    return found


@pytest.fixture
def metrics() -> ApiMetrics:
    return ApiMetrics()


def counted(metrics: ApiMetrics, name: str, **labels: str) -> float:
    return metrics.registry.get_sample_value(f"mousetrap_http_connections{name}", labels) or 0.0


@pytest.mark.parametrize(
    ("maximum", "per_peer", "limit", "others"),
    [(3, 9, "total", 503), (9, 3, "peer", 200)],
    ids=["total", "peer"],
)
async def test_connections_are_bounded(
    metrics: ApiMetrics, maximum: int, per_peer: int, limit: str, others: int
) -> None:
    bound = Connections(metrics, Peers(), maximum=maximum, per_peer=per_peer)
    async with serving(app, bound) as server, AsyncExitStack() as stack:
        held = await hold(stack, server, 3)

        async with server.connect() as caller, server.connect(OTHER) as other:
            caller.send(GET)
            assert await caller.problem() == (503, "overloaded")
            assert caller.headers[b"retry-after"] == b"1"
            assert await caller.closed()
            other.send(GET)
            assert (await other.answer())[0] == others
        assert counted(metrics, "_refused_total", limit=limit) >= 1

        held[0].close()
        await opened(metrics, 2)
        [again] = await hold(stack, server, 1)
        again.send(GET)
        assert (await again.answer())[0] == 200


async def test_health_checks_are_answered_at_the_limit(metrics: ApiMetrics) -> None:
    bound = Connections(metrics, Peers(), maximum=1, per_peer=1)
    async with serving(app, bound) as server, AsyncExitStack() as stack:
        await hold(stack, server, 1)
        async with server.connect() as caller:
            caller.send(HEALTH + GET)

            assert (await caller.answer())[0] == 200
            assert await caller.closed()


async def test_far_too_many_connections_are_closed_at_once(
    metrics: ApiMetrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "SPARE_DEADLINE", 2 * DEADLINE)
    bound = Connections(metrics, Peers(), maximum=1, per_peer=1)
    async with serving(app, bound) as server, AsyncExitStack() as stack:
        await hold(stack, server, 1)
        for count in range(connections.SPARE_PER_PEER):
            await stack.enter_async_context(server.connect())
            await opened(metrics, count + 2)
        async with server.connect() as caller:
            with contextlib.suppress(ConnectionError):
                assert await caller.closed()

        async with server.connect(OTHER) as other:
            other.send(HEALTH)
            assert (await other.answer())[0] == 200


async def test_a_connection_beyond_the_limit_is_soon_closed(
    metrics: ApiMetrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "SPARE_DEADLINE", 0.1)
    bound = Connections(metrics, Peers(), maximum=1, per_peer=1)
    async with serving(app, bound) as server, AsyncExitStack() as stack:
        await hold(stack, server, 1)
        async with server.connect() as caller:
            assert await caller.closed()


async def test_connections_may_be_fewer_than_configured(metrics: ApiMetrics) -> None:
    bound = Connections(metrics, Peers(), maximum=9, per_peer=9)
    bound.lower(20)
    bound.lower(1)
    async with serving(app, bound) as server, AsyncExitStack() as stack:
        await hold(stack, server, 1)
        async with server.connect() as caller:
            caller.send(GET)
            assert await caller.problem() == (503, "overloaded")


async def test_nothing_is_kept_of_who_is_gone(metrics: ApiMetrics) -> None:
    bound = Connections(metrics, Peers(), maximum=9, per_peer=9)
    reader = Reader(100)
    reader.client = ("192.0.2.1", 1)
    bound.join(reader)
    bound.fill(reader)
    bound.leave(reader)
    bound.leave(reader)

    kept = vars(bound)
    assert (kept["_members"], kept["_stalled"]) == ({}, {})
    assert [it.taken for it in kept["_slots"].values()] == [0, 0]
    assert not any("192.0.2.1" in str(vars(it)) for it in kept["_slots"].values())


async def test_a_proxy_may_open_any_number_of_connections(metrics: ApiMetrics) -> None:
    bound = Connections(metrics, Peers("127.0.0.0/8"), maximum=9, per_peer=1)
    async with serving(app, bound) as server, AsyncExitStack() as stack:
        await hold(stack, server, 3)


async def test_who_does_not_read_is_cut_off(metrics: ApiMetrics) -> None:
    bound = Connections(metrics, Peers(), maximum=9, per_peer=9, period=0.02, write_deadline=0.3)
    async with serving(app, bound) as server, server.connect() as slow, server.connect() as quick:
        slow.stop_reading()
        slow.send(LARGE)
        quick.send(LARGE)
        assert await quick.answer() == (200, bytes(SIZE))

        await until(lambda: counted(metrics, "_aborted_total", reason="stalled") == 1)
        slow.go_on_reading()
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await slow.answer()
        quick.send(GET)
        assert (await quick.answer())[0] == 200


async def test_who_reads_slowly_is_not_cut_off(metrics: ApiMetrics) -> None:
    bound = Connections(metrics, Peers(), maximum=9, per_peer=9, period=0.05, write_deadline=0.5)
    async with serving(app, bound) as server, server.connect() as caller:
        caller.send(LARGE)
        read = 0
        while read < SIZE:
            read += len(await caller.read(SIZE))
            await asyncio.sleep(0.005)

    assert not counted(metrics, "_aborted_total", reason="stalled")


async def test_reading_is_noted_as_it_happens(metrics: ApiMetrics) -> None:
    noted: list[str] = []

    class Noting(Connections):
        def fill(self, member: connections.Member) -> None:
            noted.append("fill")
            super().fill(member)

        def drain(self, member: connections.Member) -> None:
            noted.append("drain")
            super().drain(member)

    bound = Noting(metrics, Peers(), maximum=9, per_peer=9)
    async with serving(app, bound) as server, server.connect() as caller:
        caller.send(LARGE)
        assert await caller.answer() == (200, bytes(SIZE))

    assert noted == ["fill", "drain"]


class Reader:
    """A connection whose buffer grows by a byte at each look, unless its size is set."""

    client: tuple[str, int] | None = None

    def __init__(self, unsent: int = 0) -> None:
        self.transport = cast("asyncio.Transport", self)
        self.unsent = unsent
        self.grows = not unsent
        self.cut = asyncio.Event()

    def get_write_buffer_size(self) -> int:
        self.unsent += self.grows
        return self.unsent

    def abort(self) -> None:
        self.cut.set()


async def test_who_reads_between_two_looks_is_not_cut_off(metrics: ApiMetrics) -> None:
    bound = Connections(metrics, Peers(), maximum=9, per_peer=9, period=0.01, write_deadline=0.5)
    reader = Reader()
    bound.join(reader)
    for _ in range(100):
        bound.drain(reader)
        await asyncio.sleep(0.01)
    assert not reader.cut.is_set()

    async with asyncio.timeout(DEADLINE):
        await reader.cut.wait()
    bound.leave(reader)


async def test_who_reads_is_not_cut_off_for_who_does_not(metrics: ApiMetrics) -> None:
    bound = Connections(metrics, Peers(), maximum=9, per_peer=9, unsent_limit=250)
    first, _, third = readers = Reader(100), Reader(100), Reader(100)
    for reader in readers[:2]:
        bound.join(reader)
        bound.fill(reader)
    first.unsent = 90
    bound.join(third)
    bound.fill(third)

    assert [it.cut.is_set() for it in readers] == [False, True, False]
    for reader in readers:
        bound.leave(reader)


async def test_unsent_bytes_are_bounded_and_who_stalls_longest_goes_first(
    metrics: ApiMetrics,
) -> None:
    bound = Connections(
        metrics, Peers(), maximum=99, per_peer=99, period=0.05, unsent_limit=3 * SIZE
    )
    async with serving(app, bound) as server, AsyncExitStack() as stack:
        for _ in range(8):
            slow = await stack.enter_async_context(server.connect())
            slow.stop_reading()
            slow.send(LARGE)
        async with server.connect() as caller:
            caller.send(LARGE)
            assert await caller.answer() == (200, bytes(SIZE))

    assert counted(metrics, "_aborted_total", reason="unsent") >= 5


async def test_who_does_not_read_holds_up_no_request_of_others() -> None:
    metrics = ApiMetrics()
    limited = Limits(app, metrics, max_in_flight=1)
    bound = Connections(metrics, Peers(), maximum=99, per_peer=99)
    async with serving(limited, bound) as server, AsyncExitStack() as stack:
        for _ in range(3):
            slow = await stack.enter_async_context(server.connect())
            slow.stop_reading()
            slow.send(LARGE * 4)
            async with server.connect() as caller:
                caller.send(GET)
                assert (await caller.answer())[0] == 200


async def test_answers_continue_once_they_are_read() -> None:
    bound = Connections(ApiMetrics(), Peers(), maximum=9, per_peer=9)
    async with serving(app, bound) as server, server.connect() as caller:
        caller.stop_reading()
        caller.send(LARGE * 2 + GET)
        async with server.connect() as other:
            other.send(GET)
            await other.answer()
        caller.go_on_reading()

        assert await caller.answer() == (200, bytes(SIZE))
        assert await caller.answer() == (200, bytes(SIZE))
        assert await caller.answer() == (200, b"")


@pytest.mark.parametrize(
    ("address", "peer"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::", "2001:db8:1:2::/64"),
        ("10.1.2.3", None),
        ("::ffff:10.1.2.3", None),
        ("2001:db8::7", None),
        ("", ""),
    ],
)
def test_a_peer_is_an_address_or_the_network_of_a_subscriber(
    address: str, peer: str | None
) -> None:
    assert Peers("10.1.0.0/16,2001:db8::7").of((address, 1)) == peer


def test_a_unix_socket_has_no_peer() -> None:
    assert Peers().of(None) is None


@pytest.mark.parametrize("trusted", ["10.0.0.1/8", "300.0.0.1", ":::"])
def test_a_proxy_that_is_no_address_is_refused(trusted: str) -> None:
    with pytest.raises(SettingsError, match="MOUSETRAP_TRUSTED_PROXIES"):
        Peers(trusted)
