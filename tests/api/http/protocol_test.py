"""Real sockets: what callers may do to a connection."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import msgspec
import pytest
import uvicorn
from uvicorn.server import ServerState

from mousetrap.api.app import Api
from mousetrap.api.http import protocol
from mousetrap.api.http.protocol import Connection
from mousetrap.api.schema.problem import Problem

GET = b"GET /health/live HTTP/1.1\r\nHost: mousetrap.test\r\n"
POST = b"POST /refresh HTTP/1.1\r\nHost: mousetrap.test\r\nContent-Type: application/json\r\n"

Connect = Callable[[], AbstractAsyncContextManager["Caller"]]


class Caller:
    """One end of a connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    def send(self, data: bytes) -> None:
        self._writer.write(data)

    async def drain(self) -> None:
        await self._writer.drain()

    async def go_on(self, data: bytes) -> None:
        while True:
            self.send(data)
            await self.drain()

    async def answer(self) -> tuple[int, bytes]:
        """Read one answer: its status and its body."""
        head = await self._reader.readuntil(b"\r\n\r\n")
        fields = dict(line.split(b": ", 1) for line in head.lower().split(b"\r\n")[1:-2])
        return int(head.split()[1]), await self._reader.readexactly(int(fields[b"content-length"]))

    async def problem(self) -> tuple[int, str]:
        status, body = await self.answer()
        found = msgspec.json.decode(body, type=Problem)
        assert found.status == status
        return status, found.type.removeprefix("urn:mousetrap:problem:")

    async def closed(self) -> bool:
        return await self._reader.read() == b""


@pytest.fixture
async def connect(unwired: Api) -> AsyncIterator[Connect]:
    """Connect to the API as it is served, in a process that reaches nothing."""
    config = uvicorn.Config(
        unwired.asgi,
        http=Connection,
        ws="none",
        lifespan="off",
        log_config=None,
        server_header=False,
    )
    config.load()
    state = ServerState()
    server = await asyncio.get_running_loop().create_server(
        lambda: Connection(config=config, server_state=state, app_state={}), "127.0.0.1", 0
    )

    @asynccontextmanager
    async def one() -> AsyncIterator[Caller]:
        async with asyncio.timeout(20):
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            try:
                yield Caller(reader, writer)
            finally:
                writer.close()

    yield one
    server.close()
    for left in list(state.connections):
        left.transport.abort()
    async with asyncio.timeout(20):
        await server.wait_closed()


async def test_serves_one_request_after_the_other(connect: Connect) -> None:
    async with connect() as caller:
        for _ in range(3):
            caller.send(GET + b"\r\n")
            assert await caller.answer() == (200, b'{"status":"ok"}')


async def test_serves_requests_that_come_at_once(connect: Connect) -> None:
    async with connect() as caller:
        caller.send((GET + b"\r\n") * 3)
        assert [(await caller.answer())[0] for _ in range(3)] == [200, 200, 200]


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 this is TLS\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        GET + b"no colon\r\n\r\n",
        POST + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n{}",
        POST + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        POST + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\n",
    ],
    ids=["TLS", "version", "header", "two lengths", "length and chunks", "chunk size"],
)
async def test_what_is_not_http_is_answered_with_a_problem(connect: Connect, data: bytes) -> None:
    async with connect() as caller:
        caller.send(data)

        assert await caller.problem() == (400, "malformed-http")
        assert await caller.closed()


async def test_a_head_has_at_most_32_kib(connect: Connect) -> None:
    async with connect() as caller:
        caller.send(GET + b"X-Large: " + b"x" * 30_000 + b"\r\n\r\n")
        assert (await caller.answer())[0] == 200

        caller.send(GET + b"X-Large: " + b"x" * 33_000 + b"\r\n\r\n")
        assert await caller.problem() == (431, "head-too-large")
        assert await caller.closed()


@pytest.mark.parametrize(
    "start", [b"GET /?", GET, GET + b"X-Large: "], ids=["path", "headers", "header"]
)
async def test_a_head_that_never_ends_is_cut(connect: Connect, start: bytes) -> None:
    async with connect() as caller:
        caller.send(start)
        for _ in range(14):
            caller.send(b"X: y\r\n" * 400 if start == GET else b"x" * 2400)
            await caller.drain()

        assert await caller.problem() == (431, "head-too-large")
        assert await caller.closed()


async def test_many_requests_are_not_a_large_one(connect: Connect) -> None:
    async with connect() as caller:
        for _ in range(20):
            caller.send(GET + b"X-Large: " + b"x" * 4000 + b"\r\n\r\n")
            assert (await caller.answer())[0] == 200


@pytest.mark.parametrize("data", [b"", b"GET / HTTP/1.1\r\nHost: mouse"], ids=["nothing", "part"])
async def test_a_head_comes_in_time_or_the_connection_is_closed(
    connect: Connect, monkeypatch: pytest.MonkeyPatch, data: bytes
) -> None:
    monkeypatch.setattr(protocol, "HEAD_DEADLINE", 0.1)
    async with connect() as caller:
        caller.send(data)
        assert await caller.closed()


async def test_the_head_of_the_second_request_comes_in_time_too(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "HEAD_DEADLINE", 0.1)
    async with connect() as caller:
        caller.send(GET + b"\r\n")
        assert (await caller.answer())[0] == 200
        caller.send(b"GET / HTTP/1.1\r\n")
        assert await caller.closed()


async def test_a_large_body_is_refused_before_it_comes(connect: Connect) -> None:
    async with connect() as caller:
        caller.send(POST + b"Content-Length: 16385\r\nExpect: 100-continue\r\n\r\n")

        assert await caller.problem() == (413, "body-too-large")


async def test_a_large_body_in_chunks_is_refused_as_it_comes(connect: Connect) -> None:
    async with connect() as caller:
        caller.send(POST + b"Transfer-Encoding: chunked\r\n\r\n")
        for _ in range(17):
            caller.send(b"400\r\n" + b" " * 1024 + b"\r\n")
        assert await caller.problem() == (413, "body-too-large")

        caller.send(b"0\r\n\r\n" + GET + b"\r\n")
        assert (await caller.answer())[0] == 200


async def test_nobody_reads_what_goes_on_for_ever(connect: Connect) -> None:
    async with connect() as caller:
        caller.send(POST + b"Transfer-Encoding: chunked\r\n\r\n")
        with pytest.raises(ConnectionError):
            await caller.go_on(b"10000\r\n" + b" " * 65_536 + b"\r\n")
