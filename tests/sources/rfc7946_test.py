"""Each test is named after the section of RFC 7946 whose rule it shows."""

import json
from math import atan2, cos, degrees, hypot, radians, remainder, sin

import pytest

from mousetrap.geo.batch import Batch
from mousetrap.sources.errors import (
    BadCoordinatesError,
    MalformedError,
    NoPointsError,
    NotPointsError,
    TooManyPointsError,
    WrongCrsError,
)
from support import downloads
from support.features import collection, feature


def read(*features: str, **options: object) -> Batch:
    return downloads.read(collection(*features), **options)  # type: ignore[arg-type]


def places(batch: Batch) -> list[tuple[float, float]]:
    """Return the points as [longitude, latitude]."""
    return list(zip(batch.longitudes, batch.latitudes, strict=True))


def test_rfc_7946_section_2_a_text_may_be_a_single_feature() -> None:
    assert places(downloads.read(feature("[1.5, 2.5]").encode())) == [(1.5, 2.5)]


def test_rfc_7946_section_2_a_single_feature_has_the_rules_of_all_others() -> None:
    utm = json.loads(feature()) | {"crs": named("EPSG:25832")}

    with pytest.raises(WrongCrsError, match="EPSG:25832"):
        downloads.read(json.dumps(utm).encode())
    with pytest.raises(BadCoordinatesError, match=r"features\[0\]: latitude 91"):
        downloads.read(feature("[0, 91]").encode())


def test_rfc_7946_section_3_1_1_a_position_is_longitude_then_latitude() -> None:
    assert places(read(feature("[1.5, 2.5]"))) == [(1.5, 2.5)]


@pytest.mark.parametrize("position", ["[1.5, 2.5, 30]", "[1.5, 2.5, 30, 4]", "[1.5, 2.5, null]"])
def test_rfc_7946_section_3_1_1_further_elements_are_ignored(position: str) -> None:
    assert places(read(feature(position))) == [(1.5, 2.5)]


def test_rfc_7946_section_3_1_1_there_must_be_two_elements() -> None:
    with pytest.raises(BadCoordinatesError, match=r"features\[0\]: .* at least length 2"):
        read(feature("[1.5]"))


def test_rfc_7946_section_3_1_1_elements_are_numbers_which_some_write_in_strings() -> None:
    assert places(read(feature('["1.5", " -2.5e0 "]'))) == [(1.5, -2.5)]


@pytest.mark.parametrize(
    "text", ["", "1,5", "0x1", "1_0", "nan", "inf", "1e999", "\\u0661", "9" * 50]
)
def test_rfc_7946_section_3_1_1_a_string_that_is_no_plain_number_is_none(text: str) -> None:
    with pytest.raises(BadCoordinatesError, match="not \\[longitude, latitude\\]"):
        read(feature(f'["{text}", 0]'))


def test_rfc_7946_section_3_1_3_each_position_of_a_multipoint_is_a_point() -> None:
    batch = read(
        '{"type": "Feature", "id": 7, "properties": {"name": "pair"},'
        ' "geometry": {"type": "MultiPoint", "coordinates": [[1, 2], ["3", 4, 5]]}}'
    )

    assert places(batch) == [(1, 2), (3, 4)]
    assert batch.names == ("pair", "pair")
    assert batch.ids == ("7", "7")


@pytest.mark.parametrize("coordinates", ["[]", "null", "[[]]"])
def test_rfc_7946_section_3_1_3_a_multipoint_may_be_empty(coordinates: str) -> None:
    assert places(read(feature(coordinates, kind="MultiPoint"), feature("[1, 2]"))) == [(1, 2)]


@pytest.mark.parametrize("coordinates", ["[1, 2]", "{}", '"a"', "[[1, 2], [3]]"])
def test_rfc_7946_section_3_1_3_a_multipoint_has_positions(coordinates: str) -> None:
    with pytest.raises(BadCoordinatesError, match=r"features\[0\]"):
        read(feature(coordinates, kind="MultiPoint"))


