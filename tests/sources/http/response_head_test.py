import httpx2
import pytest

from mousetrap.sources.errors import (
    WrongEncodingError,
)
from mousetrap.sources.http.response_head import accept, check_encoding, length


def test_the_first_type_is_asked_for_before_the_others() -> None:
    types = ("application/geo+json", "application/json")
    assert accept(types) == "application/geo+json, application/json;q=0.9, */*;q=0.1"
    assert accept(["text/csv"]) == "text/csv, */*;q=0.1"


@pytest.mark.parametrize(
    "value",
    ["", "gzip", "X-GZIP", "identity", "gzip, identity", "UTF-8", "aws-chunked", "gzip,gzip"],
)
def test_gzip_and_tokens_that_are_no_encoding_are_read(value: str) -> None:
    check_encoding(httpx2.Headers({"Content-Encoding": value}))
    check_encoding(httpx2.Headers())


@pytest.mark.parametrize("value", ["br", "Deflate", "zstd", "compress", "gzip, br", "br,identity"])
def test_other_encodings_are_refused(value: str) -> None:
    with pytest.raises(WrongEncodingError, match="neither gzip nor nothing"):
        check_encoding(httpx2.Headers({"Content-Encoding": value}))


@pytest.mark.parametrize(
    ("headers", "expected"),
    [({"Content-Length": "1000"}, 1000), ({}, 0), ({"Content-Length": "-1"}, 0)],
)
def test_a_length_is_known_before_the_body_comes(headers: dict[str, str], expected: int) -> None:
    assert length(httpx2.Headers(headers)) == expected
