"""Summaries of batches."""

import random
import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mousetrap.geo.batch import Batch
from mousetrap.geo.bounds import BoundingBox
from mousetrap.geo.centroid import Centroid
from mousetrap.geo.errors import EmptyBatchError
from mousetrap.geo.groups import Groups
from mousetrap.geo.point import Point
from mousetrap.geo.statistics import Statistics
from mousetrap.geo.summary import Summarizer
from mousetrap.geo.summary import summarise as summary_of
from support.batches import batches, batches_and_shuffles, summarise

groups = st.sampled_from([None, "a", "b"])
values = st.none() | st.floats(allow_nan=False, allow_infinity=False)


def test_a_batch_across_the_antimeridian() -> None:
    suva, apia = Point(0.0, 178.0, "west"), Point(0.0, -178.0, "east")

    found = summarise([suva, apia])

    assert found.count == 2
    assert found.centroid == Centroid(0.0, -180.0)
    assert found.most_northerly == apia
    assert found.bbox == BoundingBox(178.0, 0.0, -178.0, 0.0)


def test_antipodes_have_a_summary_without_centroid() -> None:
    found = summarise([Point(10.0, 20.0, "here"), Point(-10.0, -160.0, "there")])

    assert found.centroid is None
    assert found.most_northerly == Point(10.0, 20.0, "here")
    assert found.bbox == BoundingBox(-160.0, -10.0, 20.0, 10.0)


def test_an_empty_batch_is_refused() -> None:
    with pytest.raises(EmptyBatchError, match="at least one point"):
        summarise([])


def test_any_sequence_will_do() -> None:
    batch = (Point(1.0, 2.0), Point(3.0, 4.0))

    assert summarise(batch) == summarise(list(batch))


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (Point(50.1, 100), Point(50.0, -100)),
        # At the same latitude, the smallest longitude.
        (Point(50, -1), Point(50, 1)),
        (Point(50, 180, "z"), Point(50, -179.9, "a")),
        (Point(90, -5), Point(90, 5)),
        # At the same place, the name by code points, no name last.
        (Point(50, 7, "Åland"), Point(50, 7)),
        (Point(50, 7, ""), Point(50, 7, "A")),
        (Point(50, 7, "Z"), Point(50, 7, "a")),
        (Point(50, 7, "z"), Point(50, 7, "é")),
        (Point(50, 7, "京"), Point(50, 7, "🌍")),
        (Point(50, 180, "a"), Point(50, -180, "b")),
        (Point(50, -180, "a"), Point(50, 180, "a")),
    ],
)
def test_the_most_northerly_of_two(first: Point, second: Point) -> None:
    assert summarise([first, second]).most_northerly == first
    assert summarise([second, first]).most_northerly == first


@given(batches)
def test_the_most_northerly_comes_first_by_every_rule_in_turn(batch: list[Point]) -> None:
    # Stable sorts, the weakest rule first.
    ranked = sorted(batch, key=lambda p: p.lon)
    ranked.sort(key=lambda p: [ord(character) for character in p.name or ""])
    ranked.sort(key=lambda p: p.name is None)
    ranked.sort(key=lambda p: -180 if p.lon == 180 else p.lon)
    ranked.sort(key=lambda p: p.lat, reverse=True)

    assert summarise(batch).most_northerly == ranked[0]


@given(batches_and_shuffles)
def test_order_makes_no_difference(orders: tuple[list[Point], list[Point]]) -> None:
    batch, shuffled = orders

    assert summarise(shuffled) == summarise(batch)


@given(batches)
def test_doubling_the_batch_changes_nothing_but_the_count(batch: list[Point]) -> None:
    before, after = summarise(batch), summarise(batch * 2)

    assert (before.count, after.count) == (len(batch), 2 * len(batch))
    assert after.most_northerly == before.most_northerly
    assert after.bbox == before.bbox
    # Twice a float is exact, so not even the last bit of the centroid may move.
    assert after.centroid == before.centroid


@given(batches, st.data())
def test_a_batch_in_parts_has_the_summary_of_the_whole(
    points: list[Point], data: st.DataObject
) -> None:
    columns = data.draw(
        st.tuples(
            *[st.lists(it, min_size=len(points), max_size=len(points)) for it in (groups, values)]
        )
    )
    plain = Batch.of(points)
    whole = Batch(
        plain.latitudes, plain.longitudes, plain.names, (), tuple(columns[0]), tuple(columns[1])
    )
    cuts = sorted(data.draw(st.lists(st.integers(0, len(points)), max_size=3)))

    summarizer = Summarizer(grid=True)
    for begin, end in pairwise([0, *cuts, len(points)]):
        summarizer.add(whole.part(begin, end))

    assert summarizer.summary() == summary_of(whole, grid=True)


def test_points_of_a_part_without_groups_are_without_a_group() -> None:
    summarizer = Summarizer()
    summarizer.add(Batch((1.0, 2.0), (3.0, 4.0), (None, None)))
    summarizer.add(Batch((1.0,), (3.0,), (None,), (), ("quake",), (1.5,)))

    found = summarizer.summary()

    assert found.groups == Groups({"quake": 1}, others=0, without=2, distinct=1)
    assert found.values == Statistics(1, 1.5, 1.5, 1.5, 1.5)


def test_a_hundred_thousand_points_take_well_under_a_second() -> None:
    chance = random.Random(1)  # noqa: S311  # nothing secret about these points
    batch = [Point(chance.uniform(-89, 89), chance.uniform(-180, 180)) for _ in range(100_000)]

    started = time.process_time()
    found = summarise(batch)

    assert time.process_time() - started < 1.0
    assert found.count == 100_000
