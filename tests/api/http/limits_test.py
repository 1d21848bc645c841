import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest

from mousetrap.api.http.limits import Application, Limits, Message, Receive, Scope, Send
from mousetrap.api.metrics import ApiMetrics

OF_A_PAGE = {"Sec-Fetch-Mode": "cors", "Sec-Fetch-Site": "same-origin"}


class Echo:
    """Answers with the body that it was sent, once it may."""

    def __init__(self) -> None:
        self.may = asyncio.Event()
        self.may.set()
        self.entered = asyncio.Semaphore(0)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.entered.release()
        await self.may.wait()
        message = await receive()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": message["body"]})
        assert scope["method"] != "HEAD"


@pytest.fixture
def echo() -> Echo:
    return Echo()


def client(app: Application) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app), base_url="http://mousetrap.test", timeout=10
    )


def kind(answer: httpx2.Response) -> str:
    assert answer.headers["content-type"] == "application/problem+json"
    found: str = answer.json()["type"].removeprefix("urn:mousetrap:problem:")
    return found


async def parts(*found: bytes) -> AsyncIterator[bytes]:
    for part in found:
        yield part


async def test_hands_over_the_whole_body_at_once(echo: Echo) -> None:
    async with client(Limits(echo, ApiMetrics())) as caller:
        answer = await caller.post("/", content=parts(b"one ", b"two ", b"", b"three"))

    assert answer.content == b"one two three"


async def test_head_is_get(echo: Echo) -> None:
    async with client(Limits(echo, ApiMetrics())) as caller:
        answer = await caller.head("/")

    assert (answer.status_code, answer.content) == (200, b"")


async def test_the_head_of_an_answer_without_end_ends() -> None:
    async def endless(_: Scope, __: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for part in (b"1", b"2", b"3"):
            await send({"type": "http.response.body", "body": part, "more_body": True})

    async with client(Limits(endless, ApiMetrics())) as caller:
        assert (await caller.head("/")).content == b""


@pytest.mark.parametrize("path", ["/", "/nope", "/health/live", "/docs"])
async def test_every_answer_has_the_headers_that_browsers_need(
    client: httpx2.AsyncClient, path: str
) -> None:
    headers = (await client.get(path)).headers

    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert "server" not in headers


@pytest.mark.parametrize("path", ["/", "/nope", "/jobs", "/docs"])
async def test_no_cache_is_left_to_guess(client: httpx2.AsyncClient, path: str) -> None:
    assert (await client.get(path)).headers.get_list("cache-control") == ["no-cache"]


async def test_every_answer_can_be_found_in_the_log(
    client: httpx2.AsyncClient, events: list[dict[str, Any]]
) -> None:
    first = await client.get("/jobs/x%0Ay?source=secret")
    second = await client.get("/jobs")

    lines = [event for event in events if event["event"] == "request"]
    assert [line["request_id"] for line in lines] == [
        first.headers["x-request-id"],
        second.headers["x-request-id"],
    ]
    assert lines[0]["request_id"] != lines[1]["request_id"]
    assert (lines[0]["method"], lines[0]["path"], lines[0]["status"]) == ("GET", "/jobs/x%0Ay", 404)
    assert 0 < lines[1]["duration_ms"] < 10_000
    assert "secret" not in str(lines)


@pytest.mark.parametrize(
    ("path", "headers", "level"),
    [
        ("/sources", OF_A_PAGE, "debug"),
        ("/dashboard", OF_A_PAGE | {"Sec-Fetch-Mode": "navigate"}, "info"),
        ("/jobs/x", OF_A_PAGE, "info"),
        ("/sources", {"Sec-Fetch-Mode": "cors"}, "info"),
        ("/sources", OF_A_PAGE | {"Authorization": "Bearer x"}, "info"),
        ("/sources", {}, "info"),
    ],
)
async def test_requests_that_a_page_sends_by_itself_are_no_news_unless_they_fail(
    client: httpx2.AsyncClient,
    events: list[dict[str, Any]],
    path: str,
    headers: dict[str, str],
    level: str,
) -> None:
    await client.get(path, headers=headers)

    [line] = [event for event in events if event["event"] == "request"]
    assert line["log_level"] == level


async def test_health_checks_are_no_news(
    client: httpx2.AsyncClient, events: list[dict[str, Any]]
) -> None:
    await client.get("/health/live")
    await client.get("/health/ready")

    levels = [event["log_level"] for event in events if event["event"] == "request"]
    assert levels == ["debug", "debug"]


async def test_refuses_what_is_too_much(echo: Echo) -> None:
    echo.may.clear()
    async with client(Limits(echo, ApiMetrics(), max_in_flight=2)) as caller, asyncio.timeout(10):
        held = [asyncio.create_task(caller.get("/")) for _ in range(2)]
        for _ in held:
            await echo.entered.acquire()

        refused = await caller.get("/")
        echo.may.set()
        answers = await asyncio.gather(*held)
        after = await caller.get("/")

    assert (refused.status_code, kind(refused)) == (503, "overloaded")
    assert int(refused.headers["retry-after"]) > 0
    assert [answer.status_code for answer in (*answers, after)] == [200, 200, 200]


@pytest.mark.parametrize("path", ["/health/live", "/metrics", "/events"])
@pytest.mark.parametrize("spelling", ["{}", "/{}", "{}/", "//{}//"])
async def test_some_are_none_of_the_requests_in_hand(echo: Echo, path: str, spelling: str) -> None:
    async with client(Limits(echo, ApiMetrics(), max_in_flight=0)) as caller:
        url = httpx2.URL("http://mousetrap.test", raw_path=spelling.format(path).encode())
        assert (await caller.get(url)).status_code == 200
        assert (await caller.get("/")).status_code == 503


async def test_slow_callers_hold_up_nobody(echo: Echo) -> None:
    arrived, never = asyncio.Event(), asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        yield b"{"
        arrived.set()
        await never.wait()

    async with (
        client(Limits(echo, ApiMetrics(), max_in_flight=1, body_deadline=0.3)) as caller,
        asyncio.timeout(10),
    ):
        waiting = asyncio.create_task(caller.post("/", content=slow()))
        await arrived.wait()
        meanwhile = await caller.get("/")
        answer = await waiting

    assert meanwhile.status_code == 200
    assert (answer.status_code, kind(answer)) == (408, "slow-request")
    assert answer.headers["connection"] == "close"


async def test_a_caller_that_goes_away_is_no_fault_of_ours(
    echo: Echo, events: list[dict[str, Any]]
) -> None:
    messages: list[Message] = [
        {"type": "http.request", "body": b"{", "more_body": True},
        {"type": "http.disconnect"},
    ]
    sent: list[Message] = []

    async def receive() -> Message:
        return messages.pop(0)

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/",
        "raw_path": b"/",
        "headers": [(b"transfer-encoding", b"chunked")],
    }
    await Limits(echo, ApiMetrics())(scope, receive, send)

    assert echo.entered.locked()
    assert sent[0]["status"] == 400
    assert [event["status"] for event in events] == [400]


async def test_a_length_that_is_none_is_no_way_around_the_limit(echo: Echo) -> None:
    async with client(Limits(echo, ApiMetrics(), body_limit=10)) as caller:
        answer = await caller.post("/", content=b"x" * 11, headers={"Content-Length": "-1"})

    assert (answer.status_code, kind(answer)) == (413, "body-too-large")
