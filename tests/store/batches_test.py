"""Batches as columns, in parts."""

import json
from uuid import UUID, uuid4

import pytest

from mousetrap.geo.batch import Batch
from mousetrap.geo.point import Point
from mousetrap.store import batches
from mousetrap.store.database import Database
from mousetrap.store.errors import EarlierBatchError, UnknownJobError, UnstorableValueError
from mousetrap.store.geojson import FeatureSequence
from mousetrap.store.outcomes import Change
from mousetrap.store.table import Table
from support import samples
from support.batches import summarise
from support.postgres import Connection
from support.samples import submitted, succeed

MANY = tuple(Point(n % 90 + 1 / 3, n % 180 - 1 / 7, f"№ {n}") for n in range(2 * batches.PART + 1))
GEOJSON = '{"type":"FeatureCollection","bbox":[1,2,3,4],"features":["🐭Åb"]}'
PARTS = "SELECT count(*) FROM batch_part WHERE job_id = $1"


async def store(database: Database, job_id: UUID, points: tuple[Point, ...] = MANY) -> Change:
    return await succeed(database, job_id, summary=summarise(points), points=points)


async def kept_before(side: Connection, job_id: UUID) -> None:
    """Keep a batch as the version before does."""
    await side.execute("DELETE FROM batch_part WHERE job_id = $1", job_id)
    await side.execute("INSERT INTO batch VALUES ($1, $2::text::json)", job_id, GEOJSON)


@pytest.mark.parametrize("count", [1, batches.PART, batches.PART + 1, len(MANY)])
async def test_a_batch_comes_back_whole_and_in_its_order(
    database: Database, side: Connection, count: int
) -> None:
    job, points = await submitted(database), MANY[:count]
    assert await store(database, job.id, points) is Change.ENDED
    assert await side.fetchval(PARTS, job.id) == -(-count // batches.PART)
    text = await samples.points(database, job.id)
    assert text
    found = json.loads(text)
    assert found["bbox"] == [*summarise(points).bbox]
    assert [
        Point(lat, lon, feature["properties"]["name"])
        for feature in found["features"]
        for lon, lat in [feature["geometry"]["coordinates"]]
    ] == [*points]


async def test_no_piece_holds_more_than_a_part(database: Database) -> None:
    job = await submitted(database)
    await store(database, job.id)
    pieces = [piece async for piece in database.summaries.points(job.id)]
    assert max(piece.count(b'"Feature"') for piece in pieces) == batches.PART


@pytest.mark.parametrize("count", [2, 2 * batches.PART])
async def test_ids_groups_and_values_come_back_in_each_format(
    database: Database, count: int
) -> None:
    job = await submitted(database)
    batch = Batch(
        (1.0,) * count,
        (2.0,) * count,
        (None, "a\0b") * (count // 2),
        tuple(f"id{n}\ud800" for n in range(count)),
        ("town", None) * (count // 2),
        (None, 2.5) * (count // 2),
    )
    await succeed(database, job.id, batch=batch)

    collection = json.loads(await samples.points(database, job.id) or b"")
    lines = (await samples.points(database, job.id, Table()) or b"").decode().split("\r\n")
    texts = (await samples.points(database, job.id, FeatureSequence()) or b"").split(b"\x1e")

    assert [it["id"] for it in collection["features"]] == [f"id{n}\ufffd" for n in range(count)]
    assert collection["features"][1]["properties"] == {
        "name": "a\ufffdb",
        "group": None,
        "value": 2.5,
    }
    assert lines[0] == "lat,lon,name,id,group,value"
    assert lines[1:3] == ["1.0,2.0,,id0\ufffd,town,", "1.0,2.0,a\ufffdb,id1\ufffd,,2.5"]
    assert len(lines) == count + 2
    assert list(map(json.loads, texts[1:])) == collection["features"]


async def test_a_batch_of_the_version_before_is_geojson_and_nothing_else(
    database: Database, side: Connection
) -> None:
    job = await submitted(database)
    await succeed(database, job.id)
    await kept_before(side, job.id)
    with pytest.raises(EarlierBatchError, match="as GeoJSON"):
        await samples.points(database, job.id, Table())


@pytest.mark.parametrize("size", [1, 7, len(GEOJSON.encode()), 1000])
async def test_a_batch_of_the_version_before_comes_back_slice_by_slice(
    database: Database, side: Connection, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr(batches, "SLICE", size)
    job = await submitted(database)
    await succeed(database, job.id)
    await kept_before(side, job.id)
    pieces = [piece async for piece in database.summaries.points(job.id)]
    assert b"".join(pieces).decode() == GEOJSON
    assert max(map(len, pieces)) <= size


@pytest.mark.parametrize("before", [True, False])
async def test_a_batch_that_is_deleted_while_it_is_read_does_not_just_end(
    database: Database, side: Connection, monkeypatch: pytest.MonkeyPatch, *, before: bool
) -> None:
    monkeypatch.setattr(batches, "SLICE", 5)
    job = await submitted(database)
    await store(database, job.id)
    if before:
        await kept_before(side, job.id)
    pieces = database.summaries.points(job.id)
    assert await anext(pieces)
    await side.execute("DELETE FROM job WHERE id = $1", job.id)
    with pytest.raises(UnknownJobError, match="was deleted while it was read"):
        await anext(pieces)


async def test_a_batch_in_parts_is_stored_whole_or_not_at_all(
    database: Database, side: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = await submitted(database)
    with monkeypatch.context() as patch:
        patch.setattr(
            batches,
            "KEEP",
            batches.KEEP.replace("number, latitudes::", "number / (2 - number), latitudes::"),
        )
        with pytest.raises(UnstorableValueError):
            await store(database, job.id)
    assert await side.fetchval(PARTS, job.id) == 0
    assert await database.summaries.find(job.id) is None
    assert await store(database, job.id) is Change.ENDED
    assert await store(database, job.id) is Change.NONE
    assert await side.fetchval(PARTS, job.id) == 3


async def test_a_batch_in_parts_of_an_unknown_job_is_refused(database: Database) -> None:
    with pytest.raises(UnknownJobError):
        await store(database, uuid4())


async def test_postgres_takes_no_harm_from_any_name(database: Database) -> None:
    job = await submitted(database)
    await store(database, job.id, (Point(1.0, 2.0, "a\0b"), Point(1.0, 2.0, "\ud83d")))
    text = await samples.points(database, job.id)
    assert text
    names = [feature["properties"]["name"] for feature in json.loads(text)["features"]]
    assert names == ["a\ufffdb", "\ufffd"]
