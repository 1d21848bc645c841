"""Parameters of the query that an operation does not have."""

from typing import Any

import httpx2
import pytest

from api.conftest import Workers, execute

OUTSIDE = ("/health/", "/metrics", "/dashboard/session")
"""Paths that probes, scrapers and browsers ask for, in their own ways."""


async def test_unknown_ones_are_refused_like_unknown_fields(
    client: httpx2.AsyncClient, document: dict[str, Any]
) -> None:
    asked = [
        (method, path.replace("{job_id}", "00000000-0000-7000-8000-000000000000"))
        for path, item in document["paths"].items()
        if not path.startswith(OUTSIDE)
        for method in item
    ]
    assert len(asked) > 8

    for method, path in asked:
        answer = await client.request(method, path, params={"unknown": "1"})
        assert (answer.status_code, path) == (400, path)
        [error] = answer.json()["errors"]
        assert (error["name"], error["where"]) == ("unknown", "query")


async def test_known_ones_are_told(client: httpx2.AsyncClient) -> None:
    [error] = (await client.get("/summaries?form=csv")).json()["errors"]

    assert error["message"] == "Unknown parameter: known are cursor, limit, since, source, until"


@pytest.mark.parametrize("name", ["gone", "", "a\0b", "\N{RAT}" * 100])
@pytest.mark.parametrize("path", ["/jobs", "/summaries", "/"])
async def test_an_unknown_source_is_not_found(
    client: httpx2.AsyncClient, path: str, name: str
) -> None:
    answer = await client.get(path, params={"source": name})

    assert answer.status_code == 404
    assert answer.json()["type"] == "urn:mousetrap:problem:unknown-source"


async def test_what_a_source_of_before_has_left_is_listed(
    client: httpx2.AsyncClient, workers: Workers, dsn: str
) -> None:
    await workers.succeed()
    await execute(dsn, "UPDATE job SET source = 'gone'")
    await execute(dsn, "UPDATE summary SET source = 'gone'")

    for path in ("/jobs", "/summaries"):
        first = await client.get(path, params={"source": "gone", "limit": 1})
        assert (first.status_code, len(first.json()["items"])) == (200, 1)
        later = await client.get(path, params={"source": "gone", "since": "2999-12-31T00:00:00Z"})
        assert (later.status_code, later.json()["items"]) == (200, [])


async def test_only_some_of_many_are_told(client: httpx2.AsyncClient) -> None:
    answer = await client.get("/jobs?" + "&".join(f"{'x' * 100}{it}=1" for it in range(50)))

    names = [error["name"] for error in answer.json()["errors"]]
    assert len(names) == 10
    assert {len(name) for name in names} == {64}
