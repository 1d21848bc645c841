import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mousetrap.sources.errors import (
    MalformedError,
    RefusedError,
    ServerTroubleError,
    SourceError,
    TruncatedError,
    WrongCharsetError,
)
from support import downloads
from support.features import collection, feature


def failure(body: bytes) -> SourceError:
    with pytest.raises(SourceError) as caught:
        downloads.read(body)
    return caught.value


@pytest.mark.parametrize("body", [b"", b"  \r\n\t"])
def test_an_empty_answer_is_called_empty_and_may_pass(body: bytes) -> None:
    error = failure(body)

    assert isinstance(error, TruncatedError)
    assert "the answer is empty" in str(error)
    assert error.retryable


@pytest.mark.parametrize(
    ("encoding", "shown"),
    [
        ("utf-16", "UTF-16"),
        ("utf-16-le", "UTF-16"),
        ("utf-16-be", "UTF-16"),
        ("utf-32", "UTF-32"),
        ("utf-32-le", "UTF-32"),
        ("utf-32-be", "UTF-32"),
    ],
)
def test_another_encoding_of_unicode_is_named(encoding: str, shown: str) -> None:
    error = failure(collection(feature()).decode().encode(encoding))

    assert isinstance(error, WrongCharsetError)
    assert f"is in {shown}" in str(error)


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        (b"<!DOCTYPE html><p>Sign in", "HTML"),
        (b"\n <html lang=en><p>Sign in", "HTML"),
        (b'<?xml version="1.0"?><kml><Document/></kml>', "XML"),
        (b"\xef\xbb\xbf<rss/>", "XML"),
    ],
)
def test_a_page_or_xml_is_called_so(body: bytes, shown: str) -> None:
    error = failure(body)

    assert isinstance(error, MalformedError)
    assert f"not JSON but {shown}" in str(error)
    assert "Sign in" not in str(error)


@pytest.mark.parametrize(
    ("document", "shown"),
    [
        (
            {"error": {"code": 400, "message": "Unable to perform query.", "details": ["Bad SQL"]}},
            '(code 400): "Unable to perform query.: Bad SQL"',
        ),
        ({"error": {"code": 498, "message": "Invalid token.", "details": []}}, '"Invalid token."'),
        ({"error": "no such layer"}, '"no such layer"'),
        ({"error": True, "reason": "bad latitude"}, '"bad latitude"'),
        ({"error": "Bad Request", "message": "no such layer", "status": 400}, '"no such layer"'),
        ({"errors": [{"title": "Denied", "detail": "no key"}]}, '"no key"'),
        ({"errors": ["no key"]}, '"no key"'),
        ({"exceptions": [{"code": "NoApplicableCode", "text": "no type"}]}, '"no type"'),
        ({"message": "no key", "status": 401}, '(code 401): "no key"'),
        ({"code": "404", "message": "gone"}, '(code 404): "gone"'),
        ({"type": "about:blank", "title": "Not Found", "status": 404}, '"Not Found"'),
        ({"error": {"message": "a\x1b[31mb\n" + "x" * 1000}}, '"a[31mb ' + "x" * 200),
    ],
)
def test_the_error_of_a_server_is_told_in_its_words(document: object, shown: str) -> None:
    error = failure(json.dumps(document).encode())

    assert isinstance(error, RefusedError)
    assert "the server answers with an error" in str(error)
    assert shown in str(error)
    assert len(str(error)) < 500


@pytest.mark.parametrize("code", [429, 500, 504, "503"])
def test_an_error_of_a_server_that_may_pass_is_retryable(code: object) -> None:
    error = failure(json.dumps({"error": {"code": code, "message": "busy"}}).encode())

    assert isinstance(error, ServerTroubleError)
    assert error.retryable


@pytest.mark.parametrize(
    "document",
    [
        {},
        [],
        7,
        {"error": None},
        {"error": {}},
        {"error": 5},
        {"errors": [[["deep"]]]},
        {"errors": {}},
        {"message": "hello"},
        {"code": 5},
        {"error": {"message": "x" * 100_000}},
    ],
)
def test_other_json_is_malformed(document: object) -> None:
    assert isinstance(failure(json.dumps(document).encode()), MalformedError)


def test_a_geometry_is_no_error_of_the_server() -> None:
    body = b'{"type": "Point", "coordinates": [1, 2], "status": 1, "title": "secret"}'

    assert isinstance(failure(body), MalformedError)
    assert "secret" not in str(failure(body))


MEMBERS = [
    *("error", "errors", "exceptions", "message", "code", "status", "title", "details"),
    *("type", "features", "geometry", "coordinates", "crs", "properties", "id"),
]
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(MEMBERS),
        inner | st.sampled_from(["Feature", "FeatureCollection", "Point"]),
        max_size=5,
    ),
    max_leaves=10,
)


@given(ANYTHING)
def test_any_document_gives_a_batch_or_an_error_of_ours(document: object) -> None:
    body = json.dumps(document).encode()
    with suppress(SourceError):
        assert len(downloads.read(body, max_bad="100%")) > 0
