"""The bounding box after RFC 7946 section 5."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mousetrap.geo import bounds
from mousetrap.geo.batch import Batch
from mousetrap.geo.bounds import BoundingBox
from mousetrap.geo.point import Point
from support.batches import (
    STEPS,
    batches,
    batches_and_shuffles,
    exact_longitudes,
    longitudes,
    points,
    poleless_batches,
    poleless_exact_batches,
    rotate,
)


def bounds_of(points: Sequence[Point]) -> BoundingBox:
    return bounds.bounds_of(Batch.of(points))


def width(box: BoundingBox) -> float:
    return box.east - box.west + (360 if box.west > box.east else 0)


def narrowest(batch: Sequence[Point]) -> tuple[float, float]:
    """Try every point as the west edge, in whole steps: west and east by the stated rules."""
    turn = 360 * STEPS
    choices = []
    for start in batch:
        west = round(start.lon * STEPS) % turn
        span = max((round(p.lon * STEPS) - west) % turn for p in batch)
        if west >= turn // 2:
            west -= turn
        crosses = west + span > turn // 2
        choices.append((span, crosses, west))
    span, crosses, west = min(choices)
    return west / STEPS, (west + span - (turn if crosses else 0)) / STEPS


@pytest.mark.parametrize(
    ("lons", "west", "east"),
    [
        ([5], 5, 5),
        ([-10, 0, 30], -10, 30),
        ([179, -179], 179, -179),
        ([170, -170, 175], 170, -170),
        # RFC 7946, 5.2: the Fiji archipelago.
        ([177, -178], 177, -178),
        # 180 and -180 are one meridian, written to fit the side on which the others are.
        ([170, 180], 170, 180),
        ([170, -180], 170, 180),
        ([-170, 180], -180, -170),
        ([-170, -180], -180, -170),
        ([180], -180, -180),
        ([180, -180], -180, -180),
        ([170, 180, -170], 170, -170),
        # Equally narrow: rather not across the antimeridian, then the smallest west.
        ([90, -90], -90, 90),
        ([0, 180], -180, 0),
        ([0, 120, -120], -120, 120),
        ([45, 135, -45, -135], -135, 135),
        ([-150, -60, 30, 120], -150, 120),
        ([60, -60, 180], -180, 60),
        # Equally narrow but for the rounding of these decimals.
        ([0.3, -179.7], -179.7, 0.3),
        ([0.2, 120.2, -119.8], -119.8, 120.2),
        # All but equally narrow: the narrower.
        ([90, -90.00001], 90, -90.00001),
        ([0.00001, 120, -120], 0.00001, -120),
        # Dense on both sides of Greenwich, one far out.
        ([-100, -50, 0, 50, 100, 150], -100, 150),
    ],
)
def test_worked_examples(lons: list[float], west: float, east: float) -> None:
    found = bounds_of([Point(10, lon) for lon in lons])

    assert found == BoundingBox(west, 10, east, 10)


def test_south_and_north_are_the_extreme_latitudes() -> None:
    assert bounds_of([Point(3, 1), Point(-7, 2), Point(89.5, 1)]) == BoundingBox(1, -7, 2, 89.5)


@pytest.mark.parametrize(
    ("places", "south", "north"),
    [
        ([(90, 33)], 90, 90),
        ([(-90, 33)], -90, -90),
        ([(60, 10), (90, 0), (70, 20)], 60, 90),
        ([(-90, 10), (-60, 10)], -90, -60),
        ([(-90, 0), (90, 0)], -90, 90),
    ],
)
def test_a_box_with_a_pole_spans_all_longitudes(
    places: list[tuple[float, float]], south: float, north: float
) -> None:
    assert bounds_of([Point(*place) for place in places]) == BoundingBox(-180, south, 180, north)


@given(batches, st.sampled_from([90.0, -90.0]), longitudes)
def test_one_point_on_a_pole_is_enough(batch: list[Point], lat: float, lon: float) -> None:
    found = bounds_of([*batch, Point(lat, lon)])

    assert (found.west, found.east) == (-180, 180)
    assert lat in (found.south, found.north)


@given(points.filter(lambda point: abs(point.lat) < 90))
def test_the_box_of_one_point_is_the_point(point: Point) -> None:
    lon = -180.0 if point.lon == 180 else point.lon

    assert bounds_of([point]) == BoundingBox(lon, point.lat, lon, point.lat)


@given(batches)
def test_the_box_holds_every_point_and_is_tight_in_latitude(batch: list[Point]) -> None:
    box = bounds_of(batch)

    assert all(box.south <= p.lat <= box.north for p in batch)
    assert {box.south, box.north} <= {p.lat for p in batch}
    for p in batch:
        turns = [p.lon, 180.0, -180.0] if abs(p.lon) == 180 else [p.lon]
        if box.west <= box.east:
            assert any(box.west <= lon <= box.east for lon in turns)
        else:
            assert any(lon >= box.west or lon <= box.east for lon in turns)


@given(poleless_exact_batches)
def test_the_box_is_the_one_that_brute_force_finds(batch: list[Point]) -> None:
    box = bounds_of(batch)

    assert (box.west, box.east) == narrowest(batch)


@given(poleless_batches)
def test_no_box_is_narrower(batch: list[Point]) -> None:
    best = min(max((p.lon - start.lon) % 360 for p in batch) for start in batch)

    assert width(bounds_of(batch)) <= best + 2e-9


@given(poleless_exact_batches, exact_longitudes)
def test_turning_the_earth_keeps_the_width(batch: list[Point], angle: float) -> None:
    assert width(bounds_of(rotate(batch, angle))) == width(bounds_of(batch))


@given(poleless_exact_batches)
def test_180_and_minus_180_are_the_same_meridian(batch: list[Point]) -> None:
    renamed = [Point(p.lat, -p.lon if abs(p.lon) == 180 else p.lon) for p in batch]

    assert bounds_of(renamed) == bounds_of(batch)


@given(batches_and_shuffles)
def test_order_makes_no_difference(orders: tuple[list[Point], list[Point]]) -> None:
    batch, shuffled = orders

    assert repr(bounds_of(shuffled)) == repr(bounds_of(batch))


def test_zero_has_no_sign() -> None:
    origin = Point(-0.0, -0.0)

    assert repr(bounds_of([origin])) == repr(BoundingBox(0.0, 0.0, 0.0, 0.0))


@given(batches, st.integers(2, 4))
def test_repeating_the_batch_makes_no_difference(batch: list[Point], times: int) -> None:
    assert bounds_of(batch * times) == bounds_of(batch)
