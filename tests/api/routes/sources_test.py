from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager

import httpx2
import msgspec

from mousetrap.queue.circuits import FAILURES, Circuits
from mousetrap.settings.process import ApiSettings

Serve = Callable[..., AbstractAsyncContextManager[httpx2.AsyncClient]]
Succeed = Callable[..., Awaitable[str]]

CLOSED = {"state": "closed", "since": None, "failures": 0, "last_error": None}


async def test_lists_what_is_configured(client: httpx2.AsyncClient) -> None:
    answer = await client.get("/sources")

    assert answer.json() == {
        "items": [
            {
                "name": "demo",
                "kind": "faker",
                "default": True,
                "every": None,
                "circuit": CLOSED,
                "newest": None,
            },
            {
                "name": "earthquakes",
                "kind": "geojson",
                "default": False,
                "every": "5m",
                "circuit": CLOSED,
                "newest": None,
            },
        ]
    }


async def test_shows_the_newest_summary_of_each(
    client: httpx2.AsyncClient, succeed: Succeed
) -> None:
    await succeed()
    newest = await succeed()

    demo, earthquakes = (await client.get("/sources")).json()["items"]

    assert demo["newest"] == (await client.get(f"/summaries/{newest}")).json()
    assert earthquakes["newest"] is None


async def test_tells_nobody_where_they_are(client: httpx2.AsyncClient) -> None:
    assert "127.0.0.1" not in (await client.get("/sources")).text


async def test_tells_nobody_how_they_are_asked(client: httpx2.AsyncClient) -> None:
    assert "canary" not in (await client.get("/sources")).text.lower()


async def test_shows_which_are_not_asked(client: httpx2.AsyncClient, redis_url: str) -> None:
    async with Circuits(redis_url) as circuits:
        for _ in range(FAILURES):
            await circuits.failed("earthquakes", "timeout", interval=60)

    demo, earthquakes = (await client.get("/sources")).json()["items"]

    assert demo["circuit"] == CLOSED
    since = earthquakes["circuit"].pop("since")
    assert since.endswith("Z")
    assert earthquakes["circuit"] == {
        "state": "open",
        "failures": FAILURES,
        "last_error": "timeout",
    }


async def test_nobody_knows_while_the_queue_is_away(serve: Serve, settings: ApiSettings) -> None:
    away = msgspec.structs.replace(settings, redis_url="unix:///nonexistent/valkey")
    async with serve(away) as client:
        answer = await client.get("/sources")

    assert answer.status_code == 200
    assert [it["circuit"] for it in answer.json()["items"]] == [None, None]
