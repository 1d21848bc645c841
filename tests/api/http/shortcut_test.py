"""Real sockets: what is answered without the applications, beside what they answer."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import product

import httpx
import msgspec
import pytest
import uvicorn
from uvicorn.server import ServerState

from api.conftest import SOURCES, alive
from api.routes.metrics_test import scraped
from api.routes.newest_test import shown, stored
from mousetrap.api.app import Api, create_app
from mousetrap.api.http.limits import Receive, Scope, Send
from mousetrap.api.http.protocol import UNSENT_LIMIT, Connection
from mousetrap.geo.point import Point
from mousetrap.settings.process import ApiSettings
from support.processes import Starter

Succeed = Callable[..., Awaitable[str]]

HOST = b"Host: mousetrap.test\r\n"
DATE = [(b"date", b"Wed, 25 Nov 2026 17:00:00 GMT")]
METHODS = (b"GET", b"HEAD", b"POST", b"get")
TARGETS = (b"/", b"/?source=demo", b"/?", b"//", b"/%2f", b"/#x", b"http://mousetrap.test/")
CONDITIONS = (
    *(b"", b"If-None-Match: %b\r\n", b"if-none-match:%b \r\n", b"If-None-Match: W/%b\r\n"),
    *(b"If-None-Match: *\r\n", b'If-None-Match: "x", %b\r\n', b'If-None-Match: "x"\r\n'),
    *(b"If-None-Match:\r\n", b"If-None-Match: %b\r\nIf-None-Match: %b\r\n"),
    b'If-None-Match: %b\r\nIf-None-Match: "x"\r\n',
)
OTHERS = (
    *(b"", b"Accept: */*\r\n", b"Accept: text/html\r\nUser-Agent: x\r\n", b"Accept: nonsense\r\n"),
    *(b"Accept-Encoding: gzip, br\r\n", b"Accept-Encoding: identity;q=0\r\n", b"Cookie: a=b\r\n"),
    *(b"Origin: https://maps.example\r\n", b"Content-Length: 0\r\n", b"Range: bytes=0-1\r\n"),
    *(b"Content-Length: 2\r\n\r\n{}", b"Transfer-Encoding: chunked\r\n\r\n0\r\n"),
    *(b"Expect: 100-continue\r\n", b"Connection: upgrade, close\r\nUpgrade: h2c\r\n"),
    *(b"Connection: close\r\n", b"Connection: keep-alive\r\n", b"X-Request-ID: mine\r\n"),
)


@dataclass
class Door:
    """A port of the API, and how many requests the applications got there."""

    api: Api
    port: int = 0
    asked: int = 0
    state: ServerState = field(default_factory=ServerState)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.asked += 1
        await self.api.asgi(scope, receive, send)

    async def answer(self, request: bytes) -> bytes:
        """Return everything that is answered, less what is different each time."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        # What is answered after that is for certain not kept back by anything.
        writer.write(request + b"GET /nope HTTP/1.1\r\nConnection: close\r\n" + HOST + b"\r\n")
        async with asyncio.timeout(10):
            answers = await reader.read()
        writer.close()
        return re.sub(rb"x-request-id: [0-9a-f]{32}", b"x-request-id: *", answers)


@asynccontextmanager
async def door(api: Api, *, shortcut: bool) -> AsyncIterator[Door]:
    found = Door(api)
    found.state.default_headers = list(DATE)
    config = uvicorn.Config(found, ws="none", lifespan="off", log_config=None, server_header=False)
    config.load()
    make = partial(Connection, shortcut=api.shortcut if shortcut else None)
    server = await asyncio.get_running_loop().create_server(
        lambda: make(config=config, server_state=found.state, app_state={}), "127.0.0.1", 0
    )
    found.port = server.sockets[0].getsockname()[1]
    async with asyncio.timeout(60):
        yield found
    server.close()
    for left in list(found.state.connections):
        left.transport.abort()


@asynccontextmanager
async def doors(settings: ApiSettings, name: str = "Sacramento") -> AsyncIterator["Doors"]:
    """One API that has a summary, with the shortcut and without."""
    api = create_app(settings, SOURCES)
    async with (
        alive(api.asgi),
        door(api, shortcut=True) as fast,
        door(api, shortcut=False) as slow,
        httpx.AsyncClient(
            transport=httpx.ASGITransport(api.asgi), base_url="http://mousetrap.test"
        ) as client,
    ):
        job_id = await stored(points=(Point(38.5, -121.5, name),))
        await client.get(f"/jobs/{job_id}")  # what a caller was shown is not forgotten
        await shown(client, job_id)
        yield Doors(fast, slow, (await client.get("/")).headers["etag"].encode())


@dataclass
class Doors:
    fast: Door
    slow: Door
    etag: bytes


def request(method: bytes, target: bytes, fields: bytes) -> bytes:
    return b"%b %b HTTP/1.1\r\n%b%b\r\n" % (method, target, HOST, fields)


