import json
from uuid import UUID, uuid4

import httpx2
import pytest

from api.conftest import Workers, execute, lose_reports
from mousetrap.api.http.slots import Full, Slots
from mousetrap.geo.batch import Batch
from mousetrap.geo.changes import Changes
from mousetrap.geo.point import Point
from mousetrap.geo.summary import summarise
from mousetrap.store.batches import PART
from mousetrap.store.database import Database
from support import samples

GEOJSON = {"Accept": "application/geo+json"}


def ids(answer: httpx2.Response) -> list[str]:
    assert answer.status_code == 200
    return [summary["job_id"] for summary in answer.json()["items"]]


async def test_one_summary(client: httpx2.AsyncClient, workers: Workers) -> None:
    job_id = await workers.succeed()

    answer = await client.get(f"/summaries/{job_id}")

    assert answer.json() == (await client.get("/")).json()
    assert answer.json()["job_id"] == job_id


async def test_its_points_as_geojson(client: httpx2.AsyncClient, workers: Workers) -> None:
    job_id = await workers.succeed(points=(Point(57.15, -2.11, "Åberdeen"), Point(38.5, -121.5)))

    answer = await client.get(f"/summaries/{job_id}/points")

    assert answer.headers["content-type"] == "application/geo+json"
    assert answer.json() == {
        "type": "FeatureCollection",
        "bbox": [-121.5, 38.5, -2.11, 57.15],
        "features": [
            {
                "type": "Feature",
                "geometry": {"type": "Point", "coordinates": [-2.11, 57.15]},
                "properties": {"name": "Åberdeen"},
            },
            {
                "type": "Feature",
                "geometry": {"type": "Point", "coordinates": [-121.5, 38.5]},
                "properties": {"name": None},
            },
        ],
    }


@pytest.mark.parametrize("count", [1, PART + 1])
async def test_its_points_as_a_table(
    client: httpx2.AsyncClient, workers: Workers, count: int
) -> None:
    job_id = await workers.succeed(points=(Point(57.15, -2.11, "Åberdeen, UK"),) * count)

    answer = await client.get(f"/summaries/{job_id}/points", headers={"Accept": "text/csv"})

    assert answer.headers["content-type"] == "text/csv; charset=utf-8; header=present"
    assert answer.text == "lat,lon,name\r\n" + '57.15,-2.11,"Åberdeen, UK"\r\n' * count


async def test_its_points_as_a_sequence(client: httpx2.AsyncClient, workers: Workers) -> None:
    path = f"/summaries/{await workers.succeed()}/points"

    answer = await client.get(path, headers={"Accept": "application/geo+json-seq"})

    assert answer.headers["content-type"] == "application/geo+json-seq"
    texts = answer.text.split("\x1e")[1:]
    assert list(map(json.loads, texts)) == (await client.get(path)).json()["features"]


@pytest.mark.parametrize(
    ("accept", "found"),
    [
        ("*/*", "application/geo+json"),
        ("text/html, */*;q=0.8", "application/geo+json"),
        ("application/json", "application/json"),
        ("application/geo+json-seq;q=0.5, text/csv;q=0.9", "text/csv"),
    ],
)
async def test_points_come_in_the_format_that_is_accepted(
    client: httpx2.AsyncClient, workers: Workers, accept: str, found: str
) -> None:
    path = f"/summaries/{await workers.succeed()}/points"

    answer = await client.get(path, headers={"Accept": accept})
    again = await client.get(
        path, headers={"Accept": accept, "If-None-Match": answer.headers["etag"]}
    )
    other = await client.get(
        path,
        headers={"Accept": "application/geo+json-seq", "If-None-Match": answer.headers["etag"]},
    )

    assert answer.headers["content-type"].partition(";")[0] == found
    assert answer.headers["vary"].split(", ")[0] == "Accept"
    assert (again.status_code, again.headers["vary"].split(", ")[0]) == (304, "Accept")
    assert other.status_code == 200


async def test_a_batch_of_the_version_before_is_offered_as_geojson(
    client: httpx2.AsyncClient, workers: Workers, dsn: str
) -> None:
    job_id = await workers.succeed()
    await execute(dsn, "DELETE FROM batch_part")
    geojson = '{"type":"FeatureCollection","bbox":[1,2,1,2],"features":[]}'
    await execute(dsn, f"INSERT INTO batch VALUES ('{job_id}', '{geojson}')")  # noqa: S608

    answer = await client.get(f"/summaries/{job_id}/points", headers={"Accept": "text/csv"})

    assert answer.status_code == 406
    assert "accept application/geo+json" in answer.json()["detail"]
    assert (await client.get(f"/summaries/{job_id}/points")).json()["features"] == []


