import codecs
import csv
import io
import tracemalloc
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mousetrap.geo.point import Point
from mousetrap.settings.source_kinds import CsvSettings
from mousetrap.sources import table as tables
from mousetrap.sources.collector import Collector
from mousetrap.sources.errors import (
    BadCoordinatesError,
    MalformedError,
    NoPointsError,
    SourceError,
    TooManyPointsError,
    TruncatedError,
    WrongCharsetError,
)
from mousetrap.sources.packed import whole
from mousetrap.sources.records import BLOCK, MAX_RECORD
from mousetrap.sources.table import CsvFeed, Table

SUVA, APIA = Point(-18.14, 178.44, "Suva"), Point(-13.83, -171.76, "Apia, Samoa")
HEADER = "name,lat,lon\r\n"
ROWS = '"Suva",-18.14,178.44\r\n"Apia, Samoa",-13.83,-171.76'
BOTH = [SUVA, APIA]


def collected(body: bytes, step: int = 0, **settings: Any) -> Collector:
    collector = Collector(
        max_points=settings.pop("max_points", 1000),
        max_bad=settings.pop("max_bad", 0),
        location=CsvFeed.location,
    )
    table = Table(CsvSettings(url="https://example.org", **settings), collector)
    for start in range(0, len(body), step or len(body) or 1):
        table.feed(body[start : start + (step or len(body))])
    table.finish()
    return collector


def read(body: str | bytes, step: int = 0, **settings: Any) -> list[Point]:
    if isinstance(body, str):
        body = body.encode()
    return list(whole(collected(body, step, **settings).batch()))


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(HEADER + ROWS + "\r\n", id="2.1 each record ends with a line break"),
        pytest.param(HEADER + ROWS, id="2.2 the last one need not"),
        pytest.param(HEADER + '"Suva","-18.14","178.44"\r\n' + ROWS[22:], id="2.5 quoted fields"),
        pytest.param(HEADER.replace("name", '"na\r\nme"') + ROWS, id="2.6 a quoted line break"),
        pytest.param((HEADER + ROWS).replace("\r\n", "\n"), id="LF"),
        pytest.param((HEADER + ROWS).replace("\r\n", "\r"), id="CR"),
        pytest.param("\r\n" + HEADER + "\r\n" + ROWS + "\r\n\r\n", id="blank lines"),
    ],
)
@pytest.mark.parametrize("step", [0, 1, 7])
def test_rfc_4180_section_2(body: str, step: int) -> None:
    name = "na\r\nme" if "na\r\n" in body else "name"

    assert read(body, step, name=name) == BOTH


def test_rfc_4180_section_2_4_spaces_are_part_of_a_field() -> None:
    assert [point.name for point in read(HEADER + "a  b, 1, 2 \r\n")] == ["a  b"]
    with pytest.raises(MalformedError, match="line 2: it has 4 fields, and the header has 3"):
        read(HEADER + 'x, "1,5", 2\r\n')


def test_rfc_4180_section_2_7_a_doubled_quotation_mark_is_one() -> None:
    assert read(HEADER + '"the ""hill""",1,2') == [Point(1, 2, 'the "hill"')]


def test_rfc_4180_section_2_6_a_field_may_hold_line_breaks_and_delimiters() -> None:
    collector = collected((HEADER + '"a,\r\nb",1,2\r\nc,,\r\n').encode())

    assert collector.skipped().first == ("line 4: no coordinates",)


@pytest.mark.parametrize("row", ["Suva,-18.14\r\n", "Apia, Samoa,-13.83,-171.76\r\n"])
def test_rfc_4180_section_2_4_each_line_has_the_same_number_of_fields(row: str) -> None:
    with pytest.raises(MalformedError, match=r"line 2: it has . fields, and the header has 3"):
        read(HEADER + row)


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("given", [True, False])
def test_the_delimiter_is_the_one_of_the_header(delimiter: str, *, given: bool) -> None:
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter)
    writer.writerows([["name, title; |\t", "lat", "lon"], ["Suva", -18.14, 178.44]])
    settings: dict[str, Any] = {"delimiter": delimiter} if given else {}

    assert read(text.getvalue(), name="name, title; |\t", **settings) == [SUVA]


@pytest.mark.parametrize(
    ("lat", "lon"),
    [("latitude", "longitude"), ("LAT", "Lng"), ("y", "x"), ("Lat", " Long "), ("stop_lat", "X")],
)
def test_columns_with_usual_titles_are_found(lat: str, lon: str) -> None:
    assert read(f"{lon},{lat},Title\n178.44,-18.14,Suva\n") == [SUVA]


def test_columns_are_named_by_their_titles() -> None:
    body = "Ort;Hochwert (Grad);Rechtswert;x;y\nSuva;-18.14;178.44;1;2\n"

    assert read(body, lat="hochwert (grad)", lon="Rechtswert", name="Ort") == [SUVA]


