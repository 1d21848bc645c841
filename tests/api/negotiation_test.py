import pytest
from hypothesis import given
from hypothesis import strategies as st

from mousetrap.api import negotiation

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


@given(st.text(max_size=60))
def test_takes_any_text(header: str) -> None:
    assert all(0 <= quality <= 1 for quality in negotiation.qualities(header).values())
    assert negotiation.media_type(header, (JSON, GEOJSON)) in {JSON, GEOJSON, None}