@pytest.mark.parametrize("item", ["[1,2]", '["1",2]', "[1,2,3,4]"])
def test_rfc_7946_section_3_1_3_the_points_of_a_multipoint_count(item: str) -> None:
    body = collection(feature(f"[{','.join([item] * 50)}]", kind="MultiPoint"))

    with pytest.raises(TooManyPointsError, match="more than 9 points"):
        downloads.read(body, max_points=9)


SQUARE = "[[[10, 10], [12, 10], [12, 12], [10, 12], [10, 10]]]"


def mean(*positions: tuple[float, float]) -> tuple[float, float]:
    """Return the direction of the mean of unit vectors, as [longitude, latitude]."""
    vectors = [
        (
            cos(radians(lat)) * cos(radians(lon)),
            cos(radians(lat)) * sin(radians(lon)),
            sin(radians(lat)),
        )
        for lon, lat in positions
    ]
    x, y, z = (sum(axis) for axis in zip(*vectors, strict=True))
    return degrees(atan2(y, x)), degrees(atan2(z, hypot(x, y)))


@pytest.mark.parametrize(
    ("kind", "coordinates", "positions"),
    [
        ("LineString", "[[1, 2], [3, 4], [3, 5]]", [(1, 2), (3, 4), (3, 5)]),
        ("LineString", "[[1, 2], [3, 4], [1, 2]]", [(1, 2), (3, 4), (1, 2)]),
        (
            "MultiLineString",
            "[[[1, 2], [3, 4]], [[5, 6], [7, 8]]]",
            [(1, 2), (3, 4), (5, 6), (7, 8)],
        ),
        ("Polygon", SQUARE, [(10, 10), (12, 10), (12, 12), (10, 12)]),
        ("Polygon", "[[[179, 1], [-179, 1], [180, 3], [179, 1]]]", [(179, 1), (-179, 1), (180, 3)]),
        ("MultiPolygon", f"[{SQUARE}, {SQUARE}]", [(10, 10), (12, 10), (12, 12), (10, 12)] * 2),
        ("LineString", "[ [ 1 , 2 , 9 ] , [3,4] ]", [(1, 2), (3, 4)]),
    ],
)
def test_rfc_7946_section_3_1_the_middle_of_a_geometry_is_the_centroid_of_its_positions(
    kind: str, coordinates: str, positions: list[tuple[float, float]]
) -> None:
    batch = read(feature(coordinates, kind=kind), geometry="representative")

    [(lon, lat)] = places(batch)
    right = mean(*positions)
    assert remainder(lon - right[0], 360) == pytest.approx(0, abs=1e-9)
    assert lat == pytest.approx(right[1], abs=1e-9)
    assert batch.names == ("here",)


def test_rfc_7946_section_3_1_positions_that_balance_each_other_have_the_first_as_middle() -> None:
    line = feature("[[10, 0], [-170, 0]]", kind="LineString")

    assert places(read(line, geometry="representative")) == [(10, 0)]


@pytest.mark.parametrize("coordinates", ["[]", "[[]]", "null"])
def test_rfc_7946_section_3_1_an_empty_geometry_has_no_middle(coordinates: str) -> None:
    shapes = feature(coordinates, kind="Polygon"), feature("[1, 2]")

    assert places(read(*shapes, geometry="representative")) == [(1, 2)]


@pytest.mark.parametrize(
    "coordinates", ["[[1, 91]]", "[[361, 1]]", "[[1e999, 1]]", '["[1,2]"]', "{}"]
)
def test_rfc_7946_section_3_1_a_middle_of_bad_positions_is_refused(coordinates: str) -> None:
    with pytest.raises(BadCoordinatesError, match=r"features\[0\]"):
        read(feature(coordinates, kind="LineString"), geometry="representative")


