import json
from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID, uuid4

import msgspec
import pytest

from mousetrap.geo.point import Point
from mousetrap.geo.report import Report, Skipped
from mousetrap.geo.summary import Summary
from mousetrap.store.database import Database
from mousetrap.store.errors import SchemaError
from mousetrap.store.summaries import StoredSummary
from support import samples
from support.batches import summarise
from support.postgres import Connection, plan, scans, statements
from support.samples import (
    FETCHED_AT,
    MANY_SUMMARIES,
    POINTS,
    REPORT,
    SUMMARY,
    columns,
    document,
    fail,
    holds,
    submitted,
    succeed,
    succeeded,
)

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


# As processes of the version before have it.
_STORE: Final = """
WITH ended AS (
    UPDATE job SET state = 'succeeded', fetched_at = $2, finished_at = now() WHERE id = $1
    RETURNING *
)
INSERT INTO summary (
    job_id, sequence, source, requested_at, fetched_at, processed_at, point_count,
    centroid_lat, centroid_lon, most_northerly_lat, most_northerly_lon, most_northerly_name,
    west, south, east, north)
SELECT id, sequence, source, requested_at, fetched_at, finished_at,
    $3::integer, $4::float8, $5::float8, $6::float8, $7::float8, $8::text,
    $9::float8, $10::float8, $11::float8, $12::float8
FROM ended
"""

NOWHERE: Final = summarise((Point(0.0, 0.0), Point(0.0, 180.0)))
"""Its points have neither a centroid nor names."""


OLDEST: Final = ("count", "centroid", "most_northerly", "bbox")
"""The members of a summary that the version before has."""


class Origin(msgspec.Struct, frozen=True):
    """The members of a document that come before those of the summary."""

    job_id: UUID
    source: str
    requested_at: datetime
    fetched_at: datetime
    finished_at: datetime | None
    processed_at: datetime | None


@dataclass(frozen=True, slots=True)
class Wider(Summary):
    """A summary of a version to come."""

    spread: float = 0.5


def _ids(found: Sequence[StoredSummary]) -> list[UUID]:
    return [summary.job_id for summary in found]


async def test_there_is_none_before_the_first(database: Database) -> None:
    job = await submitted(database)
    assert await database.summaries.newest("demo") is None
    assert await database.summaries.newest_of_all(["demo"]) == {}
    assert await database.summaries.find(job.id) is None
    assert await samples.points(database, job.id) is None
    assert await database.summaries.page(limit=10) == []


async def test_a_summary_comes_back_as_it_was_stored(database: Database) -> None:
    job = await succeeded(database)
    found = await database.summaries.find(job.id)
    assert found
    ended = await database.jobs.find(job.id)
    assert ended
    assert (found.job_id, found.sequence, found.source) == (job.id, job.sequence, "demo")
    assert msgspec.json.decode(found.document, type=Origin) == Origin(
        job_id=job.id,
        source="demo",
        requested_at=job.requested_at,
        fetched_at=job.requested_at,
        finished_at=ended.finished_at,
        processed_at=ended.finished_at,
    )
    assert holds(found, SUMMARY)
    shown = json.loads(found.document)
    assert list(shown) == [*Origin.__struct_fields__, *document(SUMMARY), "feed"]
    assert msgspec.json.decode(msgspec.json.encode(REPORT)) == shown["feed"]
    assert SUMMARY.bbox.west > SUMMARY.bbox.east
    assert await database.summaries.newest("demo") == found
    assert await database.summaries.newest_of_all({"demo"}) == {"demo": found}
    assert await database.summaries.page(limit=1) == [found]


