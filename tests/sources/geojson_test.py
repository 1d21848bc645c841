import json
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mousetrap.geo.point import MAX_NAME, Point
from mousetrap.messages.text import harmless
from mousetrap.settings.source_kinds import GeometryRule, MaxBad
from mousetrap.sources.errors import (
    BadCoordinatesError,
    MalformedError,
    NoPointsError,
    NotPointsError,
    SourceError,
    TooManyPointsError,
    TruncatedError,
    WrongCharsetError,
)
from support import downloads
from support.features import collection, feature, many, unlocated

EARTHQUAKES = Path(__file__).parents[1] / "resources" / "usgs-all-week.geojson"


def read(body: bytes, *, name_property: str = "name", max_points: int = 1000) -> tuple[Point, ...]:
    return tuple(downloads.read(body, name_property=name_property, max_points=max_points))


def test_a_real_feed_is_read_whole() -> None:
    points = read(EARTHQUAKES.read_bytes(), name_property="place", max_points=2000)

    assert len(points) == 1707
    assert points[0] == Point(34.4945, -118.6671667, "4km W of Castaic, CA")


def test_a_real_feed_is_read_as_the_standard_library_reads_it() -> None:
    features = json.loads(EARTHQUAKES.read_bytes())["features"]

    assert read(EARTHQUAKES.read_bytes(), name_property="title", max_points=1707) == tuple(
        Point(
            item["geometry"]["coordinates"][1],
            item["geometry"]["coordinates"][0],
            item["properties"]["title"],
        )
        for item in features
    )


@pytest.mark.parametrize(
    "coordinates",
    [
        "[1.5, 2.5]",
        "[1.5, 2.5, -30]",
        "[15e-1, 2.5, null]",
        "[1.5,2.5,3,4]",
        " [ 1.5 , 2.5 ] ",
    ],
)
def test_longitude_comes_first_and_altitude_is_left_out(coordinates: str) -> None:
    assert read(collection(feature(coordinates))) == (Point(2.5, 1.5, "here"),)


@pytest.mark.parametrize("coordinates", ["[180, 90]", "[-180, -90]", "[0, -0.0]"])
def test_the_edges_of_the_earth_belong_to_it(coordinates: str) -> None:
    assert len(read(collection(feature(coordinates)))) == 1


@pytest.mark.parametrize(
    ("coordinates", "reason"),
    [
        ("[0, 91]", "latitude 91.0 is not between -90 and 90 degrees"),
        ("[0, -90.0001]", "latitude -90.0001 is not between"),
        ("[361, 0]", "longitude 361.0 is not between -180 and 180 degrees"),
        ("[0, 1e999]", "Number out of range"),
        ('["east", 0]', "Expected `float`, got `str`"),
        ('["1e999", 0]', "Expected `float`, got `str`"),
        ("[null, 0]", "Expected `float`, got `null`"),
        ("[true, 0]", "Expected `float`, got `bool`"),
        ("[[0, 0]]", "Expected `float`, got `array`"),
        ("[0]", "at least length 2"),
        ("{}", "Expected `array`, got `object`"),
    ],
)
def test_a_point_that_is_not_on_the_earth_is_named_by_its_place(
    coordinates: str, reason: str
) -> None:
    with pytest.raises(BadCoordinatesError) as caught:
        read(collection(*[feature()] * 17, feature(coordinates)))

    assert str(caught.value).startswith("features[17]: ")
    assert reason in str(caught.value)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "01", "1.", ".5", "+1", "0x1"])
def test_what_is_no_number_in_json_is_malformed_and_shown(number: str) -> None:
    with pytest.raises(MalformedError) as caught:
        read(collection(feature(), feature(f"[0, {number}]")))

    assert "not JSON" in str(caught.value)
    assert number in caught.value.excerpt