@pytest.mark.parametrize("kind", ["LineString", "Polygon", "MultiLineString", "MultiPolygon"])
def test_rfc_7946_section_3_1_lines_and_polygons_are_refused_unless_the_source_says(
    kind: str,
) -> None:
    with pytest.raises(
        NotPointsError, match=f'is a {kind}.* geometry = "points-only".* "represent'
    ):
        read(feature(), feature(SQUARE, kind=kind))


def test_rfc_7946_section_3_1_lines_and_polygons_can_be_left_out() -> None:
    shapes = feature(SQUARE, kind="Polygon"), feature("[1, 2]"), feature(SQUARE, kind="Polygon")

    assert places(read(*shapes, geometry="points-only")) == [(1, 2)]
    with pytest.raises(NoPointsError, match=r"none gives a point: a Polygon \(2\)"):
        read(shapes[0], shapes[2], geometry="points-only")


def gathered(*geometries: str) -> str:
    return (
        '{"type": "Feature", "properties": null, "geometry":'
        f' {{"type": "GeometryCollection", "geometries": [{", ".join(geometries)}]}}}}'
    )


POINT = '{"type": "Point", "coordinates": [1, 2], "bbox": [50, 60, 70, 80]}'
LINE = '{"type": "LineString", "coordinates": [[3, 4], [5, 6]]}'


def test_rfc_7946_section_3_1_8_the_middle_of_a_collection_is_that_of_all_its_positions() -> None:
    nested = f'{{"type": "GeometryCollection", "geometries": [{LINE}]}}'

    [found] = places(read(gathered(POINT, nested), geometry="representative"))

    assert found == pytest.approx(mean((1, 2), (3, 4), (5, 6)), abs=1e-9)


def test_rfc_7946_section_3_1_8_a_collection_may_be_empty() -> None:
    assert places(read(gathered(), feature("[1, 2]"), geometry="representative")) == [(1, 2)]


@pytest.mark.parametrize(
    "geometries",
    [
        ["{}"] * 10_001,
        ['{"type": "GeometryCollection", "geometries": [' * 9 + "]}" * 9],
        ["7"],
        ['{"type": "Sphere"}'],
    ],
    ids=["many", "deep", "number", "sphere"],
)
def test_rfc_7946_section_3_1_8_a_collection_has_bounds(geometries: list[str]) -> None:
    with pytest.raises(BadCoordinatesError, match="geometries"):
        read(gathered(*geometries), geometry="representative")


@pytest.mark.parametrize("lon", [-180, -179.5, 0, 179.5, 180])
def test_rfc_7946_section_3_1_9_both_sides_of_the_antimeridian_are_read(lon: float) -> None:
    assert places(read(feature(f"[{lon}, 0]"))) == [(lon, 0)]


@pytest.mark.parametrize(
    ("lon", "right"),
    [
        ("181.62", -178.38),
        ("360", 0),
        ("359.5", -0.5),
        ("-190", 170),
        ("180.00000000000003", 180),
        ("-180.0000000001", -180),
        ("360.0000000001", 0),
    ],
)
def test_rfc_7946_section_3_1_9_longitudes_beyond_it_are_taken_modulo_360(
    lon: str, right: float
) -> None:
    [(found, _)] = places(read(feature(f"[{lon}, 5]")))

    assert found == pytest.approx(right, abs=1e-9)
    assert -180 <= found <= 180


def test_rfc_7946_section_3_1_9_rounding_keeps_the_side_of_the_antimeridian() -> None:
    assert places(read(feature("[180.00000000000003, 90.00000000000001]"))) == [(180, 90)]


@pytest.mark.parametrize(
    "shape",
    [
        '{"type": "Feature", "geometry": null, "properties": {}}',
        '{"type": "Feature", "properties": {}}',
        '{"type": "Feature", "geometry": {}, "properties": {}}',
        '{"type": "Feature", "geometry": {"type": "Point"}}',
        feature("[]"),
        feature("null"),
    ],
)
def test_rfc_7946_section_3_2_a_feature_without_a_place_is_left_out(shape: str) -> None:
    assert places(read(shape, feature("[1, 2]"), shape)) == [(1, 2)]


