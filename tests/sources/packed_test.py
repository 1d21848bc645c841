"""A large batch is packed while it is collected, and has the points of one that is not."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mousetrap.geo.batch import Batch
from mousetrap.settings.source_kinds import GeojsonSettings
from mousetrap.sources import collector, packed
from mousetrap.sources.collector import Collector
from mousetrap.sources.errors import IncompleteError, TooLargeError, TooManyPointsError
from mousetrap.sources.http.urls import parse
from mousetrap.sources.packed import PackedBatch, whole
from mousetrap.sources.pages import Pages
from support.batches import latitudes, longitudes, names

optional = st.none() | st.sampled_from(["a", "bb", "é"])
points = st.lists(
    st.fixed_dictionaries(
        {
            "lat": latitudes,
            "lon": longitudes,
            "name": names,
            "id": optional,
            "group": optional,
            "value": st.none() | st.floats(allow_nan=False, allow_infinity=False),
        }
    ),
    min_size=1,
    max_size=20,
)


def collected(found: list[dict[str, Any]], piece: int, max_bytes: int) -> Batch | PackedBatch:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(collector, "PIECE", piece)
        patch.setattr(packed, "MAX_BYTES", max_bytes)
        found_by = Collector(max_points=len(found))
        for index, point in enumerate(found):
            found_by.add(index, **point)
        assert len(found_by) == len(found)
        assert found_by.remaining == 0
        return found_by.batch()


@given(points, st.integers(1, 9), st.integers(200, 400), st.data())
def test_it_has_the_points_of_the_whole(
    found: list[dict[str, Any]], piece: int, max_bytes: int, data: st.DataObject
) -> None:
    expected = collected(found, 1000, 1000)
    batch = collected(found, piece, max_bytes)

    assert isinstance(expected, Batch)
    assert whole(batch) == expected
    assert len(batch) == len(expected)
    start = data.draw(st.integers(0, len(found)))
    stop = data.draw(st.integers(start, len(found)))
    assert batch.part(start, stop).names == expected.part(start, stop).names


@given(points, st.integers(1, 9))
def test_no_piece_has_more_points_or_bytes_than_it_may(
    found: list[dict[str, Any]], piece: int
) -> None:
    batch = collected(found, piece, 200)
    assert isinstance(batch, PackedBatch) == (len(found) > piece)
    if isinstance(batch, PackedBatch):
        assert max(batch.points) <= piece
        assert max(map(len, batch.pieces)) <= 200
        assert sum(batch.points) == len(found)


@pytest.mark.parametrize("column", ["names", "groups", "values"])
def test_a_column_that_is_packed_already_is_not_missed(
    column: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(collector, "PIECE", 1)
    found = Collector(max_points=9)
    assert found.lacks(column)
    found.add(0, 1.0, 2.0, "a", group="b", value=3.0)
    found.add(1, 1.0, 2.0)
    found.add(2, 1.0, 2.0)
    assert not found.lacks(column)


def test_a_name_that_many_points_share_takes_no_more_room_than_the_feed_may(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(collector, "PIECE", 2)

    def share(count: int) -> None:
        found = Collector(max_points=1000, max_bytes=1000)
        for _ in range(count):
            found.add(0, 1.0, 2.0, "x" * 100)
        found.batch()

    share(20)
    with pytest.raises(TooLargeError, match="raise max_bytes"):
        share(60)


def test_points_that_are_packed_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collector, "PIECE", 2)
    found = Collector(max_points=5)
    for index in range(5):
        found.add(index, 1.0, 2.0)
    with pytest.raises(TooManyPointsError):
        found.add(5, 1.0, 2.0)


def test_a_page_that_comes_again_is_noticed_though_it_is_packed() -> None:
    pages = Pages(GeojsonSettings(url="https://example.org/"), parse("https://example.org/"))
    pages._counting = True  # noqa: SLF001 - otherwise it takes a server
    pages._ends = [3, 6]  # noqa: SLF001
    points = [{"lat": float(number % 3), "lon": 1.0, "name": None} for number in range(6)]
    with pytest.raises(IncompleteError, match="the same page again"):
        pages.check(collected(points, 2, 1000))
    pages.check(collected([*points[:5], points[0]], 2, 1000))
