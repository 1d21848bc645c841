from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from mousetrap.geo.point import Point

Succeed = Callable[..., Awaitable[str]]


async def test_is_an_empty_object_before_the_first_summary(client: httpx.AsyncClient) -> None:
    answer = await client.get("/")

    assert (answer.status_code, answer.content) == (200, b"{}")


async def test_shows_the_summary_in_numbers(client: httpx.AsyncClient, succeed: Succeed) -> None:
    job_id = await succeed(points=(Point(-17.0, 178.0, "Fiji"), Point(52.0, -176.0, "Adak")))

    summary = (await client.get("/")).json()

    assert summary["job_id"] == job_id
    assert summary["source"] == "demo"
    assert summary["count"] == 2
    assert summary["most_northerly"] == {"lat": 52.0, "lon": -176.0, "name": "Adak"}
    assert summary["bbox"] == [178.0, -17.0, -176.0, 52.0]
    assert [type(number) for number in summary["centroid"]] == [float, float]
    assert summary["requested_at"] <= summary["fetched_at"] <= summary["processed_at"]
    assert summary["requested_at"].endswith("Z")


async def test_has_no_centroid_when_the_points_cancel_each_other_out(
    client: httpx.AsyncClient, succeed: Succeed
) -> None:
    await succeed(points=(Point(0.0, 0.0), Point(0.0, 180.0)))

    summary = (await client.get("/")).json()

    assert summary["centroid"] is None
    assert summary["most_northerly"]["name"] is None


async def test_newest_is_what_was_requested_last(
    client: httpx.AsyncClient, succeed: Succeed
) -> None:
    first = (await client.post("/refresh")).json()["job_id"]
    second = (await client.post("/refresh")).json()["job_id"]
    await succeed(second)
    await succeed(first)

    assert (await client.get("/")).json()["job_id"] == second


async def test_keeps_the_sources_apart(client: httpx.AsyncClient, succeed: Succeed) -> None:
    demo = await succeed()
    earthquakes = await succeed(source="earthquakes")

    assert (await client.get("/")).json()["job_id"] == demo
    assert (await client.get("/?source=demo")).json()["job_id"] == demo
    assert (await client.get("/?source=earthquakes")).json()["job_id"] == earthquakes


async def test_a_source_has_to_be_configured(client: httpx.AsyncClient) -> None:
    answer = await client.get("/?source=nope")

    assert answer.status_code == 404
    assert answer.json()["type"] == "urn:mousetrap:problem:unknown-source"
    assert "'nope'" in answer.json()["detail"]


async def test_parameters_that_mean_nothing_are_ignored(client: httpx.AsyncClient) -> None:
    assert (await client.get("/?utm_source=mail")).status_code == 200


@pytest.mark.parametrize("known", ["{etag}", 'W/"x", {etag}', "W/{etag}", "*"])
async def test_what_is_known_is_not_sent_again(
    client: httpx.AsyncClient, succeed: Succeed, known: str
) -> None:
    await succeed()
    etag = (await client.get("/")).headers["etag"]

    answer = await client.get("/", headers={"If-None-Match": known.format(etag=etag)})

    assert (answer.status_code, answer.content) == (304, b"")
    assert answer.headers["etag"] == etag


async def test_a_newer_summary_has_another_tag(client: httpx.AsyncClient, succeed: Succeed) -> None:
    await succeed()
    etag = (await client.get("/")).headers["etag"]
    newer = await succeed()

    answer = await client.get("/", headers={"If-None-Match": etag})

    assert answer.status_code == 200
    assert answer.json()["job_id"] == newer
    assert answer.headers["etag"] != etag


async def test_without_a_summary_no_tag_matches(client: httpx.AsyncClient) -> None:
    answer: Any = await client.get("/", headers={"If-None-Match": "*"})

    assert (answer.status_code, answer.json()) == (200, {})