@pytest.mark.parametrize("path", ["/summaries/{}", "/summaries/{}/points", "/summaries/{}/changes"])
async def test_a_job_without_a_summary(client: httpx2.AsyncClient, path: str) -> None:
    queued = (await client.post("/refresh")).json()["job_id"]

    for job_id in (queued, str(uuid4())):
        answer = await client.get(path.format(job_id))

        assert answer.status_code == 404
        assert answer.json()["type"] == "urn:mousetrap:problem:unknown-summary"
        assert job_id in answer.json()["detail"]


async def test_large_batches_leave_slots_to_other_requests(
    client: httpx2.AsyncClient, workers: Workers, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = await workers.succeed()
    large = await workers.succeed(points=(Point(1.0, 2.0),) * (PART + 1))
    assert (await client.get(f"/summaries/{large}/points")).status_code == 200
    monkeypatch.setattr(Slots, "full", lambda *_: Full.TOTAL)

    answer = await client.get(f"/summaries/{large}/points")

    assert answer.status_code == 503
    assert answer.json()["type"] == "urn:mousetrap:problem:overloaded"
    assert (await client.get(f"/summaries/{small}/points")).status_code == 200


async def test_a_summary_as_geojson(client: httpx2.AsyncClient, workers: Workers) -> None:
    points = (Point(-17.0, 178.0), Point(52.0, -176.0, "Adak"))
    path = f"/summaries/{await workers.succeed(points=points)}"
    summary = (await client.get(path)).json()

    answer = await client.get(path, headers=GEOJSON)

    assert answer.headers["content-type"] == "application/geo+json"
    feature = answer.json()
    assert (feature["type"], feature["id"]) == ("Feature", summary["job_id"])
    assert feature["geometry"] == {"type": "Point", "coordinates": summary["centroid"][::-1]}
    assert feature["bbox"] == summary["bbox"] == [178.0, -17.0, -176.0, 52.0]
    rest = {name: summary[name] for name in summary.keys() - {"bbox", "centroid"}}
    assert feature["properties"] == rest


async def test_a_summary_without_a_centroid_as_geojson(
    client: httpx2.AsyncClient, workers: Workers
) -> None:
    job_id = await workers.succeed(points=(Point(0.0, 0.0), Point(0.0, 180.0)))

    feature = (await client.get(f"/summaries/{job_id}", headers=GEOJSON)).json()

    assert feature["geometry"] is None


async def test_a_summary_of_an_earlier_version_as_geojson(
    client: httpx2.AsyncClient, workers: Workers, dsn: str
) -> None:
    job_id = await workers.succeed()
    await lose_reports(dsn)

    feature = (await client.get(f"/summaries/{job_id}", headers=GEOJSON)).json()

    assert "feed" not in feature["properties"]


async def test_a_summary_has_the_members_that_its_source_asks_for(
    client: httpx2.AsyncClient, database: Database
) -> None:
    batch = Batch((1.0, 2.0), (3.0, 4.0), (None, "b"), ("x", None), ("town", None), (2.5, None))
    job_id = (await client.post("/refresh")).json()["job_id"]
    await samples.succeed(database, UUID(job_id), batch=batch, summary=summarise(batch, grid=True))

    found = (await client.get(f"/summaries/{job_id}")).json()
    feature = (await client.get(f"/summaries/{job_id}", headers=GEOJSON)).json()
    points = (await client.get(f"/summaries/{job_id}/points")).json()["features"]
    newest = await client.get("/", params={"source": "demo"})

    assert found["groups"]["counts"] == {"town": 1}
    assert found["values"]["mean"] == 2.5
    assert sum(count for _, _, count in found["grid"]["cells"]) == 2
    assert {name: found[name] for name in feature["properties"]} == feature["properties"]
    assert newest.json() == found
    assert newest.content == (await client.get("/")).content
    assert points[0]["id"] == "x"
    assert points[0]["properties"] == {"name": None, "group": "town", "value": 2.5}


async def test_what_changed_with_a_summary(client: httpx2.AsyncClient, database: Database) -> None:
    first, second = [(await client.post("/refresh")).json()["job_id"] for _ in range(2)]
    for job_id, since in ((first, Changes()), (second, Changes(UUID(first), 2, 0, ("a", "b")))):
        await samples.succeed(database, UUID(job_id), changes=since)

    summary = (await client.get(f"/summaries/{second}")).json()
    answer = await client.get(f"/summaries/{second}/changes")
    again = await client.get(
        f"/summaries/{second}/changes", headers={"If-None-Match": answer.headers["etag"]}
    )
    before = await client.get(f"/summaries/{first}/changes")

    assert summary["changes"] == {"since": first, "new": 2, "gone": 0}
    assert answer.json() == {
        "since": first,
        "new": {"count": 2, "ids": ["a", "b"]},
        "gone": {"count": 0, "ids": []},
    }
    assert again.status_code == 304
    nothing = (await client.get(f"/summaries/{first}")).json()["changes"]
    assert nothing == {"since": None, "new": None, "gone": None}
    assert (before.status_code, before.json()["type"]) == (404, "urn:mousetrap:problem:no-changes")


async def test_a_page_as_geojson(client: httpx2.AsyncClient, workers: Workers) -> None:
    old = [await workers.succeed() for _ in range(3)]

    first = await client.get("/summaries?limit=2", headers=GEOJSON)
    second = await client.get(
        "/summaries", params={"limit": 2, "cursor": first.json()["next"]}, headers=GEOJSON
    )

    assert first.headers["content-type"] == "application/geo+json"
    features = [feature for answer in (first, second) for feature in answer.json()["features"]]
    assert [feature["id"] for feature in features] == old[::-1]
    assert second.json()["next"] is None


@pytest.mark.parametrize("path", ["/summaries/{}", "/summaries"])
async def test_what_is_known_in_json_is_not_known_in_geojson(
    client: httpx2.AsyncClient, workers: Workers, path: str
) -> None:
    path = path.format(await workers.succeed())
    etag = (await client.get(path)).headers["etag"]

    answer = await client.get(path, headers=GEOJSON | {"If-None-Match": etag})

    assert answer.status_code == 200
    assert answer.headers["vary"].split(", ")[0] == "Accept"


@pytest.mark.parametrize("path", ["/summaries/{}", "/summaries/{}/points", "/summaries"])
async def test_what_is_known_is_not_sent_again(
    client: httpx2.AsyncClient, workers: Workers, path: str
) -> None:
    path = path.format(await workers.succeed())
    first = await client.get(path)

    again = await client.get(path, headers={"If-None-Match": first.headers["etag"]})

    assert (again.status_code, again.content) == (304, b"")
    for name in ("etag", "cache-control"):
        assert again.headers[name] == first.headers[name]


@pytest.mark.parametrize("path", ["/summaries/{}", "/summaries/{}/points"])
async def test_never_changes_and_is_deleted_some_day(
    client: httpx2.AsyncClient, database: Database, workers: Workers, path: str
) -> None:
    path = path.format(await workers.succeed())
    first = await client.get(path)
    await workers.succeed()
    assert await database.retention.delete(older_than=0.0, limit=10) == 1

    again = await client.get(path, headers={"If-None-Match": first.headers["etag"]})

    assert first.headers["cache-control"] == "max-age=86400, immutable"
    assert again.status_code == 404
    assert again.headers["cache-control"] == "no-cache"


async def test_a_page_with_another_entry_has_another_tag(
    client: httpx2.AsyncClient, workers: Workers
) -> None:
    await workers.succeed()
    first = await client.get("/summaries")
    await workers.succeed()

    second = await client.get("/summaries", headers={"If-None-Match": first.headers["etag"]})

    assert second.status_code == 200
    assert second.headers["etag"] != first.headers["etag"]
    assert second.headers["cache-control"] == "no-cache"


async def test_lists_the_newest_request_first(client: httpx2.AsyncClient, workers: Workers) -> None:
    requested = [(await client.post("/refresh")).json()["job_id"] for _ in range(4)]
    for job_id in (requested[2], requested[0], requested[3]):
        await workers.succeed(job_id)

    answer = await client.get("/summaries")

    assert ids(answer) == [requested[3], requested[2], requested[0]]
    assert answer.json()["next"] is None


async def test_pages_do_not_move_when_summaries_come_in_between(
    client: httpx2.AsyncClient, workers: Workers
) -> None:
    old = [await workers.succeed() for _ in range(3)]

    first = await client.get("/summaries?limit=2")
    await workers.succeed()
    second = await client.get("/summaries", params={"limit": 2, "cursor": first.json()["next"]})

    assert ids(first) + ids(second) == old[::-1]
    assert second.json()["next"] is None


async def test_filters_by_source(client: httpx2.AsyncClient, workers: Workers) -> None:
    await workers.succeed()
    earthquakes = await workers.succeed(source="earthquakes")

    assert ids(await client.get("/summaries?source=earthquakes")) == [earthquakes]


async def test_refuses_a_cursor_that_it_did_not_give_out(client: httpx2.AsyncClient) -> None:
    answer = await client.get("/summaries?cursor=nonsense")

    assert answer.status_code == 400
    assert answer.json()["type"] == "urn:mousetrap:problem:invalid-cursor"
