from collections.abc import Awaitable, Callable

import httpx2

Succeed = Callable[..., Awaitable[str]]


async def test_lists_what_is_configured(client: httpx2.AsyncClient) -> None:
    answer = await client.get("/sources")

    assert answer.json() == {
        "items": [
            {"name": "demo", "kind": "faker", "default": True, "every": None, "newest": None},
            {
                "name": "earthquakes",
                "kind": "geojson",
                "default": False,
                "every": "5m",
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
