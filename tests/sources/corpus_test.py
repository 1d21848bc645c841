"""Each input of tests/resources/feeds through the catalogue, asked over HTTP or read from disk."""

import asyncio
from math import remainder

import pytest

from mousetrap.geo.batch import Batch
from mousetrap.geo.summary import summarise
from mousetrap.settings.sources import Sources
from mousetrap.sources.catalogue import Catalogue
from mousetrap.sources.errors import SourceError
from mousetrap.sources.fetched import Fetched
from mousetrap.sources.packed import whole
from support import corpus
from support.corpus import FOLDER, Case, Place
from support.origin import Origin

CASES = corpus.cases()
READ = [case for case in CASES if case.error is None]
REFUSED = [case for case in CASES if case.error is not None]
NEAR = 1e-9


async def fetch(case: Case, origin: Origin) -> Fetched:
    case.serve(origin)
    sources = Sources(default="feed", sources={"feed": case.settings(origin)})
    async with Catalogue(sources) as catalogue, asyncio.timeout(20):
        return await catalogue.fetch("feed")


def same(left: float | None, right: float | None) -> bool:
    """Return whether two longitudes are of one meridian, or none is one."""
    if left is None or right is None:
        return left is right
    return abs(remainder(left - right, 360)) < NEAR


def check_points(batch: Batch, places: list[Place]) -> None:
    assert batch.names == tuple(place.name for place in places)
    assert list(batch.latitudes) == pytest.approx([place.lat for place in places], abs=NEAR)
    for found, place in zip(batch.longitudes, places, strict=True):
        assert same(found, place.lon)


def check_summary(batch: Batch, places: list[Place]) -> None:
    summary = summarise(batch)
    assert summary.count == len(places)
    centroid = corpus.centroid(places)
    assert (summary.centroid is None) == (centroid is None)
    if summary.centroid is not None and centroid is not None:
        assert same(summary.centroid.lon, centroid[0])
        assert summary.centroid.lat == pytest.approx(centroid[1], abs=NEAR)
    west, south, east, north = corpus.bounds(places)
    assert same(summary.bbox.west, west)
    assert same(summary.bbox.east, east)
    assert (summary.bbox.south, summary.bbox.north) == pytest.approx((south, north), abs=NEAR)
    assert summary.most_northerly.lat == pytest.approx(north, abs=NEAR)
    assert summary.most_northerly.name in {it.name for it in places if north - it.lat < NEAR}


def check_columns(batch: Batch, case: Case) -> None:
    for column in ("ids", "groups", "values"):
        if column in case.table:
            right = [None if it in ("", "none") else it for it in case.table[column]]
            assert list(getattr(batch, column)) == right


def check_report(fetched: Fetched, case: Case) -> None:
    report = fetched.report
    assert report.skipped.reasons == case.table.get("skipped", {})
    assert report.skipped.count == sum(report.skipped.reasons.values())
    assert bool(report.skipped.first) == bool(report.skipped.count)
    assert report.pages == case.table.get("pages", 1)
    assert report.truncated == case.table.get("truncated", False)
    if "warns" in case.table:
        told = " ".join(report.warnings)
        assert bool(told) == bool(case.table["warns"])
        assert all(part in told for part in case.table["warns"])


@pytest.mark.parametrize("case", READ, ids=lambda case: case.name)
async def test_a_feed_is_read_right(case: Case, origin: Origin) -> None:
    fetched = await fetch(case, origin)

    check_points(whole(fetched.batch), case.places)
    check_summary(whole(fetched.batch), case.places)
    check_columns(whole(fetched.batch), case)
    check_report(fetched, case)


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case.name)
async def test_a_feed_that_cannot_be_read_is_refused_with_its_reason(
    case: Case, origin: Origin
) -> None:
    with pytest.raises(SourceError) as caught:
        await fetch(case, origin)

    assert caught.value.code == case.error
    assert case.table["says"]
    for part in case.table["says"]:
        assert part in str(caught.value)


def test_each_input_is_expected_to_be_something() -> None:
    used = {case.path.name for case in CASES}
    used |= {file for case in CASES for file in case.table.get("others", {}).values()}
    there = {path.name for path in FOLDER.iterdir()}

    assert used == there - {"README.md", "expected.toml"}
    assert all(bool(case.places) != bool(case.error) for case in CASES)
