from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mousetrap.geo.point import Point
from mousetrap.settings.source_kinds import GeorssSettings, GpxSettings, KmlSettings
from mousetrap.sources.collector import Collector
from mousetrap.sources.errors import (
    BadCoordinatesError,
    MalformedError,
    NotPointsError,
    SourceError,
    TooManyPointsError,
    TruncatedError,
    WrongCrsError,
)
from mousetrap.sources.markup import LANGUAGES, MAX_DEPTH, Markup, MarkupFeed
from mousetrap.sources.packed import whole
from mousetrap.sources.parser import Page

SETTINGS = {"kml": KmlSettings, "gpx": GpxSettings, "georss": GeorssSettings}
SUVA, OSLO = Point(-18.14, 178.44, "Suva"), Point(59.91, 10.75, "Oslo")

KML = """<?xml version="1.0" encoding="UTF-8"?>
<kml xmlns="http://www.opengis.net/kml/2.2"><Document><name>all</name><Folder>
<Placemark id="p1"><name>Suva</name><ExtendedData><Data name="mag"><value>4.5</value></Data>
<SchemaData><SimpleData name="net">us</SimpleData></SchemaData></ExtendedData>
<Point><coordinates>178.44,-18.14,0</coordinates></Point></Placemark>
<Placemark><name>Oslo</name><MultiGeometry><Point><coordinates>
 10.75,59.91
</coordinates></Point></MultiGeometry></Placemark>
<Placemark><name>nowhere</name></Placemark>{}
</Folder></Document></kml>"""
LINE = "<Placemark><LineString><coordinates>1,2 3,4</coordinates></LineString></Placemark>"
GPX = """<gpx version="1.1" xmlns="http://www.topografix.com/GPX/1/1"><metadata><name>all</name></metadata>
<wpt lat="-18.14" lon="178.44"><ele>4.5</ele><name>Suva</name></wpt>
<wpt lat="59.91" lon="10.75"><name>Oslo</name></wpt>{}</gpx>"""
TRACK = '<trk><name>way</name><trkseg><trkpt lat="1" lon="2"><ele>3</ele></trkpt></trkseg></trk>'
RSS = """<rss version="2.0" xmlns:georss="http://www.georss.org/georss"
 xmlns:geo="http://www.w3.org/2003/01/geo/wgs84_pos#"><channel><title>all</title>
<item><title>Suva</title><guid>s1</guid><georss:point>-18.14 178.44</georss:point></item>
<item><title>Oslo</title><geo:Point><geo:lat>59.91</geo:lat><geo:long>10.75</geo:long></geo:Point></item>
<item><title>nowhere</title></item>{}</channel></rss>"""
BOX = "<item><georss:box>1 2 3 4</georss:box></item>"
ATOM = """<feed xmlns="http://www.w3.org/2005/Atom" xmlns:georss="http://www.georss.org/georss"
 xmlns:gml="http://www.opengis.net/gml"><title>all</title><link rel="next" href="?page=2"/>
<entry><title>Suva</title><id>s1</id><georss:where><gml:Point{}><gml:pos>-18.14 178.44</gml:pos>
</gml:Point></georss:where></entry>
<entry><title>Oslo</title><georss:point>59.91,10.75</georss:point></entry></feed>"""


def parsed(body: str | bytes, language: str, step: int = 0, **keys: Any) -> tuple[Collector, Page]:
    body = body.encode() if isinstance(body, str) else body
    settings = SETTINGS[language](url="https://example.org", **keys)
    collector = Collector(
        max_points=settings.max_points, max_bad=settings.max_bad, location=MarkupFeed.location
    )
    parser = Markup(settings, collector, language=language)
    for start in range(0, len(body), step or len(body) or 1):
        parser.feed(body[start : start + (step or len(body))])
    return collector, parser.finish()


def read(body: str | bytes, language: str, step: int = 0, **keys: Any) -> list[Point]:
    return list(whole(parsed(body, language, step, **keys)[0].batch()))


@pytest.mark.parametrize("step", [0, 1, 7])
@pytest.mark.parametrize(
    ("body", "language"),
    [
        (KML.format(""), "kml"),
        (KML.format("").encode("utf-16"), "kml"),
        (GPX.format(""), "gpx"),
        (RSS.format(""), "georss"),
        (ATOM.format(""), "georss"),
        (ATOM.format(' srsName="urn:ogc:def:crs:EPSG::4326"'), "georss"),
    ],
)
def test_each_feature_with_a_point_is_a_point(body: str | bytes, language: str, step: int) -> None:
    if isinstance(body, bytes):
        body = body.decode("utf-16").replace('"UTF-8"', '"UTF-16"').encode("utf-16")

    assert read(body, language, step) == [SUVA, OSLO]


@pytest.mark.parametrize(
    ("body", "language"), [(KML.format(""), "kml"), (RSS.format(""), "georss")]
)
def test_a_feature_without_a_place_is_left_out_and_counted(body: str, language: str) -> None:
    collector, page = parsed(body, language)

    assert page.features == 3
    assert collector.skipped().first == ("feature 3: no geometry",)