def test_rfc_7946_section_3_2_coordinates_without_a_type_are_bad() -> None:
    with pytest.raises(BadCoordinatesError, match="geometry has no type"):
        read('{"type": "Feature", "geometry": {"coordinates": [1, 2]}}')


def test_rfc_7946_section_3_2_a_feature_without_its_type_is_known_by_its_geometry() -> None:
    batch = read(
        '{"geometry": {"type": "Point", "coordinates": [1, 2]}, "properties": {"name": "a"}}'
    )

    assert places(batch) == [(1, 2)]
    assert batch.names == ("a",)


def test_rfc_7946_section_3_2_anything_else_in_its_place_is_malformed() -> None:
    with pytest.raises(MalformedError, match=r"features\[1\]: it has neither"):
        read(feature(), "{}")


@pytest.mark.parametrize("properties", ["null", "{}", "[]", '"text"', "7", "[[]]"])
def test_rfc_7946_section_3_2_properties_that_are_no_object_name_nothing(properties: str) -> None:
    assert read(feature(properties=properties)).names == (None,)


@pytest.mark.parametrize(
    ("identity", "right"),
    [
        ('"us7000"', ("us7000",)),
        ("17", ("17",)),
        ("1.50", ("1.50",)),
        ("null", ()),
        ("[1]", ()),
        ("true", ()),
    ],
)
def test_rfc_7946_section_3_2_an_id_is_a_string_or_a_number(
    identity: str, right: tuple[str, ...]
) -> None:
    shape = f'{{"type": "Feature", "id": {identity}, "geometry": {POINT}, "properties": null}}'

    assert read(shape).ids == right


def test_rfc_7946_section_3_2_some_features_may_have_no_id() -> None:
    identified = f'{{"type": "Feature", "id": "a", "geometry": {POINT}, "properties": null}}'

    assert read(feature(), identified, feature()).ids == (None, "a", None)


def test_rfc_7946_section_3_3_a_collection_may_be_empty() -> None:
    with pytest.raises(NoPointsError, match="0 features"):
        read()


def declaring(crs: object, *features: str) -> bytes:
    document = json.loads(collection(*features or [feature("[12, 34]")]))
    return json.dumps({"crs": crs} | document).encode()


def named(name: str) -> object:
    return {"type": "name", "properties": {"name": name}}


@pytest.mark.parametrize(
    "crs",
    [
        None,
        named("urn:ogc:def:crs:OGC:1.3:CRS84"),
        named("urn:ogc:def:crs:OGC::CRS84"),
        named("http://www.opengis.net/def/crs/OGC/1.3/CRS84"),
        named("http://www.opengis.net/def/crs/OGC/0/CRS84h"),
        named("OGC:CRS84"),
        named("urn:ogc:def:crs:EPSG::4326"),
        named("urn:ogc:def:crs:EPSG:9.9:4326"),
        named("http://www.opengis.net/def/crs/EPSG/0/4326"),
        named("EPSG:4326"),
        named("epsg:4326"),
        named("WGS84"),
        {"type": "EPSG", "properties": {"code": 4326}},
        {"type": "EPSG", "properties": {"code": "4326"}},
        "EPSG:4326",
    ],
)
def test_rfc_7946_section_4_wgs_84_may_be_declared(crs: object) -> None:
    assert places(downloads.read(declaring(crs))) == [(12, 34)]