@pytest.mark.parametrize(
    ("header", "settings", "message"),
    [
        ("lat,latitude,lon", {}, "has lat and latitude: set lat of this source"),
        ("lat,lon,x", {}, "has lon and x: set lon of this source"),
        ("lat,lon,lon", {}, "has lon and lon: set lon of this source"),
        ("a,lon", {}, "none of lat, latitude, .*: set lat of this source"),
        ("lat,a", {}, "none of lon, lng, .*: set lon of this source"),
        ("lat,lon", {"lat": "breite"}, "no columns 'breite': set lat of this source"),
        ("a,a,lon", {"lat": "a"}, "2 columns 'a': set lat of this source"),
        ("lat,lon", {"name": "place"}, "no columns 'place': set name of this source"),
        ("<html>", {}, "line 1: no one of , ; tab | divides the titles"),
        ("a,b;c", {}, "line 1: no one of , ; tab | divides the titles"),
    ],
)
def test_a_header_that_leaves_a_choice_says_what_to_set(
    header: str, settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(MalformedError, match=message.replace("|", r"\|")):
        read(header + "\n1,2,3\n", **settings)


def test_a_decimal_comma_is_read_where_it_is_set() -> None:
    body = "name;lat;lon\nSuva;-18,14;178,44\n"

    assert read(body, decimal_comma=True) == [SUVA]
    with pytest.raises(BadCoordinatesError, match=r"line 2: .*: set decimal_comma = true"):
        read(body)


@pytest.mark.parametrize(
    ("encoding", "codec"),
    [
        ("utf-8", "utf-8"),
        ("utf-8", "utf-8-sig"),
        ("windows-1252", "cp1252"),
        ("iso-8859-1", "latin-1"),
        ("utf-16", "utf-16"),
        ("shift_jis", "shift_jis"),
    ],
)
@pytest.mark.parametrize("step", [1, 0])
def test_text_is_in_the_encoding_that_is_set(encoding: str, codec: str, step: int) -> None:
    name = "東京" if codec == "shift_jis" else "Ny-Ålesund"
    body = f"lat,lon,name\r\n78.92,11.93,{name}\r\n".encode(codec)

    assert read(body, step, encoding=encoding) == [Point(78.92, 11.93, name)]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ((HEADER + "Þ,1,2").encode("latin-1"), r"not in UTF-8 .* set encoding, such as"),
        ((HEADER + ROWS).encode("utf-16"), 'in UTF-16: set encoding = "utf-16"'),
        (codecs.BOM_UTF8 + b"\xff\xff", "not in UTF-8"),
    ],
)
def test_text_in_another_encoding_says_what_to_set(body: bytes, message: str) -> None:
    with pytest.raises(WrongCharsetError, match=message):
        read(body)


@pytest.mark.parametrize(
    ("rows", "error", "message"),
    [
        ("Nowhere,91,0\n", BadCoordinatesError, "line 2: latitude 91.0 is not between"),
        ("a,1,1\nb,nan,0\n", BadCoordinatesError, "line 3: the coordinates are not two numbers"),
        ("a,1_0,0\n", BadCoordinatesError, "line 2: the coordinates are not two numbers"),
        ("a,,0\n", BadCoordinatesError, "line 2: the coordinates are not two numbers"),
        ("a,1,1\n\n" * 3, TooManyPointsError, "max_points"),
        ('a,1,1\n"b,1,1\n', TruncatedError, "record that begins at line 3"),
        ('"a"b,1,1\n', MalformedError, "at line 2: ',' expected after '\"'"),
        ("a,1," + "1" * 131_073, MalformedError, "at line 2: field larger than field limit"),
        ("", NoPointsError, "empty"),
    ],
)
def test_an_error_names_the_line(rows: str, error: type[SourceError], message: str) -> None:
    with pytest.raises(error, match=message):
        read(HEADER + rows, max_points=2)


def test_an_empty_answer_is_called_empty() -> None:
    with pytest.raises(MalformedError, match="is empty"):
        read("\r\n")


def test_bad_records_are_left_out_and_counted_where_max_bad_says_so() -> None:
    rows = b"a,1,2\nb,x,2\nc,1\nd,91,0\ne,3,4\n"

    collector = collected(HEADER.encode() + rows, max_bad=3)

    assert [point.name for point in whole(collector.batch())] == ["a", "e"]
    assert collector.skipped().reasons == {
        "coordinates are not numbers": 1,
        "another number of fields": 1,
        "coordinates are out of range": 1,
    }


def test_ids_groups_and_values_are_columns_too() -> None:
    body = b"id;mag;net;lat;lon\nus1;4,5;us;1;2\n;;;3;4\n"

    batch = collected(
        body, group_by="NET", value_property="mag", decimal_comma=True, changes=True
    ).batch()

    assert batch.ids == ("us1", None)
    assert batch.groups == ("us", None)
    assert batch.values == (4.5, None)


