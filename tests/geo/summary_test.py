"""What a batch comes to."""

import random
import time

import pytest
from hypothesis import given

from mousetrap.geo.bounds import BoundingBox
from mousetrap.geo.centroid import Centroid
from mousetrap.geo.errors import EmptyBatchError
from mousetrap.geo.point import Point
from support.batches import batches, batches_and_shuffles, summarise


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


def test_a_hundred_thousand_points_take_well_under_a_second() -> None:
    chance = random.Random(1)  # noqa: S311  # nothing secret about these points
    batch = [Point(chance.uniform(-89, 89), chance.uniform(-180, 180)) for _ in range(100_000)]

    started = time.process_time()
    found = summarise(batch)

    assert time.process_time() - started < 1.0
    assert found.count == 100_000
