"""Each fault of a link does what it is there for, and healing ends it."""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest

from chaos.proxy import Proxy
from chaos.relays import copy, listening

SOON = 0.2
DEADLINE = 10.0


class Caller:
    """A connection through a proxy to a server that answers with what it gets."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self.writer = writer

    async def ask(self, data: bytes = b"ping", within: float = DEADLINE) -> bytes:
        self.writer.write(data)
        async with asyncio.timeout(within):
            return await self._reader.readexactly(len(data))


@pytest.fixture
async def proxy() -> AsyncIterator[Proxy]:
    async with listening(copy) as port, Proxy.to(port) as found:
        yield found


@pytest.fixture
async def caller(proxy: Proxy) -> AsyncIterator[Caller]:
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    found = Caller(reader, writer)
    assert await found.ask() == b"ping"
    yield found
    writer.transport.abort()


@pytest.mark.parametrize("direction", ["both", "requests", "answers"])
async def test_a_blackhole_holds_back_what_comes_until_it_is_healed(
    proxy: Proxy, caller: Caller, direction: str
) -> None:
    if direction == "both":
        proxy.block()
    else:
        getattr(proxy, f"{direction}_pass").clear()
    with pytest.raises(TimeoutError):
        await caller.ask(within=SOON)
    assert proxy.struck == 1

    proxy.heal()

    assert await caller.ask() == b"ping"


async def test_a_latency_delays_both_directions(proxy: Proxy, caller: Caller) -> None:
    proxy.delay = 0.1
    begin = time.monotonic()

    await caller.ask()

    assert time.monotonic() - begin >= 0.2
    assert proxy.struck == 2


async def test_a_rate_delays_by_the_size(proxy: Proxy, caller: Caller) -> None:
    proxy.rate = 10_000
    begin = time.monotonic()

    await caller.ask(b"x" * 2000)

    assert time.monotonic() - begin >= 0.4


@pytest.mark.parametrize("fault", ["resets", "losses"])
async def test_resets_and_lost_answers_end_connections(
    proxy: Proxy, caller: Caller, fault: str
) -> None:
    setattr(proxy, fault, 1.0)

    with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
        await caller.ask()

    assert proxy.struck == 1


async def test_a_share_of_answers_is_lost(proxy: Proxy, caller: Caller) -> None:
    proxy.losses = 0.0001

    for _ in range(20):
        assert await caller.ask() == b"ping"
