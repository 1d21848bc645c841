import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from mousetrap.geo.point import Point
from mousetrap.geo.summary import summarise
from mousetrap.store.database import Database
from mousetrap.store.summaries import StoredSummary
from support.postgres import Connection, plan, scans, statements
from support.samples import (
    FETCHED_AT,
    POINTS,
    SUMMARY,
    columns,
    fail,
    submitted,
    succeed,
    succeeded,
)

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
TICK = timedelta(microseconds=1)

# One source said nothing after its first thousand summaries.
MANY = """
WITH many AS (
    INSERT INTO job (id, source, state, requested_at, fetched_at, finished_at)
    SELECT gen_random_uuid(), CASE WHEN n <= 1000 THEN 'silent' ELSE 'busy-' || n % 5 END,
           'succeeded', '2026-11-23T12:00Z'::timestamptz + n * interval '1 minute', now(), now()
    FROM generate_series(1, 5000) AS n
    RETURNING *
)
INSERT INTO summary
SELECT id, sequence, source, requested_at, fetched_at, finished_at,
       1, 0, 0, 0, 0, NULL, 0, 0, 0, 0
FROM many
"""


def _ids(found: Sequence[StoredSummary]) -> list[UUID]:
    return [summary.job_id for summary in found]


async def test_there_is_none_before_the_first(database: Database) -> None:
    job = await submitted(database)
    assert await database.summaries.newest("demo") is None
    assert await database.summaries.newest_of_all(["demo"]) == {}
    assert await database.summaries.find(job.id) is None
    assert await database.summaries.points(job.id) is None
    assert await database.summaries.page(limit=10) == []


async def test_a_summary_comes_back_as_it_was_stored(database: Database) -> None:
    job = await succeeded(database)
    found = await database.summaries.find(job.id)
    assert found
    assert found == StoredSummary(
        job_id=job.id,
        sequence=job.sequence,
        source="demo",
        requested_at=job.requested_at,
        fetched_at=FETCHED_AT,
        processed_at=found.processed_at,
        **columns(SUMMARY),
    )
    assert SUMMARY.bbox.west > SUMMARY.bbox.east
    ended = await database.jobs.find(job.id)
    assert ended
    assert found.processed_at == ended.finished_at
    assert found.processed_at.tzinfo is UTC
    assert await database.summaries.newest("demo") == found
    assert await database.summaries.newest_of_all({"demo"}) == {"demo": found}
    assert await database.summaries.page(limit=1) == [found]


async def test_a_batch_without_a_centroid_has_none(database: Database) -> None:
    points = (Point(0.0, 0.0), Point(0.0, 180.0))
    job = await submitted(database)
    await succeed(database, job.id, summary=summarise(points), points=points)
    found = await database.summaries.find(job.id)
    assert found
    assert found.centroid_lat is found.centroid_lon is None
    assert found.most_northerly_name is None


async def test_the_batch_comes_back_as_geojson(database: Database) -> None:
    job = await succeeded(database)
    text = await database.summaries.points(job.id)
    assert text
    bbox = SUMMARY.bbox
    assert json.loads(text) == {
        "type": "FeatureCollection",
        "bbox": [bbox.west, bbox.south, bbox.east, bbox.north],
        "features": [
            {
                "type": "Feature",
                "geometry": {"type": "Point", "coordinates": [point.lon, point.lat]},
                "properties": {"name": point.name},
            }
            for point in POINTS
        ],
    }


async def test_newest_means_requested_last(database: Database) -> None:
    first, second, third = [await submitted(database) for _ in range(3)]
    other = await succeeded(database, "earthquakes")
    await succeed(database, second.id)
    await succeed(database, first.id)
    await fail(database, third.id)
    newest = await database.summaries.newest("demo")
    assert newest
    assert newest.job_id == second.id
    found = await database.summaries.newest_of_all(["demo", "demo", "earthquakes", "unknown"])
    assert {source: summary.job_id for source, summary in found.items()} == {
        "demo": second.id,
        "earthquakes": other.id,
    }


