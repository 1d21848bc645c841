from typing import Any

import httpx2
import pytest

from api.conftest import Workers
from mousetrap.api.http.compression import MINIMUM, THREAD_MINIMUM, Compression
from mousetrap.api.http.limits import Limits, Receive, Scope, Send
from mousetrap.api.metrics import ApiMetrics
from mousetrap.geo.point import Point

JSON = "application/json"
POINTS = tuple(Point(lat / 20, lat / 10, f"number {lat}") for lat in range(-1700, 1700, 2))


async def get(
    *parts: bytes, accept: str = "gzip", method: str = "GET", status: int = 200, **headers: str
) -> httpx2.Response:
    """Ask an application that answers with these parts and headers; the answer is as it came."""

    async def app(_: Scope, __: Receive, send: Send) -> None:
        sent = [(k.replace("_", "-").encode(), v.encode()) for k, v in headers.items()]
        await send({"type": "http.response.start", "status": status, "headers": sent})
        for number, part in enumerate(parts, 1):
            await send(
                {"type": "http.response.body", "body": part, "more_body": number < len(parts)}
            )

    async with (
        httpx2.AsyncClient(
            transport=httpx2.ASGITransport(Limits(Compression(app), ApiMetrics())),
            base_url="http://mousetrap.test",
        ) as client,
        client.stream(method, "/", headers={"Accept-Encoding": accept}) as answer,
    ):
        raw = b"".join([part async for part in answer.aiter_raw()])
        return httpx2.Response(answer.status_code, headers=answer.headers.raw, content=raw)


def plain(answer: httpx2.Response) -> bytes:
    assert answer.headers["content-encoding"] == "gzip"
    return answer.content


@pytest.mark.parametrize("size", [MINIMUM, THREAD_MINIMUM, 10 * THREAD_MINIMUM])
async def test_a_body_is_compressed(size: int) -> None:
    body = b"[" + b" " * (size - 2) + b"]"

    answer = await get(body, content_type=JSON, content_length=str(size))

    assert plain(answer) == body
    assert int(answer.headers["content-length"]) < size / 10
    assert answer.headers["vary"] == "Accept-Encoding"


async def test_a_body_in_parts_is_compressed() -> None:
    parts = [b"a" * THREAD_MINIMUM, b"", b"b", b"c" * THREAD_MINIMUM]

    answer = await get(*parts, content_type="text/css", content_length="131073")

    assert plain(answer) == b"".join(parts)
    assert answer.headers["content-length"] != "131073"


@pytest.mark.parametrize("content_type", ["image/png", "font/woff2", "application/pdf", ""])
async def test_what_is_compressed_by_itself_is_left_alone(content_type: str) -> None:
    answer = await get(b"a" * MINIMUM, content_type=content_type)

    assert answer.content == b"a" * MINIMUM
    assert not {"content-encoding", "vary"} & set(answer.headers)


async def test_events_are_sent_when_they_happen() -> None:
    answer = await get(*[b"data: {}\n\n" * 200] * 2, content_type="text/event-stream")

    assert "content-encoding" not in answer.headers
    assert answer.content == b"data: {}\n\n" * 400


@pytest.mark.parametrize(
    ("size", "accept", "vary"),
    [(MINIMUM - 1, "gzip", "Accept"), (MINIMUM, "gzip;q=0", "Accept, Accept-Encoding")],
)
async def test_what_is_small_or_unwanted_is_not_compressed(
    size: int, accept: str, vary: str
) -> None:
    answer = await get(
        b"a" * size, accept=accept, content_type=JSON, vary="Accept", content_length=str(size)
    )

    assert answer.content == b"a" * size
    assert "content-encoding" not in answer.headers
    assert answer.headers["content-length"] == str(size)
    assert answer.headers.get_list("vary") == [vary]


@pytest.mark.parametrize("etag", ['"a"', 'W/"a"'])
async def test_a_compressed_body_has_a_weak_tag(etag: str) -> None:
    compressed = await get(b"a" * MINIMUM, content_type=JSON, etag=etag)
    whole = await get(b"a" * MINIMUM, accept="", content_type=JSON, etag=etag)

    assert (compressed.headers["etag"], whole.headers["etag"]) == ('W/"a"', etag)


async def test_a_304_varies_as_the_answer_that_it_stands_for() -> None:
    answer = await get(b"", status=304, etag='W/"a"')

    assert answer.headers["vary"] == "Accept-Encoding"
    assert "content-encoding" not in answer.headers


async def test_a_batch_shrinks_to_a_fraction(client: httpx2.AsyncClient, workers: Workers) -> None:
    path = f"/summaries/{await workers.succeed(points=POINTS)}/points"
    heads: list[dict[str, Any]] = []
    sizes: list[int] = []
    for accept in ("gzip", "identity"):
        answer = await client.get(path, headers={"Accept-Encoding": accept})
        assert len(answer.json()["features"]) == len(POINTS)
        heads.append(dict(answer.headers))
        sizes.append(answer.num_bytes_downloaded)

    assert heads[0]["content-encoding"] == "gzip"
    assert sizes[0] < sizes[1] / 4
    assert heads[0]["etag"] == heads[1]["etag"]