@pytest.mark.parametrize(
    "kind",
    ["LineString", "MultiLineString", "Polygon", "MultiPolygon"],
)
def test_other_geometries_are_refused(kind: str) -> None:
    with pytest.raises(NotPointsError, match=rf"features\[1\] is a {kind}, and only points"):
        read(collection(feature(), feature("[[1, 2]]", kind=kind)))


def test_a_collection_of_geometries_is_refused() -> None:
    body = collection(
        '{"type": "Feature", "properties": {},'
        ' "geometry": {"type": "GeometryCollection", "geometries": []}}'
    )

    with pytest.raises(NotPointsError, match="GeometryCollection"):
        read(body)


def test_features_without_a_place_are_left_out() -> None:
    assert read(collection(unlocated(), feature(), unlocated())) == (Point(2.5, 1.5, "here"),)


@pytest.mark.parametrize("body", [collection(), collection(unlocated(), unlocated())])
def test_no_place_at_all_is_an_empty_batch(body: bytes) -> None:
    with pytest.raises(NoPointsError, match="features and none has a geometry"):
        read(body)


def test_points_are_counted() -> None:
    assert len(read(many(20), max_points=20)) == 20
    with pytest.raises(TooManyPointsError, match="more than 20 points: raise max_points"):
        read(many(21), max_points=20)


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ('"Þingvellir"', "Þingvellir"),
        ('"\\u00deingvellir"', "Þingvellir"),
        ('"a\\u0000b"', "ab"),
        ('""', None),
        ('" \\n "', None),
        ("17", "17"),
        ("-2.50", "-2.50"),
        ("1e400", "1e400"),
        ("null", None),
        ("true", None),
        ('["a"]', None),
        ('{"a": "b"}', None),
    ],
)
def test_a_name_is_a_string_or_a_number(value: str, name: str | None) -> None:
    [point] = read(collection(feature(properties=f'{{"x": 1, "name": {value}}}')))

    assert point.name == name


@pytest.mark.parametrize("value", [f'"{"a" * 10_000}"', "1" * 10_000], ids=["string", "number"])
def test_a_name_is_cut(value: str) -> None:
    [point] = read(collection(feature(properties=f'{{"name": {value}}}')))

    assert point.name is not None
    assert len(point.name) == MAX_NAME


@pytest.mark.parametrize("properties", ["{}", "null", '{"title": "here"}'])
def test_a_point_need_not_have_a_name(properties: str) -> None:
    [point] = read(collection(feature(properties=properties)))

    assert point.name is None


def test_the_property_that_names_a_point_is_chosen() -> None:
    body = collection(feature(properties='{"name": "a", "the place": "b"}'))

    [point] = read(body, name_property="the place")

    assert point.name == "b"


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"{]", "not JSON"),
        (b"{}", "required field `type`"),
        (b"[]", "got `array`"),
        (b'"text"', "got `str`"),
        (b'{"type": "Topology", "features": []}', "type: Invalid enum value: correct"),
        (b'{"type": "FeatureCollection"}', "required field `features`"),
        (b'{"type": "FeatureCollection", "features": null}', "features: Expected `array`"),
        (b'{"type": "FeatureCollection", "features": [null]}', "features[0]: Expected `object`"),
        (
            collection('{"properties": {}}'),
            "features[0]: it has neither the type of a Feature nor a geometry",
        ),
        (
            collection(feature(kind="Place")),
            "features[0].geometry.type: Invalid enum value: correct",
        ),
        (collection(feature()) + b"{}", "trailing characters"),
    ],
)
def test_what_is_not_a_feature_collection_is_malformed(body: bytes, reason: str) -> None:
    with pytest.raises(MalformedError) as caught:
        read(body)

    assert reason in str(caught.value)


@pytest.mark.parametrize(
    "body",
    [b"secret", b'{"type": "secret"}', b'{"secret": secret}', collection(feature(kind="secret"))],
)
def test_what_a_server_said_is_for_the_log_only(body: bytes) -> None:
    with pytest.raises(MalformedError) as caught:
        read(body)

    assert "secret" not in str(caught.value)
    assert "secret" in caught.value.excerpt