@pytest.mark.parametrize(
    ("body", "language", "name"),
    [
        (KML.format(LINE), "kml", "LineString"),
        (GPX.format(TRACK), "gpx", "trk"),
        (RSS.format(BOX), "georss", "box"),
    ],
)
def test_other_geometries_are_refused_or_left_out(body: str, language: str, name: str) -> None:
    with pytest.raises(NotPointsError, match=f"^feature . is a {name}, .*points-only"):
        read(body, language)

    collector, _ = parsed(body, language, geometry="points-only")

    assert list(whole(collector.batch())) == [SUVA, OSLO]
    assert collector.skipped().reasons[f"a {name}"] == 1


def test_columns_are_child_elements_and_data() -> None:
    collector, _ = parsed(KML.format(""), "kml", group_by="net", value_property="mag", changes=True)
    batch = collector.batch()
    assert (batch.ids, batch.groups, batch.values) == (("p1", None), ("us", None), (4.5, None))

    batch = parsed(GPX.format(""), "gpx", value_property="ele")[0].batch()
    assert batch.values == (4.5, None)
    for body in (RSS.format(""), ATOM.format("")):
        assert parsed(body, "georss", changes=True)[0].batch().ids == ("s1", None)


def test_rfc_5005_section_3_a_feed_leads_to_its_next_page() -> None:
    _, page = parsed(ATOM.format(""), "georss")

    assert page == Page(2, next="?page=2")


def test_network_links_are_told() -> None:
    collector, _ = parsed(KML.format("<NetworkLink/>"), "kml")

    assert "network links" in collector.warnings()[0]


BOMB = '<!DOCTYPE kml [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>' + "<kml>&b;</kml>"


@pytest.mark.parametrize(
    ("body", "language", "keys", "error", "message"),
    [
        (BOMB, "kml", {}, MalformedError, "document type declaration"),
        ("<!DOCTYPE html><html></html>", "kml", {}, MalformedError, "not of a web page"),
        ("<gpx></gpx>", "kml", {}, MalformedError, "XML without kml around it"),
        ("<kml>" * (MAX_DEPTH + 1), "kml", {}, MalformedError, "nested too deeply"),
        ("<kml><a></kml>", "kml", {}, MalformedError, "not XML: mismatched tag at line 1"),
        ("{}", "kml", {}, MalformedError, "not XML"),
        (b"PK\x03\x04", "kml", {}, MalformedError, "not XML"),
        ("", "kml", {}, TruncatedError, "ends in the middle"),
        (KML.format("")[:-20], "kml", {}, TruncatedError, "ends in the middle"),
        (GPX.format('<wpt lat="91" lon="0"/>'), "gpx", {}, BadCoordinatesError, "^feature 3: lat"),
        (GPX.format('<wpt lat="1"/>'), "gpx", {}, BadCoordinatesError, "^feature 3: .*not two num"),
        (GPX.format(""), "gpx", {"max_points": 1}, TooManyPointsError, "max_points"),
        (ATOM.format(' srsName="EPSG:25832"'), "georss", {}, WrongCrsError, "^feature 1 declares"),
    ],
)
def test_an_error_says_where_and_what_to_do(
    body: str | bytes, language: str, keys: dict[str, Any], error: type[SourceError], message: str
) -> None:
    with pytest.raises(error, match=message):
        read(body, language, **keys)


def test_bad_features_are_left_out_where_max_bad_says_so() -> None:
    assert read(GPX.format('<wpt lat="x" lon="0"/>'), "gpx", max_bad=1) == [SUVA, OSLO]


@given(st.binary(max_size=200), st.sampled_from(sorted(LANGUAGES)), st.booleans())
def test_any_bytes_are_points_or_an_error_of_ours(
    body: bytes,
    language: str,
    within: bool,  # noqa: FBT001 - given by hypothesis
) -> None:
    root = min(LANGUAGES[language].roots).encode()
    with suppress(SourceError):
        assert read(b"<%s>%s</%s>" % (root, body, root) if within else body, language)


NAMES = [
    "Placemark",
    "Point",
    "coordinates",
    "wpt",
    "item",
    "point",
    "lat",
    "name",
    "Data",
    "value",
]
TREES = st.recursive(
    st.sampled_from(["1,2", "1 2", "x", ""]),
    lambda inner: st.lists(st.tuples(st.sampled_from(NAMES), inner), max_size=3).map(
        lambda pairs: "".join(f'<{name} lat="1" lon="2">{it}</{name}>' for name, it in pairs)
    ),
)


@given(TREES, st.sampled_from(sorted(LANGUAGES)))
def test_any_elements_are_points_or_an_error_of_ours(tree: str, language: str) -> None:
    root = min(LANGUAGES[language].roots)
    with suppress(SourceError):
        assert read(f"<{root}>{tree}</{root}>", language)
