"""Parameters of the query that an operation does not have."""

from typing import Any

import httpx2
import pytest

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


@pytest.mark.parametrize("path", ["/jobs", "/summaries", "/"])
async def test_an_unknown_source_is_not_found(client: httpx2.AsyncClient, path: str) -> None:
    answer = await client.get(path, params={"source": "gone"})

    assert answer.status_code == 404
    assert answer.json()["type"] == "urn:mousetrap:problem:unknown-source"
