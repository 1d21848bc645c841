import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mousetrap.geo.point import Point
from mousetrap.settings.source_kinds import JsonSettings
from mousetrap.sources.collector import Collector
from mousetrap.sources.errors import (
    BadCoordinatesError,
    MalformedError,
    NoPointsError,
    NotPointsError,
    RefusedError,
    SourceError,
    TooManyPointsError,
    TruncatedError,
    WrongCharsetError,
    WrongCrsError,
)
from mousetrap.sources.objects import OBJECTS, JsonFeed, Objects
from mousetrap.sources.packed import whole
from mousetrap.sources.parser import Page

SUVA, APIA = Point(-18.14, 178.44, "Suva"), Point(-13.83, -171.76, "Apia")
RECORDS = [
    {"name": "Suva", "lat": -18.14, "lon": 178.44},
    {"name": "Apia", "lat": -13.83, "lon": -171.76},
]
GBFS = {"lon": 178.44, "lat": -18.14, "station_id": "1"}


def parsed(document: object, **settings: Any) -> tuple[Collector, Page]:
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    found = JsonSettings(url="https://example.org", **settings)
    collector = Collector(
        max_points=found.max_points, max_bad=found.max_bad, location=JsonFeed.location
    )
    parser = Objects(found, collector)
    parser.feed(body)
    return collector, parser.finish()


def read(document: object, **settings: Any) -> list[Point]:
    return list(whole(parsed(document, **settings)[0].batch()))


def esri(*points: object, **members: object) -> dict[str, object]:
    features = [
        {"attributes": {"name": "Suva", "OBJECTID": number}, "geometry": point}
        for number, point in enumerate(points)
    ]
    return {"features": features, **members}


@pytest.mark.parametrize(
    ("document", "records"),
    [
        (RECORDS, None),
        ({"stations": RECORDS}, "stations"),
        ({"data": {"x": [], "stations": RECORDS}}, "data.stations"),
        ({"data": {"stations": {"a": RECORDS[0], "b": RECORDS[1]}}}, "data.stations"),
        ({"properties": {"count": RECORDS}, "count": "2"}, "properties.count"),
        ({"next": RECORDS}, "next"),
        (b"\xef\xbb\xbf" + json.dumps(RECORDS).encode(), None),
    ],
)
def test_the_records_are_at_their_path(document: object, records: str | None) -> None:
    assert read(document, records=records) == [SUVA, APIA]


def test_members_are_at_their_paths() -> None:
    record = {"place": {"y": "-18.14", "x": 178.44, "title": "Suva"}, "id": 7, "a": {"b": 2.5}}

    collector, _ = parsed(
        [record, {"place": {"y": 1, "x": 2}}],
        lat="place.y",
        lon="place.x",
        name="place.title",
        id="id",
        group_by="id",
        value_property="a.b",
    )

    batch = collector.batch()
    assert list(whole(batch)) == [SUVA, Point(1, 2)]
    assert (batch.ids, batch.groups, batch.values) == (("7", None), ("7", None), (2.5, None))


def test_the_names_of_records_in_an_object_are_their_ids() -> None:
    collector, _ = parsed(
        {"all": {"s1": RECORDS[0], "s2": RECORDS[1]}}, records="all", changes=True
    )

    assert collector.batch().ids == ("s1", "s2")


@pytest.mark.parametrize(
    "name", ["Suva", [{"text": "Suva", "language": "en"}, {"text": "Суза", "language": "ru"}]]
)
def test_a_preset_reads_stations_of_gbfs(name: object) -> None:
    document = {"last_updated": 1, "ttl": 60, "data": {"stations": [{**GBFS, "name": name}]}}

    collector, _ = parsed(document, preset="gbfs", changes=True)

    assert list(whole(collector.batch())) == [SUVA]
    assert collector.batch().ids == ("1",)


def test_a_preset_reads_feature_sets_of_esri() -> None:
    collector, page = parsed(
        esri(
            {"x": 178.44, "y": -18.14},
            {"x": "NaN", "y": "NaN"},
            None,
            spatialReference={"wkid": 4326, "latestWkid": 4326},
            geometryType="esriGeometryPoint",
            exceededTransferLimit=True,
        ),
        preset="esri",
        changes=True,
    )

    assert list(whole(collector.batch())) == [SUVA]
    assert collector.batch().ids == ("0",)
    assert collector.skipped().reasons == {"no coordinates": 2}
    assert page == Page(3, partial=True)


def test_a_path_that_is_set_counts_more_than_that_of_a_preset() -> None:
    assert read(esri({"x": 1, "y": 2}), preset="esri", name="attributes.OBJECTID") == [
        Point(2, 1, "0")
    ]


