import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mousetrap.settings.source_kinds import GeojsonSettings
from mousetrap.sources.collector import Collector
from mousetrap.sources.geojson import Reader
from mousetrap.sources.parser import Page
from support.features import feature


def page(members: object) -> Page:
    """Return the page of a FeatureCollection of one point with these other members."""
    document = {"type": "FeatureCollection", "features": [json.loads(feature())]}
    if isinstance(members, dict):
        document |= members
    reader = Reader(GeojsonSettings(url=NEXT), Collector(max_points=10))
    reader.feed(json.dumps(document).encode())
    return reader.finish()


NEXT = "https://example.org/items?page=2"


@pytest.mark.parametrize(
    "members",
    [
        {"links": [{"rel": "self", "href": "/"}, {"rel": "next", "href": NEXT}]},
        {"links": [{"rel": "next", "href": NEXT, "method": "GET", "title": {}}]},
        {"links": {"self": "/", "next": NEXT}},
        {"links": {"next": {"href": NEXT}}},
        {"_links": {"next": {"href": NEXT}}},
        {"next": NEXT, "previous": None},
        {"next": {"href": NEXT}},
        {"pagination": {"next": NEXT}},
        {"pagination": {"next": {"url": NEXT}}},
    ],
)
def test_the_address_of_the_next_page_is_found(members: object) -> None:
    assert page(members) == Page(1, next=NEXT)


def test_an_address_may_be_relative() -> None:
    assert page({"next": "?page=2"}).next == "?page=2"


@pytest.mark.parametrize(
    "members",
    [
        {"exceededTransferLimit": True},
        {"properties": {"exceededTransferLimit": True}},
        {"properties": {"exceededTransferLimit": "true"}},
        {"pagination": {"next": 2}},
        {"next": "a" * 10_000},
        {"next": "a\nb"},
        {"links": [{"rel": "next", "href": "/search", "method": "POST", "body": {}}]},
        {"links": [{"rel": "next"}], "next": {"token": "abc"}},
    ],
)
def test_more_without_an_address_makes_the_page_partial(members: object) -> None:
    assert page(members) == Page(1, partial=True)


@pytest.mark.parametrize(
    "members",
    [
        {"exceededTransferLimit": False},
        {"properties": {"exceededTransferLimit": None}},
        {"properties": [1]},
        {"links": [{"rel": "self", "href": "/"}]},
        {"links": [{"rel": "prev", "href": "/"}, 7]},
        {"links": "none"},
        {"links": {"next": None}},
        {"next": None},
        {"next": ""},
        {"next": False},
        {"pagination": {"next": None}},
        {"pagination": 3},
    ],
)
def test_a_last_page_says_that_there_is_no_more(members: object) -> None:
    assert page(members) == Page(1)


@pytest.mark.parametrize(
    ("members", "total"),
    [
        ({"numberMatched": 250, "numberReturned": 1}, 250),
        ({"numberMatched": "unknown", "totalFeatures": 250}, 250),
        ({"totalFeatures": 250}, 250),
        ({"count": 250, "next": None}, 250),
        ({"pagination": {"total": 250}}, 250),
        ({"numberMatched": -1}, None),
        ({"numberMatched": 1.5}, None),
        ({"numberMatched": None}, None),
    ],
)
def test_the_number_of_all_features_is_found(members: object, total: int | None) -> None:
    assert page(members).total == total


def test_many_links_are_not_read_and_may_hide_a_next_page() -> None:
    assert page({"links": [{"rel": "next", "href": NEXT}] * 10_000}) == Page(1, partial=True)
    assert page({"links": [{"rel": "item", "href": NEXT}] * 10_000}) == Page(1)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(["next", "rel", "href", "url", "method", "total", "x"]), inner, max_size=4
    ),
    max_leaves=8,
)


@given(
    st.dictionaries(
        st.sampled_from(
            ["links", "_links", "next", "pagination", "properties", "numberMatched", "count"]
        ),
        JSON,
    )
)
def test_any_members_make_a_page(members: object) -> None:
    assert page(members).features == 1
