"""The kind of a document is found out from what it holds."""

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mousetrap.settings.source_kinds import AnyKind
from mousetrap.sources.detection import detect
from mousetrap.sources.errors import MalformedError
from support.features import collection, feature

EARTHQUAKES = Path(__file__).parents[1] / "resources" / "usgs-all-week.geojson"
FEATURE = b'{"type": "Feature", "geometry": null, "properties": {"Title": "a", "n": 1}}'


@pytest.mark.parametrize(
    ("document", "keys"),
    [
        (EARTHQUAKES.read_bytes(), {"kind": "geojson", "name_property": "title"}),
        (collection(feature("[1, 2]")), {"kind": "geojson", "name_property": "name"}),
        (
            collection(feature("[1, 2]", properties='{"a": 1, "TITLE": "b"}')),
            {"kind": "geojson", "name_property": "TITLE"},
        ),
        (
            # No usual name: the member whose texts differ most names a point.
            collection(
                feature("[1, 2]", properties='{"net": "x", "vessel": "a"}'),
                feature("[1, 2]", properties='{"net": "x", "vessel": "b"}'),
            ),
            {"kind": "geojson", "name_property": "vessel"},
        ),
        (
            collection(feature("[1, 2]", properties="null")),
            {"kind": "geojson"},
        ),
        (b"\x1e" + FEATURE + b"\n", {"kind": "geojsonseq", "name_property": "Title"}),
        (FEATURE + b"\n" + FEATURE + b"\n", {"kind": "geojsonseq", "name_property": "Title"}),
        (
            b'{"features": [], "geometryType": "esriGeometryPoint"}',
            {"kind": "json", "preset": "esri"},
        ),
        (b'{"data": {"stations": []}}', {"kind": "json", "preset": "gbfs"}),
        (
            b'{"meta": [1], "a": {"items": [{"Lat": 1, "lng": 2, "label": "x"}]}}',
            {"kind": "json", "records": "a.items", "lat": "Lat", "lon": "lng", "name": "label"},
        ),
        (
            b'[{"y": 1, "x": 2}]',
            {"kind": "json", "lat": "y", "lon": "x"},
        ),
        (
            b"\xef\xbb\xbfid,latitude,longitude\n1,2,3\n",
            {"kind": "csv", "lat": "latitude", "lon": "longitude", "name": "id"},
        ),
        (
            b"Ort;Breite;Laenge;Lon\nK\xf6ln;50,9;0;6,9\n",
            {
                "kind": "csv",
                "lat": "Breite",
                "lon": "Lon",
                "name": "Ort",
                "encoding": "windows-1252",
                "decimal_comma": True,
            },
        ),
    ],
)
def test_the_keys_of_an_entry_are_found(document: bytes, keys: dict[str, Any]) -> None:
    assert detect(document) == keys


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        (b" \n", "the answer is empty"),
        (b"<!DOCTYPE html><html>", "the answer is an HTML page"),
        (b"<?xml version='1.0'?><wfs/>", "XML of another kind"),
        (b'{"a": [1, 2]}', "no list in it has records with a latitude"),
        (b'{"type": "FeatureCollection", ', "the answer is not JSON"),
        (b"a,b\n1,2\n", r"no column for a latitude and a longitude \(a, b\)"),
    ],
)
def test_the_reason_why_there_is_no_entry_is_told(document: bytes, reason: str) -> None:
    with pytest.raises(MalformedError, match=reason):
        detect(document)


values = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(st.sampled_from(["lat", "lon", "features", "data", "type", "a"]), inner),
    max_leaves=10,
)


@given(st.binary(max_size=100) | values.map(lambda it: json.dumps(it).encode()))
def test_whatever_the_document_is_it_has_a_kind_or_a_reason(document: bytes) -> None:
    with suppress(MalformedError):
        entry = {**detect(document), "url": "https://example.org/"}
        assert msgspec.convert(entry, AnyKind)


def test_a_document_with_halves_of_surrogate_pairs_is_read() -> None:
    document = collection(feature(properties=r'{"name": "cut \ud83d"}'))

    assert detect(document) == {"kind": "geojson", "name_property": "name"}


def test_the_stops_of_gtfs_are_found() -> None:
    assert detect(b"stop_id,stop_name,stop_lat,stop_lon\n1,Suva,-18.14,178.44\n") == {
        "kind": "csv",
        "lat": "stop_lat",
        "lon": "stop_lon",
        "name": "stop_name",
    }
