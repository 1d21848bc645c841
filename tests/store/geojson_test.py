import json

from hypothesis import given
from hypothesis import strategies as st

from mousetrap.geo.batch import Batch
from mousetrap.geo.point import Point
from mousetrap.store.formats import Columns, Format
from mousetrap.store.geojson import FeatureCollection, FeatureSequence

points = st.builds(
    Point,
    st.floats(-90, 90),
    st.floats(-180, 180),
    st.none() | st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])),
)


COLUMNS = Columns(
    [-17.5, -14.0], [178.25, -178.0], ["Suva", None], ["a\n1", None], ["town", None], [None, 2.5]
)


def encode(points: list[Point], bbox: str = "[0,0,0,0]") -> bytes:
    return whole(FeatureCollection(), columns(points), bbox)


def columns(points: list[Point]) -> Columns:
    batch = Batch.of(points)
    return Columns([*batch.latitudes], [*batch.longitudes], [*batch.names])


def whole(form: Format, part: Columns, bbox: str = "[0,0,0,0]") -> bytes:
    return form.begin(bbox, part) + form.points(part) + form.end


def test_a_batch_reads_as_rfc_7946_has_it() -> None:
    batch = [Point(-17.5, 178.25, "Suva"), Point(-14.0, -178.0)]
    assert encode(batch, "[178.25,-17.5,-178.0,-14.0]").decode() == (
        '{"type":"FeatureCollection","bbox":[178.25,-17.5,-178.0,-14.0],"features":['
        '{"type":"Feature","geometry":{"type":"Point","coordinates":[178.25,-17.5]},'
        '"properties":{"name":"Suva"}},'
        '{"type":"Feature","geometry":{"type":"Point","coordinates":[-178.0,-14.0]},'
        '"properties":{"name":null}}]}'
    )


def test_ids_groups_and_values_are_there_if_the_source_asks_for_them() -> None:
    first, second = json.loads(whole(FeatureCollection(), COLUMNS))["features"]
    assert (first["id"], first["properties"]) == (
        "a\n1",
        {"name": "Suva", "group": "town", "value": None},
    )
    assert "id" not in second
    assert second["properties"] == {"name": None, "group": None, "value": 2.5}

    [alone] = json.loads(whole(FeatureCollection(), Columns([1.0], [2.0], [None], values=[3.0])))[
        "features"
    ]
    assert (alone["properties"], alone.keys()) == (
        {"name": None, "value": 3.0},
        {"type", "geometry", "properties"},
    )


def test_a_sequence_reads_as_rfc_8142_section_2_has_it() -> None:
    texts = whole(FeatureSequence(), COLUMNS)
    before, *features = texts.split(b"\x1e")
    assert before == b""
    assert [text.count(b"\n") for text in features] == [1, 1]
    assert all(text.endswith(b"\n") for text in features)
    collection = json.loads(whole(FeatureCollection(), COLUMNS))
    assert list(map(json.loads, features)) == collection["features"]


@given(st.lists(points))
def test_no_digit_and_no_letter_is_lost(batch: list[Point]) -> None:
    features = json.loads(encode(batch))["features"]
    read = [
        Point(lat, lon, feature["properties"]["name"])
        for feature in features
        for lon, lat in [feature["geometry"]["coordinates"]]
    ]
    assert read == batch
