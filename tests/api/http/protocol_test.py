"""Real sockets: what callers may do to a connection."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from api.caller import Server, serving, succeed
from mousetrap.api.app import Api
from mousetrap.api.http import protocol
from mousetrap.api.http.connections import Connections
from mousetrap.api.http.limits import BODY_LIMIT, Limits, Receive, Scope, Send
from mousetrap.api.http.peers import Peers
from mousetrap.api.metrics import ApiMetrics

GET = b"GET /health/live HTTP/1.1\r\nHost: mousetrap.test\r\n"
POST = b"POST /refresh HTTP/1.1\r\nHost: mousetrap.test\r\nContent-Type: application/json\r\n"


def unlimited() -> Connections:
    return Connections(ApiMetrics(), Peers(), maximum=100, per_peer=100)


@pytest.fixture
async def server(unwired: Api) -> AsyncIterator[Server]:
    """The API as it is served, in a process that reaches nothing."""
    async with serving(unwired.asgi, unwired.connections) as found:
        yield found


async def test_serves_one_request_after_the_other(server: Server) -> None:
    async with server.connect() as caller:
        for _ in range(3):
            caller.send(GET + b"\r\n")
            assert await caller.answer() == (200, b'{"status":"ok"}')


@pytest.mark.parametrize("host", [b"mousetrap.test", b"evil.example"])
@pytest.mark.parametrize(
    ("target", "status", "problem"),
    [
        (b"http://mousetrap.test/health/live", 200, None),
        (b"HTTPS://Mousetrap.test:8000/health/live?a=b", 200, None),
        (b"http://mousetrap.test?source=nowhere", 404, "unknown-source"),
        (b"http://evil.example/health/live", 421, "unknown-host"),
        (b"http://evil.example", 421, "unknown-host"),
        (b"http://user@mousetrap.test/health/live", 400, "bad-request"),
        (b"http:///health/live", 400, "bad-request"),
        (b"ftp://mousetrap.test/health/live", 400, "malformed-http"),
        (b"*", 400, "malformed-http"),
    ],
)
async def test_the_authority_of_an_absolute_target_is_the_host(
    server: Server, target: bytes, host: bytes, status: int, problem: str | None
) -> None:
    async with server.connect() as caller:
        caller.send(b"GET " + target + b" HTTP/1.1\r\nHost: " + host + b"\r\n\r\n")
        if problem is None:
            assert (await caller.answer())[0] == status
        else:
            assert await caller.problem() == (status, problem)


async def test_serves_requests_that_come_at_once(server: Server) -> None:
    async with server.connect() as caller:
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
async def test_what_is_not_http_is_answered_with_a_problem(server: Server, data: bytes) -> None:
    async with server.connect() as caller:
        caller.send(data)

        assert await caller.problem() == (400, "malformed-http")
        assert await caller.closed()


async def test_a_head_has_at_most_32_kib(server: Server) -> None:
    async with server.connect() as caller:
        caller.send(GET + b"X-Large: " + b"x" * 30_000 + b"\r\n\r\n")
        assert (await caller.answer())[0] == 200

        caller.send(GET + b"X-Large: " + b"x" * 33_000 + b"\r\n\r\n")
        assert await caller.problem() == (431, "head-too-large")
        assert await caller.closed()


@pytest.mark.parametrize(
    "start", [b"GET /?", GET, GET + b"X-Large: "], ids=["path", "headers", "header"]
)
async def test_a_head_that_never_ends_is_cut(server: Server, start: bytes) -> None:
    async with server.connect() as caller:
        caller.send(start)
        for _ in range(14):
            caller.send(b"X: y\r\n" * 400 if start == GET else b"x" * 2400)
            await caller.drain()

        assert await caller.problem() == (431, "head-too-large")
        assert await caller.closed()


async def test_many_requests_are_not_a_large_one(server: Server) -> None:
    async with server.connect() as caller:
        for _ in range(20):
            caller.send(GET + b"X-Large: " + b"x" * 4000 + b"\r\n\r\n")
            assert (await caller.answer())[0] == 200


@pytest.mark.parametrize("data", [b"", b"GET / HTTP/1.1\r\nHost: mouse"], ids=["nothing", "part"])
async def test_a_head_comes_in_time_or_the_connection_is_closed(
    server: Server, monkeypatch: pytest.MonkeyPatch, data: bytes
) -> None:
    monkeypatch.setattr(protocol, "HEAD_DEADLINE", 0.1)
    async with server.connect() as caller:
        caller.send(data)
        assert await caller.closed()


async def test_the_head_of_the_second_request_comes_in_time_too(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "HEAD_DEADLINE", 0.1)
    async with server.connect() as caller:
        caller.send(GET + b"\r\n")
        assert (await caller.answer())[0] == 200
        caller.send(b"GET / HTTP/1.1\r\n")
        assert await caller.closed()


async def test_a_large_body_is_refused_before_it_comes(server: Server) -> None:
    async with server.connect() as caller:
        caller.send(POST + b"Content-Length: 16385\r\nExpect: 100-continue\r\n\r\n")

        assert await caller.problem() == (413, "body-too-large")


async def test_a_large_body_in_chunks_is_refused_as_it_comes(server: Server) -> None:
    async with server.connect() as caller:
        caller.send(POST + b"Transfer-Encoding: chunked\r\n\r\n")
        for _ in range(17):
            caller.send(b"400\r\n" + b" " * 1024 + b"\r\n")
        assert await caller.problem() == (413, "body-too-large")

        caller.send(b"0\r\n\r\n" + GET + b"\r\n")
        assert (await caller.answer())[0] == 200


@pytest.mark.parametrize(
    "data",
    [
        b"Content-Length: 524288\r\n\r\n" + b" " * 524_288,
        b"Transfer-Encoding: chunked\r\n\r\n" + b"2\r\n  \r\n" * 16_384 + b"0\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n80000\r\n" + b" " * 524_288 + b"\r\n0\r\n\r\n",
    ],
    ids=["length", "chunks", "chunk"],
)
async def test_a_refused_body_is_read_to_its_end(server: Server, data: bytes) -> None:
    async with server.connect() as caller:
        caller.send(POST + data + GET + b"\r\n")

        assert await caller.problem() == (413, "body-too-large")
        assert (await caller.answer())[0] == 200


async def test_nobody_reads_what_goes_on_for_ever(server: Server) -> None:
    async with server.connect() as caller:
        caller.send(POST + b"Transfer-Encoding: chunked\r\n\r\n")
        with pytest.raises(ConnectionError):
            await caller.go_on(b"10000\r\n" + b" " * 65_536 + b"\r\n")


@pytest.mark.parametrize(
    ("start", "part"),
    [
        (b"0\r\n", b"t: a\r\n" * 1000),
        (b"0\r\nt: ", b"a" * 4096),
        (b"1;", b"x" * 4096),
        (b"1;x=", b"y" * 4096),
        (b"", b"1;extension=yes\r\nx\r\n" * 200),
    ],
    ids=["trailers", "trailer", "extension", "value of extension", "chunks"],
)
async def test_whatever_comes_after_the_head_is_bounded(
    server: Server, start: bytes, part: bytes
) -> None:
    async with server.connect() as caller:
        caller.send(POST + b"Transfer-Encoding: chunked\r\n\r\n" + start)
        with pytest.raises(ConnectionError):
            await caller.go_on(part)


async def test_trailers_without_end_are_answered_with_a_problem(server: Server) -> None:
    async with server.connect() as caller:
        caller.send(POST + b"Transfer-Encoding: chunked\r\n\r\n0\r\n")
        caller.send(b"t: a\r\n" * (protocol.FRAMING_LIMIT // 6 + 200))

        assert await caller.problem() == (413, "body-too-large")
        assert await caller.closed()


async def test_a_body_of_small_chunks_is_none_too_large() -> None:
    async def echo(_: Scope, receive: Receive, send: Send) -> None:
        body = (await receive())["body"]
        size = str(len(body)).encode()
        await succeed(send, size)

    async with (
        serving(Limits(echo, ApiMetrics()), unlimited()) as server,
        server.connect() as caller,
    ):
        caller.send(POST + b"Transfer-Encoding: chunked\r\n\r\n")
        caller.send(b"1\r\n \r\n" * BODY_LIMIT + b"0\r\n\r\n")

        assert await caller.answer() == (200, str(BODY_LIMIT).encode())


async def test_trailers_are_no_headers() -> None:
    seen: list[Scope] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        while (await receive()).get("more_body", False):
            pass
        seen.append(scope)
        await succeed(send)

    connections = unlimited()
    async with serving(app, connections) as server, server.connect() as caller:
        caller.send(POST + b"Transfer-Encoding: chunked\r\nTrailer: Accept\r\n\r\n2\r\n{}\r\n")
        caller.send(b"0\r\nIdempotency-Key: mine\r\nAccept: text/html\r\nHost: other\r\n\r\n")
        assert await caller.answer() == (200, b"")

    [names] = [[name for name, _ in scope["headers"]] for scope in seen]
    assert names == [b"host", b"content-type", b"transfer-encoding", b"trailer"]


async def test_a_head_has_at_most_100_headers(server: Server) -> None:
    async with server.connect() as caller:
        caller.send(GET + b"a: b\r\n" * 99 + b"\r\n")
        assert (await caller.answer())[0] == 200

        caller.send(GET + b"a: b\r\n" * 100 + b"\r\n")
        assert await caller.problem() == (431, "head-too-large")
        assert await caller.closed()


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        GET + b"host: other.test\r\n\r\n",
        b"GET /\r\n\r\n",
        b"GET / HTTP/2.0\r\n\r\n",
    ],
    ids=["no host", "two hosts", "HTTP/0.9", "HTTP/2.0"],
)
async def test_a_request_that_breaks_the_rules_of_http_1_1_is_refused(
    server: Server, data: bytes
) -> None:
    async with server.connect() as caller:
        caller.send(data)

        assert await caller.problem() == (400, "malformed-http")
        assert await caller.closed()


async def test_http_1_0_needs_no_host(server: Server) -> None:
    async with server.connect() as caller:
        caller.send(b"GET /health/live HTTP/1.0\r\n\r\n")

        assert (await caller.answer())[0] == 200
        assert await caller.closed()


async def test_an_upgrade_is_ignored(server: Server) -> None:
    async with server.connect() as caller:
        upgrade = GET + b"Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
        caller.send(upgrade + GET + b"\r\n" + upgrade)

        assert [(await caller.answer())[0] for _ in range(3)] == [200, 200, 200]


async def test_many_requests_at_once_wait_for_each_other() -> None:
    async def app(_: Scope, __: Receive, send: Send) -> None:
        await succeed(send)

    async with serving(app, unlimited()) as server, server.connect() as caller:
        caller.send((GET + b"\r\n") * 8000)

        assert {(await caller.answer())[0] for _ in range(8000)} == {200}


async def test_few_of_many_requests_at_once_are_parsed() -> None:
    begun, may = 0, asyncio.Event()

    async def app(_: Scope, __: Receive, send: Send) -> None:
        await may.wait()
        await succeed(send)

    class Counting(protocol.Connection):
        def on_message_begin(self) -> None:
            nonlocal begun
            begun += 1
            super().on_message_begin()

    connections = unlimited()
    async with serving(app, connections, kind=Counting) as server, server.connect() as caller:
        request = b"GET / HTTP/1.1\r\nHost:\r\n\r\n"
        caller.send(request * 2000)
        await caller.drain()
        async with server.connect() as other:
            other.send(b"nonsense\r\n\r\n")
            await other.answer()  # the server has read what came before
        assert begun <= 2 + protocol.PIPELINED + protocol.SLICE // len(request)

        may.set()
        assert {(await caller.answer())[0] for _ in range(2000)} == {200}


async def test_requests_that_wait_are_not_read_without_end() -> None:
    async def app(_: Scope, receive: Receive, __: Send) -> None:
        await receive()
        await asyncio.Event().wait()

    connections = unlimited()
    async with serving(app, connections) as server, server.connect() as caller:
        blocked = asyncio.create_task(caller.go_on(b"GET / HTTP/1.1\r\nHost:\r\n\r\n" * 100))
        done, _ = await asyncio.wait([blocked], timeout=0.5)
        assert not done  # it is not read any more
        blocked.cancel()


async def test_malformed_bytes_never_come_before_an_earlier_answer() -> None:
    may = asyncio.Event()

    async def app(_: Scope, __: Receive, send: Send) -> None:
        await may.wait()
        await succeed(send, b"the answer")

    connections = unlimited()
    async with serving(app, connections) as server, server.connect() as caller:
        caller.send(GET + b"\r\n" + b"nonsense\r\n\r\n")
        async with server.connect() as other:
            other.send(b"nonsense\r\n\r\n")
            await other.answer()
        may.set()

        assert await caller.answer() == (200, b"the answer")
        assert await caller.closed()


@pytest.mark.parametrize("data", [b"\r\n", b"\n"])
async def test_empty_lines_do_not_keep_an_idle_connection(unwired: Api, data: bytes) -> None:
    async with (
        serving(unwired.asgi, unwired.connections, keep_alive=0.3) as server,
        server.connect() as caller,
    ):
        caller.send(GET + b"\r\n")
        assert (await caller.answer())[0] == 200

        with pytest.raises(ConnectionError):
            await caller.go_on(data, pause=0.02)


async def test_a_body_that_drips_after_its_refusal_does_not_keep_a_connection(
    unwired: Api,
) -> None:
    async with (
        serving(unwired.asgi, unwired.connections, keep_alive=0.3) as server,
        server.connect() as caller,
    ):
        caller.send(POST + b"Content-Length: 100000\r\n\r\n")
        assert await caller.problem() == (413, "body-too-large")

        with pytest.raises(ConnectionError):
            await caller.go_on(b" ", pause=0.02)


async def test_a_request_that_has_begun_ends_the_idle_time(unwired: Api) -> None:
    async with (
        serving(unwired.asgi, unwired.connections, keep_alive=1.0) as server,
        server.connect() as caller,
    ):
        caller.send(GET + b"\r\n" + GET[:10])
        assert (await caller.answer())[0] == 200
        await asyncio.sleep(2.0)  # longer than a connection may be idle
        caller.send(GET[10:] + b"\r\n")

        assert (await caller.answer())[0] == 200