def test_a_record_without_coordinates_is_left_out_and_counted() -> None:
    collector = collected(b"name,lat,lon\na,1,2\nb, ,\nc,3,4\n")

    assert len(collector.batch()) == 2
    assert collector.skipped().reasons == {"no coordinates": 1}


def endless(table: Table, part: bytes) -> None:
    for _ in range(MAX_RECORD // BLOCK + 2):
        table.feed(part * (BLOCK // len(part)))


def test_a_record_that_does_not_end_is_not_kept_for_ever() -> None:
    table = Table(CsvSettings(url="https://example.org"), Collector(max_points=1))
    table.feed(b'name,lat,lon\n"a')

    with pytest.raises(MalformedError, match="begins at line 2: field larger than"):
        endless(table, b"\n1,2")


def test_a_line_that_does_not_end_is_not_kept_for_ever() -> None:
    table = Table(CsvSettings(url="https://example.org"), Collector(max_points=1))

    with pytest.raises(MalformedError, match="begins at line 1 has more than"):
        endless(table, b"a,b,")


def test_a_large_piece_is_not_taken_apart_at_once() -> None:
    piece = HEADER.encode() + b",,\r\n" * 100_000  # such as gzip makes of few bytes
    table = Table(CsvSettings(url="https://example.org"), Collector(max_points=1))

    tracemalloc.start()
    try:
        table.feed(piece)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < 8 * len(piece)


@given(st.binary(max_size=300), st.sampled_from(["utf-8", "utf-16", "windows-1252", "big5"]))
def test_any_bytes_are_points_or_an_error_of_ours(body: bytes, encoding: str) -> None:
    for header in (b"", HEADER.encode("utf-8" if encoding == "windows-1252" else encoding)):
        with suppress(SourceError):
            assert read(header + body, encoding=encoding)


FIELD = st.text(st.characters(exclude_categories=["C", "Z"]), max_size=8)
ROW = st.tuples(FIELD | st.just('",\r\n"'), st.floats(-90, 90), st.floats(-180, 180))


@given(st.lists(ROW, min_size=1, max_size=20), st.integers(1, 50), st.sampled_from(",;\t|"))
def test_each_point_comes_through_exactly_and_in_order(
    rows: list[tuple[str, float, float]], step: int, delimiter: str
) -> None:
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter)
    writer.writerows([("title", "lat", "lon"), *rows])

    points = read(text.getvalue(), step)

    assert [(point.lat, point.lon) for point in points] == [row[1:] for row in rows]
    assert [(point.name or "")[:1] for point in points] == [name[:1] for name, _, _ in rows]


NUMBER = st.one_of(
    st.floats(-90, 90).map(str),
    st.sampled_from(
        [
            "",
            " ",
            "x",
            "nan",
            "-inf",
            "1e400",
            "1_0",
            "\N{FULLWIDTH DIGIT ONE}",
            " 2 ",
            "3\t",
            "-0",
            "1" * 41,
        ]
    ),
    st.sampled_from(
        [
            "\N{FULLWIDTH DIGIT ONE}",
            "90.0000000001",
            "91",
            "180",
            "200",
            "-360",
            "400",
            "4,5",
            "+.5e1",
            "1 2",
        ]
    ),
)
NOTE = st.sampled_from(["a", "", " b ", "c\td", "\xa0", "e\u200df", "x" * 201, "5", "6.5", "1,5"])
RECORDS = st.lists(
    st.one_of(
        st.tuples(
            NOTE, st.floats(-90, 90).map(str), st.floats(-180, 180).map(str), NOTE, NOTE, NOTE
        ),
        st.tuples(NOTE, NUMBER, NUMBER, NOTE, NOTE, NOTE),
        st.sampled_from([(), ("1", "2"), ("1",) * 7]),
    ),
    max_size=60,
)
TITLES = ["name", "lat", "lon", "id", "net", "mag"]


def everything(body: str, **settings: Any) -> object:
    """Return all that a table gives, or its error."""
    try:
        collector = collected(
            body.encode(), group_by="net", value_property="mag", changes=True, **settings
        )
        return collector.batch(), collector.skipped(), collector.warnings()
    except SourceError as error:
        return type(error), str(error), error.excerpt


@given(RECORDS, st.sampled_from([0, 3, "50%"]), st.booleans(), st.sampled_from([10, 1000]))
def test_records_give_the_same_together_as_one_by_one(
    records: list[tuple[str, ...]], max_bad: Any, decimal_comma: Any, max_points: int
) -> None:
    lines = [";".join(record) for record in [TITLES, *records]]
    body = "\r\n".join(lines)
    settings = {"max_bad": max_bad, "decimal_comma": decimal_comma, "max_points": max_points}

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tables, "READ_SINGLY", 1)
        together = everything(body, **settings)
        quoted = everything(body.replace("name", '"name"', 1), **settings)
        patch.setattr(tables, "READ_SINGLY", len(records) + 1)

        assert together == quoted == everything(body, **settings)
