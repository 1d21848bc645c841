import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mousetrap.geo.point import Point
from mousetrap.settings.source_kinds import GeojsonseqSettings
from mousetrap.sources.collector import Collector
from mousetrap.sources.errors import (
    BadCoordinatesError,
    MalformedError,
    NotPointsError,
    SourceError,
    TooManyPointsError,
    TruncatedError,
    WrongCharsetError,
)
from mousetrap.sources.packed import whole
from mousetrap.sources.sequence import MAX_TEXT, GeojsonseqFeed, Sequence
from support.features import collection, feature, unlocated

HERE, THERE = Point(2.5, 1.5, "here"), Point(4, 3, "there")
TWO = [feature(), feature("[3, 4]", properties='{"name": "there"}')]


def sequence(*texts: str) -> bytes:
    return "".join(f"\x1e{text}\n" for text in texts).encode()


def lines(*texts: str) -> bytes:
    return "\n".join(texts).encode()


def collected(body: bytes, step: int = 0, **keys: Any) -> Collector:
    settings = GeojsonseqSettings(url="https://example.org", **keys)
    collector = Collector(
        max_points=settings.max_points, max_bad=settings.max_bad, location=GeojsonseqFeed.location
    )
    parser = Sequence(settings, collector)
    for start in range(0, len(body), step or len(body) or 1):
        parser.feed(body[start : start + (step or len(body))])
    parser.finish()
    return collector


def read(body: bytes, step: int = 0, **keys: Any) -> list[Point]:
    return list(whole(collected(body, step, **keys).batch()))


@pytest.mark.parametrize("step", [0, 1, 7])
@pytest.mark.parametrize(
    "body",
    [
        pytest.param(sequence(*TWO), id="RFC 8142 section 2: RS, a text, LF"),
        pytest.param(sequence(*TWO).rstrip(b"\n"), id="RFC 7464 section 2.4: the last LF is lost"),
        pytest.param(b"\x1e\x1e" + sequence(*TWO), id="RFC 7464 section 2.1: empty elements"),
        pytest.param(
            sequence(*(json.dumps(json.loads(it), indent=1) for it in TWO)), id="over several lines"
        ),
        pytest.param(b"\xef\xbb\xbf" + sequence(*TWO), id="a byte order mark"),
        pytest.param(lines(*TWO), id="NDJSON"),
        pytest.param(lines(TWO[0], "", TWO[1], ""), id="NDJSON with blank lines"),
        pytest.param(lines(*TWO).replace(b"\n", b"\r\n"), id="NDJSON with CRLF"),
        pytest.param(b"\xef\xbb\xbf" + lines(*TWO), id="NDJSON with a byte order mark"),
    ],
)
def test_each_text_is_a_feature(body: bytes, step: int) -> None:
    assert read(body, step) == [HERE, THERE]


def test_rfc_8142_section_2_texts_of_all_types_may_be_mixed() -> None:
    geometry = '{"type": "Point", "coordinates": [5, 6]}'

    points = read(sequence(TWO[0], geometry, collection(TWO[1], unlocated()).decode()))

    assert points == [HERE, Point(6, 5), THERE]


def test_rfc_7464_section_2_1_a_text_that_is_no_json_is_left_out_where_max_bad_says_so() -> None:
    body = sequence(TWO[0], '{"type": "Feat', "[1]", '{"a": 1}', TWO[1])

    collector = collected(body, max_bad=3)

    assert list(whole(collector.batch())) == [HERE, THERE]
    assert collector.skipped().reasons == {"no GeoJSON object": 3}
    with pytest.raises(MalformedError, match=r"^text 2: it is no GeoJSON object \(.*max_bad"):
        read(body)


def test_a_feature_without_a_place_is_left_out_and_counted() -> None:
    collector = collected(lines(TWO[0], unlocated()))

    assert collector.skipped().first == ("text 2: no geometry",)


def test_columns_are_read_by_their_properties() -> None:
    body = lines(feature(properties='{"a": {"b": "x"}, "mag": 4.5, "net": "us"}'))

    batch = whole(
        collected(body, name_property="a.b", group_by="net", value_property="mag").batch()
    )

    assert (batch.names, batch.groups, batch.values) == (("x",), ("us",), (4.5,))


def test_a_name_that_is_not_there_is_explained() -> None:
    collector = collected(lines(*TWO), name_property="title")
    collector.batch()

    assert 'name_property is "title", and there are "name"' in collector.warnings()[0]


@pytest.mark.parametrize(
    ("body", "keys", "error", "message"),
    [
        (b"", {}, TruncatedError, "is empty"),
        (b"\n \n", {}, TruncatedError, "is empty"),
        (b"<html>", {}, MalformedError, "HTML"),
        (lines(*TWO).decode().encode("utf-16"), {}, WrongCharsetError, "UTF-16"),
        (b'{\n"type": 5}', {}, MalformedError, "^text 1: .*several lines is of the kind geojson"),
        (lines(TWO[0], feature("[0, 91]")), {}, BadCoordinatesError, "^text 2: latitude 91"),
        (lines(TWO[0], feature(kind="Polygon")), {}, NotPointsError, "^text 2 is a Polygon"),
        (lines(*TWO), {"max_points": 1}, TooManyPointsError, "max_points"),
        (b"{" * (MAX_TEXT + 1), {}, MalformedError, "^text 1 has more than"),
        (lines(*TWO)[:-5], {"max_bad": "100%"}, TruncatedError, "ends within text 2: try again"),
        (sequence(*TWO)[:-5], {"max_bad": 9}, TruncatedError, "ends within text 2: try again"),
        (b"\x1e" + b'{"a":' * 10_000, {}, MalformedError, "^text 1: it is no GeoJSON object"),
    ],
)
def test_an_error_names_the_text(
    body: bytes, keys: dict[str, Any], error: type[SourceError], message: str
) -> None:
    with pytest.raises(error, match=message):
        read(body, **keys)


@given(st.binary(max_size=200), st.sampled_from([b"", b"\x1e", b"{}\n"]), st.integers(1, 50))
def test_any_bytes_are_points_or_an_error_of_ours(body: bytes, head: bytes, step: int) -> None:
    for max_bad in (0, "100%"):
        with suppress(SourceError):
            assert read(head + body, step, max_bad=max_bad)


WRONG = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=5,
)
MEMBERS = st.sampled_from(["type", "geometry", "coordinates", "features", "properties", "id"])
VALUES = st.sampled_from(["Point", "Feature", "FeatureCollection", [1, 2]]) | WRONG


@given(st.lists(st.dictionaries(MEMBERS, VALUES) | WRONG, max_size=4))
def test_any_json_is_points_or_an_error_of_ours(texts: list[object]) -> None:
    for form in (sequence, lines):
        with suppress(SourceError):
            assert read(form(*map(json.dumps, texts)), max_bad=2)