async def test_the_newest_costs_one_look_into_the_index_even_if_the_source_is_long_silent(
    database: Database, side: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    await side.execute(MANY)
    await side.execute("ANALYZE summary")
    sent = statements(monkeypatch)
    newest = await database.summaries.newest("silent")
    assert newest
    assert await database.summaries.newest("silence") is None
    found = await database.summaries.newest_of_all(["silent", "silence", "busy-3", "a", "z"])
    assert sorted(found) == ["busy-3", "silent"]
    assert found["silent"] == newest
    assert len(sent) == 3
    for query, args in sent:
        [scan] = scans(await plan(side, query, args, generic=False), "summary")
        assert scan["Index Name"] == "summary_by_source"
        assert scan["Actual Rows"] <= 1
        assert "Filter" not in scan


@pytest.mark.parametrize(
    "wanted",
    [
        {},
        {"before": 2500},
        {"source": "silent"},
        {"source": "silent", "before": 500},
        {"source": "busy-3", "before": 1010},
        {"until": NOON + timedelta(minutes=500)},
        {"until": NOON + timedelta(minutes=500), "before": 300},
        {"since": NOON + timedelta(minutes=4996)},
        {"since": NOON + timedelta(minutes=50), "until": NOON + timedelta(minutes=55)},
        {"since": NOON + timedelta(minutes=995), "source": "silent"},
        {"since": NOON + timedelta(days=30)},
        {"until": NOON},
    ],
)
async def test_a_page_costs_what_is_on_it_however_few_there_are_of_its_kind(
    database: Database, side: Connection, monkeypatch: pytest.MonkeyPatch, wanted: dict[str, Any]
) -> None:
    await side.execute(MANY)
    await side.execute("ANALYZE summary")
    everything = await database.summaries.page(limit=10_000)
    sent = statements(monkeypatch)

    page = await database.summaries.page(**wanted, limit=10)

    assert page == [it for it in everything if _fits(it, **wanted)][:10]
    query, args = sent[-1]
    [scan] = scans(await plan(side, query, args, generic=True), "summary")
    assert scan["Actual Rows"] + scan.get("Rows Removed by Filter", 0) <= 15


def _fits(
    it: StoredSummary,
    source: str | None = None,
    before: int | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> bool:
    return (
        it.source == (source or it.source)
        and (before is None or it.sequence < before)
        and (since is None or it.requested_at >= since)
        and (until is None or it.requested_at < until)
    )


async def test_pages_are_newest_first_and_filtered(database: Database) -> None:
    one, two, three = [await succeeded(database, source) for source in ("a", "b", "a")]
    page = database.summaries.page
    assert _ids(await page(limit=10)) == [three.id, two.id, one.id]
    assert _ids(await page(limit=1)) == [three.id]
    assert _ids(await page(source="a", limit=10)) == [three.id, one.id]
    assert _ids(await page(before=three.sequence, limit=10)) == [two.id, one.id]
    assert _ids(await page(source="a", before=three.sequence, limit=10)) == [one.id]


async def test_since_is_inclusive_and_until_is_not(database: Database, side: Connection) -> None:
    job = await succeeded(database)
    await side.execute("UPDATE summary SET requested_at = $1", NOON)
    cases = {
        (NOON, None): True,
        (NOON + TICK, None): False,
        (None, NOON): False,
        (None, NOON + TICK): True,
        (NOON, NOON): False,
        (NOON - TICK, NOON): False,
        (NOON, NOON + TICK): True,
    }
    for (since, until), expected in cases.items():
        found = await database.summaries.page(since=since, until=until, limit=10)
        assert _ids(found) == ([job.id] if expected else [])


async def test_a_span_counts_by_the_request_whatever_the_time_zone(
    database: Database, side: Connection
) -> None:
    job = await succeeded(database)
    await side.execute("UPDATE summary SET requested_at = $1", NOON)
    suva = NOON.astimezone(tz=datetime.fromisoformat("2026-01-01T00:00+13:00").tzinfo)
    assert suva.day != NOON.day
    assert _ids(await database.summaries.page(since=suva, limit=10)) == [job.id]
    assert _ids(await database.summaries.page(until=suva, limit=10)) == []


async def test_pages_stand_still_while_summaries_are_stored(database: Database) -> None:
    late = await submitted(database)
    jobs = [await succeeded(database) for _ in range(8)]
    seen: list[UUID] = []
    before = None
    while page := await database.summaries.page(before=before, limit=3):
        seen += _ids(page)
        before = page[-1].sequence
        await succeeded(database)
    assert seen == [job.id for job in reversed(jobs)]
    await succeed(database, late.id)
    assert _ids(await database.summaries.page(before=before, limit=3)) == [late.id]


async def test_an_unknown_job_has_neither_summary_nor_points(database: Database) -> None:
    await succeeded(database)
    assert await database.summaries.find(uuid4()) is None
    assert await database.summaries.points(uuid4()) is None
