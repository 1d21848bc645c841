import json

from hypothesis import given
from hypothesis import strategies as st

from mousetrap.geo.batch import Batch
from mousetrap.geo.point import Point
from mousetrap.store import geojson

points = st.builds(
    Point,
    st.floats(-90, 90),
    st.floats(-180, 180),
    st.none() | st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])),
)


def encode(points: list[Point], bbox: str = "[0,0,0,0]") -> bytes:
    batch = Batch.of(points)
    made = geojson.features(batch.latitudes, batch.longitudes, batch.names)
    return geojson.begin(bbox) + made + geojson.END


def test_a_batch_reads_as_rfc_7946_has_it() -> None:
    batch = [Point(-17.5, 178.25, "Suva"), Point(-14.0, -178.0)]
    assert encode(batch, "[178.25,-17.5,-178.0,-14.0]").decode() == (
        '{"type":"FeatureCollection","bbox":[178.25,-17.5,-178.0,-14.0],"features":['
        '{"type":"Feature","geometry":{"type":"Point","coordinates":[178.25,-17.5]},'
        '"properties":{"name":"Suva"}},'
        '{"type":"Feature","geometry":{"type":"Point","coordinates":[-178.0,-14.0]},'
        '"properties":{"name":null}}]}'
    )


@given(st.lists(points))
def test_no_digit_and_no_letter_is_lost(batch: list[Point]) -> None:
    features = json.loads(encode(batch))["features"]
    read = [
        Point(lat, lon, feature["properties"]["name"])
        for feature in features
        for lon, lat in [feature["geometry"]["coordinates"]]
    ]
    assert read == batch
