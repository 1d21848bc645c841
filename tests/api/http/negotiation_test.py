import pytest
from hypothesis import given
from hypothesis import strategies as st

from mousetrap.api.http import negotiation

JSON, GEOJSON = "application/json", "application/geo+json"


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        (None, JSON),
        ("", JSON),
        ("*/*", JSON),
        ("application/*", JSON),
        ("text/html, application/xhtml+xml, */*;q=0.8", JSON),
        (GEOJSON, GEOJSON),
        ("Application/GEO+JSON", GEOJSON),
        (f"{GEOJSON};q=0.4, {JSON};q=0.5", JSON),
        (f"{JSON} ; Q=0.4,{GEOJSON} ; q = 0.401", GEOJSON),
        (f"{GEOJSON}, {JSON}", JSON),
        (f"{JSON};q=0, */*", GEOJSON),
        (f"*/*, {JSON};q=0.1", GEOJSON),
        ("application/*;q=0, */*", None),
        (f"{JSON};q=0", None),
        (f"{JSON};q=0.000;x=y", None),
        (f"{JSON};charset=utf-8", JSON),
        (f"{JSON};q=high", JSON),
        ("text/csv", None),
        ("text/csv, image/*", None),
    ],
)
def test_the_type_that_the_caller_would_rather_have(accept: str, chosen: str | None) -> None:
    assert negotiation.media_type(accept, (JSON, GEOJSON)) == chosen


@pytest.mark.parametrize(
    ("accept_encoding", "taken"),
    [
        ("", False),
        ("gzip", True),
        ("br, GZIP;q=0.5", True),
        ("x-gzip", True),
        ("*", True),
        ("gzip;q=0", False),
        ("gzip;q=0, *", False),
        ("*;q=0", False),
        ("br", False),
        ("identity", False),
        ("identity, gzip;q=0.5", False),
        ("identity;q=0.5, gzip", True),
        ("gzippy", False),
    ],
)
def test_whether_gzip_is_welcome(accept_encoding: str, taken: bool) -> None:  # noqa: FBT001
    assert negotiation.takes_gzip(accept_encoding) is taken


@given(st.text(max_size=60))
def test_takes_any_text(header: str) -> None:
    assert all(0 <= quality <= 1 for quality in negotiation.qualities(header).values())
    assert negotiation.media_type(header, (JSON, GEOJSON)) in {JSON, GEOJSON, None}