@pytest.mark.parametrize(
    ("crs", "shown"),
    [
        (named("urn:ogc:def:crs:EPSG::25832"), "urn:ogc:def:crs:EPSG::25832"),
        (named("EPSG:3857"), "EPSG:3857"),
        (named("http://www.opengis.net/def/crs/EPSG/0/3857"), "/0/3857"),
        ({"type": "EPSG", "properties": {"code": 2056}}, "EPSG:2056"),
        ({"type": "link", "properties": {"href": "http://example.org/crs/42?key=k"}}, "unreadable"),
        (named("x" * 9_000), "x" * 100 + '"'),
        (named("x" * 10_001), "unreadable"),
        (named("a\x1b[31mb"), '"a[31mb"'),
        ({}, "unreadable"),
        (7, "unreadable"),
        ("EPSG:31467", "EPSG:31467"),
    ],
)
def test_rfc_7946_section_4_any_other_system_is_refused_by_its_name(
    crs: object, shown: str
) -> None:
    with pytest.raises(WrongCrsError, match="the answer declares the crs") as caught:
        downloads.read(declaring(crs))

    assert shown in str(caught.value)
    assert "outSR=4326" in str(caught.value)
    assert "srsName=" in str(caught.value)
    assert "key" not in str(caught.value)


def test_rfc_7946_section_4_the_system_of_a_geometry_counts_as_well() -> None:
    shape = '{"type": "Point", "crs": %s, "coordinates": [12, 34]}'
    utm, wgs = (shape % json.dumps(named(name)) for name in ("EPSG:25832", "EPSG:4326"))

    assert places(read(f'{{"geometry": {wgs}}}')) == [(12, 34)]
    with pytest.raises(WrongCrsError, match=r'features\[0\].geometry declares .*"EPSG:25832"'):
        read(f'{{"geometry": {utm}}}')


@pytest.mark.parametrize("max_bad", [0, 10, "100%"])
def test_rfc_7946_section_4_latitudes_that_come_first_are_never_guessed(max_bad: object) -> None:
    sydney = declaring(named("urn:ogc:def:crs:EPSG::4326"), feature(), feature("[-33.9, 151.2]"))

    with pytest.raises(WrongCrsError, match=r"features\[1\]: latitude 151.2 .*EPSG::4326"):
        downloads.read(sydney, max_bad=max_bad)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("position", "hint"),
    [
        ("[-33.9, 151.2]", r"positions are \[longitude, latitude\]"),
        ("[500000, 4857924]", "these are no degrees: ask the server for WGS 84"),
    ],
)
def test_rfc_7946_section_4_numbers_that_are_no_degrees_are_explained(
    position: str, hint: str
) -> None:
    with pytest.raises(BadCoordinatesError, match=hint):
        read(feature(position))


def test_rfc_7946_section_4_numbers_that_are_no_degrees_name_the_declared_system() -> None:
    with pytest.raises(BadCoordinatesError, match=r"latitude 4857924\.0 .* declares EPSG:4326"):
        downloads.read(declaring(named("EPSG:4326"), feature("[500000, 4857924]")))


@pytest.mark.parametrize("mark", ["﻿", ""])
def test_rfc_8259_section_8_1_a_byte_order_mark_is_ignored(mark: str) -> None:
    assert len(downloads.read(mark.encode() + collection(feature()))) == 1


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("cut \\ud83d", "cut \ufffd"),
        ("\\ud83dcut", "\ufffdcut"),
        ("\\ude00 cut", "\ufffd cut"),
        ("\\ud83d\\ud83d\\ude00", "\ufffd\U0001f600"),
        ("\\\\ud83d \\uDBFF", "\\ud83d \ufffd"),
    ],
)
def test_rfc_8259_section_8_2_halves_of_surrogate_pairs_become_the_replacement_character(
    text: str, right: str
) -> None:
    body = collection(feature(properties=f'{{"text": "\\ud83d", "name": "{text}"}}'), feature())

    assert downloads.read(body).names == (right, "here")


def test_rfc_8259_section_8_2_they_may_stand_in_any_member() -> None:
    body = b'{"x": "\\ud83d", ' + collection(feature(properties='{"\\ud83d": 1, "name": "a"}'))[1:]

    assert downloads.read(body).names == ("a",)