@pytest.mark.parametrize(
    "deep",
    ["[" * 10**6 + "]" * 10**6, '{"a":' * 10**6 + "1" + "}" * 10**6],
    ids=["arrays", "objects"],
)
@pytest.mark.parametrize("where", ["properties", "coordinates", "name"])
def test_deep_nesting_is_an_error_like_any_other(deep: str, where: str) -> None:
    bodies = {
        "properties": feature(properties=f'{{"x": {deep}}}'),
        "coordinates": feature(f"[1, 2, {deep}]"),
        "name": feature(properties=f'{{"name": {deep}}}'),
    }

    with pytest.raises(MalformedError, match="nested too deeply"):
        read(collection(bodies[where]))


@given(st.integers(0, 200))
def test_json_that_ends_early_is_truncated_or_not_json(end: int) -> None:
    with pytest.raises((TruncatedError, MalformedError)):
        read(collection(feature(), feature())[:end])


@pytest.mark.parametrize("end", [0, 10, -1, -2, -40])
def test_json_that_is_cut_off_may_be_whole_the_next_time(end: int) -> None:
    with pytest.raises(TruncatedError) as caught:
        read(collection(feature(), feature())[:end])

    assert caught.value.retryable


def test_a_byte_order_mark_is_ignored() -> None:
    assert len(read(b"\xef\xbb\xbf" + collection(feature()))) == 1


def test_a_name_in_another_charset_is_named_by_its_place() -> None:
    body = collection(feature(), feature(properties='{"name": "Þingvellir"}'))

    with pytest.raises(WrongCharsetError, match=r"features\[1\]: the name is not in UTF-8"):
        read(body.decode("utf-8").encode("iso-8859-1"))


@given(st.binary(max_size=200))
def test_any_bytes_are_points_or_an_error_of_ours(body: bytes) -> None:
    with pytest.raises(SourceError):
        read(body)


WRONG = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=5,
)
COORDINATES = st.tuples(st.floats(-180, 180, allow_nan=False), st.floats(-90, 90, allow_nan=False))
GEOMETRIES = st.fixed_dictionaries(
    {"type": st.sampled_from(["Point", "MultiPoint", "Polygon", "GeometryCollection"]) | WRONG},
    optional={
        "coordinates": COORDINATES | st.lists(COORDINATES) | WRONG,
        "geometries": WRONG,
        "crs": WRONG,
    },
)
FEATURES = st.fixed_dictionaries(
    {"type": st.just("Feature") | WRONG, "geometry": GEOMETRIES | st.none() | WRONG},
    optional={
        "properties": st.fixed_dictionaries({"name": WRONG, "a": WRONG, "mag": WRONG}) | WRONG,
        "id": WRONG,
    },
)


@given(
    st.lists(FEATURES | WRONG, max_size=3),
    st.dictionaries(st.sampled_from(["crs", "links", "next", "error", "bbox"]), WRONG),
    st.sampled_from(get_args(GeometryRule)),
    st.sampled_from([0, 1, "50%", "100%"]),
)
def test_any_json_is_points_or_an_error_of_ours(
    features: list[object], others: dict[str, object], rule: GeometryRule, max_bad: MaxBad
) -> None:
    document = {"type": "FeatureCollection", "features": features} | others
    try:
        batch = downloads.read(
            json.dumps(document).encode(),
            max_bad=max_bad,
            geometry=rule,
            group_by="a.b",
            value_property="mag",
        )
    except SourceError:
        return
    assert len(batch) > 0
    texts = filter(None, (*batch.names, *batch.ids, *batch.groups))
    assert all(harmless(text) == text for text in texts)


@given(st.lists(COORDINATES, min_size=1, max_size=20))
def test_every_point_comes_through_exactly_and_in_order(coordinates: list[list[float]]) -> None:
    body = collection(*(feature(json.dumps(pair)) for pair in coordinates))

    assert read(body) == tuple(Point(lat, lon, "here") for lon, lat in coordinates)