@pytest.mark.parametrize("summary", [SUMMARY, NOWHERE])
async def test_a_summary_that_the_version_before_stores_is_shown_like_any_other(
    database: Database, side: Connection, summary: Summary
) -> None:
    old, new = await submitted(database), await submitted(database)
    await side.execute(_STORE, old.id, FETCHED_AT, *columns(summary).values())
    await succeed(database, new.id, summary=summary)
    newest, oldest = await database.summaries.page(limit=2)
    differing = {"job_id", "requested_at", "fetched_at", "finished_at", "processed_at"}
    after, before = json.loads(newest.document), json.loads(oldest.document)
    assert after["feed"]
    assert list(before) == [*Origin.__struct_fields__, *OLDEST]
    assert {name for name in before if after[name] != before[name]} == differing
    assert msgspec.json.decode(oldest.document, type=Origin).requested_at == old.requested_at
    assert before["finished_at"] == before["processed_at"]
    assert await database.summaries.find(old.id) == oldest


@pytest.mark.parametrize("summary", [SUMMARY, NOWHERE])
async def test_the_version_before_reads_a_summary_that_this_one_stores(
    database: Database, side: Connection, summary: Summary
) -> None:
    job = await submitted(database)
    await succeed(database, job.id, summary=summary)
    found = dict(await side.fetchrow("SELECT * FROM summary") or {})
    ended = await database.jobs.find(job.id)
    assert ended
    assert columns(summary).items() <= found.items()
    assert (found["fetched_at"], found["processed_at"]) == (job.requested_at, ended.finished_at)


async def test_a_new_member_of_a_summary_needs_no_other_table(database: Database) -> None:
    job = await submitted(database)
    wider = Wider(**{field.name: getattr(SUMMARY, field.name) for field in fields(SUMMARY)})
    await succeed(database, job.id, summary=wider)
    found = await database.summaries.newest("demo")
    assert found
    assert json.loads(found.document)["spread"] == wider.spread


async def test_a_report_with_texts_that_postgres_does_not_take_is_stored(
    database: Database,
) -> None:
    job = await submitted(database)
    skipped = Skipped(1, {"no\0place": 1}, ("features[\ud800]",))
    await succeed(database, job.id, report=Report(skipped, warnings=("a\0b",)))
    found = await database.summaries.find(job.id)
    assert found
    feed = json.loads(found.document)["feed"]
    assert feed["skipped"] == {"count": 1, "reasons": {"no�place": 1}, "first": ["features[�]"]}
    assert feed["warnings"] == ["a�b"]


async def test_a_document_of_another_version_is_not_shown(
    database: Database, side: Connection
) -> None:
    job = await succeeded(database)
    await side.execute(
        "UPDATE summary SET document = replace(document::text, 'n\":1,', 'n\":2,')::json"
    )
    with pytest.raises(SchemaError, match=f"{job.id}.*newer version"):
        await database.summaries.newest("demo")


async def test_a_batch_without_a_centroid_has_none(database: Database) -> None:
    job = await submitted(database)
    await succeed(database, job.id, summary=NOWHERE)
    found = await database.summaries.find(job.id)
    assert found
    shown = json.loads(found.document)
    assert shown["centroid"] is None
    assert shown["most_northerly"]["name"] is None


async def test_the_batch_comes_back_as_geojson(database: Database) -> None:
    job = await succeeded(database)
    text = await samples.points(database, job.id)
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
    await side.execute(MANY_SUMMARIES)
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
    await side.execute(MANY_SUMMARIES)
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
        and (since is None or _requested_at(it) >= since)
        and (until is None or _requested_at(it) < until)
    )


def _requested_at(it: StoredSummary) -> datetime:
    return datetime.fromisoformat(json.loads(it.document)["requested_at"])


async def test_pages_are_newest_first_and_filtered(database: Database) -> None:
    one, two, three = [await succeeded(database, source) for source in ("a", "b", "a")]
    page = database.summaries.page
    assert _ids(await page(limit=10)) == [three.id, two.id, one.id]
    assert _ids(await page(limit=1)) == [three.id]
    assert _ids(await page(source="a", limit=10)) == [three.id, one.id]
    assert _ids(await page(before=three.sequence, limit=10)) == [two.id, one.id]
    assert _ids(await page(source="a", before=three.sequence, limit=10)) == [one.id]


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
    assert await samples.points(database, uuid4()) is None