@pytest.mark.parametrize("name", ["Sacramento", "x" * 1000], ids=["small", "large"])
async def test_answers_as_the_applications_do(settings: ApiSettings, name: str) -> None:
    async with doors(settings, name) as both:
        fast, slow = both.fast, both.slow
        conditions = [it.replace(b"%b", both.etag) for it in CONDITIONS]
        plain = list(product(METHODS, (b"/",), conditions, OTHERS))
        odd = product(METHODS[:2], TARGETS, conditions[:2], OTHERS[:1])
        for method, target, condition, other in [*plain, *odd]:
            text = request(method, target, condition + other)

            assert await fast.answer(text) == await slow.answer(text), text

    assert fast.asked < slow.asked if name == "Sacramento" else fast.asked == slow.asked


@pytest.mark.parametrize("method", [b"GET", b"HEAD"])
@pytest.mark.parametrize("condition", [b"", b"If-None-Match: %b\r\n"], ids=["200", "304"])
@pytest.mark.parametrize("other", [b"", b"Accept: */*\r\n", b"Accept-Encoding: gzip\r\n"])
async def test_does_not_trouble_the_applications(
    settings: ApiSettings, method: bytes, condition: bytes, other: bytes
) -> None:
    async with doors(settings) as both, asyncio.timeout(20):
        text = request(method, b"/", condition.replace(b"%b", both.etag) + other)
        # A notice that is late makes it ask the database once more.
        while True:
            before = both.fast.asked
            await both.fast.answer(text)
            if both.fast.asked == before + 1:  # for what is asked after it
                break


async def test_many_requests_at_once_are_answered_in_their_order(
    settings: ApiSettings,
) -> None:
    paths = [b"/", b"/sources", b"/", b"/", b"/jobs?limit=1", b"/"]
    text = b"".join(request(b"GET", path, b"") for path in paths)
    async with doors(settings) as both:
        assert await both.fast.answer(text) == await both.slow.answer(text)


async def test_an_answer_that_takes_long_is_not_cut_off_by_the_one_before_it(
    settings: ApiSettings,
) -> None:
    async with doors(settings) as both:
        reader, writer = await asyncio.open_connection("127.0.0.1", both.fast.port)
        writer.write(request(b"GET", b"/", b"") + request(b"GET", b"/events", b""))
        await reader.readuntil(b"text/event-stream")
        [connection] = both.fast.state.connections
        assert isinstance(connection, Connection)

        assert connection.timeout_keep_alive_task is None
        writer.close()


async def test_more_requests_at_once_than_are_answered_together_have_their_answers(
    settings: ApiSettings,
) -> None:
    text = request(b"GET", b"/", b"") * (2 * UNSENT_LIMIT + 1)
    async with doors(settings) as both:
        assert await both.fast.answer(text) == await both.slow.answer(text)


async def test_what_is_not_http_is_told_after_the_answer_before_it(settings: ApiSettings) -> None:
    async with doors(settings) as both:
        answers = await both.fast.answer(request(b"GET", b"/", b"") + b"nonsense\r\n\r\n")

    assert re.findall(rb"HTTP/1.1 (\d+)", answers) == [b"200", b"400"]


async def test_an_answer_goes_out_before_the_server_closes_the_connection(
    settings: ApiSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def complete_and_stop(connection: Connection) -> None:
        complete(connection)
        connection.shutdown()

    complete = Connection.on_response_complete
    async with doors(settings) as both:
        monkeypatch.setattr(Connection, "on_response_complete", complete_and_stop)
        reader, writer = await asyncio.open_connection("127.0.0.1", both.fast.port)
        writer.write(request(b"GET", b"/", b""))

        assert (await reader.read()).startswith(b"HTTP/1.1 200 OK\r\n")
        writer.close()


@pytest.mark.parametrize("changes", [{"cors_origins": "*"}, {"log_format": "console"}])
def test_is_not_taken_where_answers_or_lines_are_others(
    settings: ApiSettings, changes: dict[str, str]
) -> None:
    assert create_app(msgspec.structs.replace(settings, **changes), SOURCES).shortcut is None


async def test_is_logged_and_counted_like_all_others(
    start: Starter, succeed: Succeed, port: int
) -> None:
    await succeed()
    process = await start()
    await process.logged("the API is served")
    url = f"http://127.0.0.1:{port}"
    async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=10) as client:
        async with asyncio.timeout(20):
            while not (await client.get("/?warm=up")).json():
                pass
        counted = await scraped(client, "mousetrap_http_request_seconds_count")
        fast, slow = await client.get("/"), await client.get("/?slow")
        await client.head("/")
        not_modified = {"If-None-Match": fast.headers["etag"]}
        await client.get("/", headers=not_modified)
        counts = await scraped(client, "mousetrap_http_request_seconds_count")

    lines = [
        await process.logged("request", request_id=answer.headers["x-request-id"])
        for answer in (fast, slow)
    ]
    for line in lines:
        assert 0 <= line.pop("duration_ms") < 10_000
        assert line.pop("timestamp").endswith("Z")
        assert len(line.pop("request_id")) == 32
    assert list(lines[0].items()) == list(lines[1].items())
    got = ("GET", "/", "200")
    assert counts == counted | {
        got: counted[got] + 2,
        ("HEAD", "/", "200"): 1,
        ("GET", "/", "304"): 1,
        ("GET", "/metrics", "200"): counted.get(("GET", "/metrics", "200"), 0) + 1,
    }
