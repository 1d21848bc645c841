import httpx2
import pytest

from mousetrap.sources.errors import (
    WrongCharsetError,
    WrongContentTypeError,
    WrongEncodingError,
)
from mousetrap.sources.http.response_head import accept, check_type, is_gzip, length

TYPES = ("application/geo+json", "application/json")


def test_the_first_type_is_asked_for_before_the_others() -> None:
    assert accept(TYPES) == "application/geo+json, application/json;q=0.9, */*;q=0.1"
    assert accept(["text/csv"]) == "text/csv, */*;q=0.1"


@pytest.mark.parametrize(
    "value",
    [
        "application/geo+json",
        "Application/JSON",
        "application/json; charset=utf-8",
        'application/json;charset="UTF-8"',
        "application/geo+json; profile=x; charset=us-ascii",
        "text/plain; charset=utf8",
        "application/octet-stream",
    ],
)
def test_types_that_geojson_is_served_as_are_read(value: str) -> None:
    check_type(httpx2.Headers({"Content-Type": value}), TYPES)


def test_an_answer_without_a_type_is_read() -> None:
    check_type(httpx2.Headers(), TYPES)


@pytest.mark.parametrize(
    "value", ["text/html; charset=utf-8", "image/png", "application/xml", "json", "", ";"]
)
def test_other_types_are_refused(value: str) -> None:
    with pytest.raises(WrongContentTypeError, match="in a browser"):
        check_type(httpx2.Headers({"Content-Type": value}), TYPES)


@pytest.mark.parametrize("charset", ["iso-8859-1", "utf-16", '"windows-1252"', ""])
def test_other_charsets_are_refused(charset: str) -> None:
    with pytest.raises(WrongCharsetError, match="UTF-8"):
        check_type(httpx2.Headers({"Content-Type": f"application/json; Charset={charset}"}), TYPES)


@pytest.mark.parametrize(
    ("value", "packed"), [("gzip", True), ("X-GZIP", True), ("identity", False)]
)
def test_gzip_or_nothing_is_unpacked(value: str, packed: bool) -> None:  # noqa: FBT001 - a case
    assert is_gzip(httpx2.Headers({"Content-Encoding": value})) is packed


def test_a_body_without_an_encoding_is_sent_as_it_is() -> None:
    assert not is_gzip(httpx2.Headers())


@pytest.mark.parametrize("value", ["br", "deflate", "zstd", "gzip, gzip", "identity, gzip", "x"])
def test_other_encodings_are_refused(value: str) -> None:
    with pytest.raises(WrongEncodingError, match="neither gzip nor nothing"):
        is_gzip(httpx2.Headers({"Content-Encoding": value}))


@pytest.mark.parametrize(
    ("headers", "expected"),
    [({"Content-Length": "1000"}, 1000), ({}, 0), ({"Content-Length": "-1"}, 0)],
)
def test_a_length_is_known_before_the_body_comes(headers: dict[str, str], expected: int) -> None:
    assert length(httpx2.Headers(headers)) == expected