@pytest.mark.parametrize(
    "reference", [{"wkid": 102100, "latestWkid": 3857}, {"wkid": 25832}, {"wkt": "PROJCS[…]"}]
)
def test_another_reference_system_of_esri_is_refused_by_name(reference: dict[str, object]) -> None:
    number = reference.get("latestWkid", reference.get("wkid", "another"))

    with pytest.raises(WrongCrsError, match=f"spatialReference .*{number}.*outSR=4326"):
        read(esri({"x": 12, "y": 34}, spatialReference=reference), preset="esri")


def test_another_geometry_of_esri_is_refused() -> None:
    with pytest.raises(NotPointsError, match="choose a layer of points"):
        read(esri({"rings": []}, geometryType="esriGeometryPolygon"), preset="esri")


def test_an_answer_may_be_one_page_of_several() -> None:
    _, page = parsed({"items": RECORDS, "next": "/?page=2", "count": 5}, records="items")

    assert page == Page(2, next="/?page=2", total=5)


@pytest.mark.parametrize(
    ("document", "settings", "error", "message"),
    [
        ({"stations": RECORDS}, {}, MalformedError, "no list of objects at its top: set records"),
        (RECORDS, {"records": "a"}, MalformedError, 'no list of objects at "a": set records'),
        ({"a": 5}, {"records": "a"}, MalformedError, 'no list of objects at "a": set records'),
        ([5], {}, MalformedError, "no list of objects"),
        ([{"latitude": 1}], {}, MalformedError, 'has a "lat" and a "lon": set lat and lon'),
        ([*RECORDS, {"lat": 91, "lon": 0}], {}, BadCoordinatesError, r"^records\[2\]: latitude 91"),
        ([{"lat": 1}], {}, BadCoordinatesError, r"^records\[0\]: the coordinates are not two num"),
        ([{"lat": [], "lon": {}}], {}, BadCoordinatesError, "not two numbers"),
        (RECORDS, {"max_points": 1}, TooManyPointsError, "max_points"),
        ([], {}, NoPointsError, "empty"),
        ([{"lat": None, "lon": None}], {}, NoPointsError, "empty"),
        (esri(None), {"preset": "esri"}, NoPointsError, "empty"),
        (b"", {}, TruncatedError, "is empty"),
        (b'[{"lat": 1', {}, TruncatedError, "ends in the middle"),
        (b'[{"lat": 1, "lon": 2, "name": "\xff"}]', {}, WrongCharsetError, r"records\[0\]: a text"),
        (b"<html>", {}, MalformedError, "HTML"),
        ({"error": {"code": 400, "message": "no"}}, {"preset": "esri"}, RefusedError, '"no"'),
        (b'{"a":' * 10_000, {"records": "b"}, MalformedError, "nested too deeply"),
    ],
)
def test_an_error_says_where_and_what_to_set(
    document: object, settings: dict[str, Any], error: type[SourceError], message: str
) -> None:
    with pytest.raises(error, match=message):
        read(document, **settings)


def test_records_without_coordinates_are_left_out_and_counted() -> None:
    nowhere = [{}, {"lat": None, "lon": None}, {"lat": "", "lon": ""}]

    collector, _ = parsed([*RECORDS, *nowhere])

    assert len(collector.batch()) == 2
    assert collector.skipped().first[0] == "records[2]: no coordinates"
    assert collector.skipped().count == 3


def test_bad_records_are_left_out_where_max_bad_says_so() -> None:
    collector, _ = parsed([*RECORDS, {"lat": 91, "lon": 0}, {"lat": 1}], max_bad=2)

    assert len(collector.batch()) == 2
    assert collector.skipped().count == 2


def test_objects_are_counted_before_they_take_memory() -> None:
    with pytest.raises(TooManyPointsError, match="objects for each"):
        parsed(b"[" + b"{}," * (OBJECTS * 11) + b"{}]", max_points=10)


@given(st.binary(max_size=200), st.sampled_from([None, "gbfs", "esri"]))
def test_any_bytes_are_points_or_an_error_of_ours(body: bytes, preset: str | None) -> None:
    with pytest.raises(SourceError):
        read(body, preset=preset)


WRONG = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=5,
)
RECORD = st.dictionaries(
    st.sampled_from(["lat", "lon", "name", "station_id"]), st.floats(-90, 90) | WRONG
)


@given(st.lists(RECORD | WRONG, max_size=4) | st.dictionaries(st.text(max_size=3), RECORD))
def test_any_json_is_points_or_an_error_of_ours(records: object) -> None:
    for settings in ({"records": "data.stations"}, {"preset": "gbfs", "max_bad": 2}):
        try:
            points = read({"data": {"stations": records}}, **settings)
        except SourceError:
            continue
        assert points
        assert all(point.name is None or point.name for point in points)
