"""The centroid on the sphere."""

import cmath
from collections.abc import Sequence
from math import atan2, cos, degrees, fsum, hypot, radians, sin

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from mousetrap.geo import centroid
from mousetrap.geo.batch import Batch
from mousetrap.geo.centroid import Centroid
from mousetrap.geo.point import Point
from support.batches import (
    batches,
    batches_and_shuffles,
    exact_batches,
    exact_longitudes,
    exact_points,
    points,
    rotate,
    wrap,
)

TOLERANCE = 1e-9


def centroid_of(points: Sequence[Point]) -> Centroid | None:
    return centroid.centroid_of(Batch.of(points))


def length_and_reach(batch: Sequence[Point]) -> tuple[float, float]:
    """How long the mean vector is, and how far it ends from the Earth's axis."""
    across = sum(cmath.rect(cos(radians(p.lat)), radians(p.lon)) for p in batch) / len(batch)
    along = fsum(sin(radians(p.lat)) for p in batch) / len(batch)
    return hypot(abs(across), along), abs(across)


def has_sharp_centroid(batch: Sequence[Point]) -> bool:
    """Whether rounding moves the centroid by far less than TOLERANCE, in either coordinate."""
    return min(length_and_reach(batch)) > 1e-3


def assert_close(found: Centroid | None, lat: float, lon: float) -> None:
    assert found is not None
    assert found.lat == pytest.approx(lat, abs=TOLERANCE)
    assert wrap(found.lon - lon) == pytest.approx(0, abs=TOLERANCE)


@pytest.mark.parametrize(
    ("places", "lat", "lon"),
    [
        ([(0, 0), (0, 90)], 0.0, 45.0),
        ([(0, 0), (90, 0)], 45.0, 0.0),
        # (1, 1, 1)/3: the latitude is atan(1/√2).
        ([(0, 0), (0, 90), (90, 0)], 35.264389682754654, 45.0),
        # (1/4, 1/4, √3/2): the latitude is atan(√6), well north of both.
        ([(60, 0), (60, 90)], 67.79234570140351, 45.0),
        ([(0, 179), (0, -179)], 0.0, -180.0),
        # (-3 cos 10°, -sin 10°): atan(tan(10°)/3) past the antimeridian.
        ([(0, 170), (0, -170), (0, -170)], 0.0, -180 + 3.36372741162301),
        ([(10, 20), (-10, 20)], 0.0, 20.0),
        # The mean vector lies on the axis: at a pole, where the longitude is given as 0.
        ([(80, 0), (80, 180)], 90.0, 0.0),
        ([(-80, 10), (-80, 130), (-80, -110)], -90.0, 0.0),
        ([(90, 123)], 90.0, 0.0),
        ([(-90, 5), (-90, -170)], -90.0, 0.0),
    ],
)
def test_worked_examples(places: list[tuple[float, float]], lat: float, lon: float) -> None:
    assert_close(centroid_of([Point(*place) for place in places]), lat, lon)


@pytest.mark.parametrize(
    "places",
    [
        [(0, 0), (0, 180)],
        [(90, 0), (-90, 77)],
        [(30, 40), (-30, -140)],
        [(0, 0), (0, 120), (0, -120)],
        [(90, 0), (-90, 0), (0, 0), (0, 90), (0, 180), (0, -90)],
    ],
)
def test_points_that_balance_each_other_have_no_centroid(places: list[tuple[float, float]]) -> None:
    assert centroid_of([Point(*place) for place in places]) is None


@given(exact_points)
def test_antipodes_have_no_centroid(point: Point) -> None:
    antipode = Point(-point.lat, wrap(point.lon + 180))

    assert centroid_of([point, antipode]) is None


def test_the_centroid_vanishes_below_a_mean_vector_of_a_billionth() -> None:
    # Half of the angle by which two points fall short of being antipodes is the length.
    short_of = degrees(2e-9)

    assert centroid_of([Point(0, 0), Point(0, 180 - 0.9 * short_of)]) is None
    assert centroid_of([Point(0, 0), Point(0, 180 - 1.1 * short_of)]) is not None


@given(points)
def test_the_centroid_of_one_point_is_the_point(point: Point) -> None:
    found = centroid_of([point])

    assert_close(found, point.lat, point.lon if abs(point.lat) < 90 - 1e-11 else 0.0)


@given(batches)
def test_the_centroid_is_the_direction_of_the_mean_vector(batch: list[Point]) -> None:
    assume(has_sharp_centroid(batch))
    # The same definition by another road: longitude as the phase of a complex number.
    across = sum(cmath.rect(cos(radians(p.lat)), radians(p.lon)) for p in batch)
    along = sum(sin(radians(p.lat)) for p in batch)

    lat, lon = degrees(atan2(along, abs(across))), degrees(cmath.phase(across))
    assert_close(centroid_of(batch), lat, lon)


@given(batches)
@example([Point(0.0, 180.0)])
def test_the_centroid_is_a_place_and_names_its_meridian_in_one_way(batch: list[Point]) -> None:
    found = centroid_of(batch)

    assume(found is not None)
    assert found is not None
    assert -90 <= found.lat <= 90
    assert -180 <= found.lon < 180


@given(exact_batches, exact_longitudes)
def test_turning_the_earth_turns_the_longitude_alone(batch: list[Point], angle: float) -> None:
    assume(has_sharp_centroid(batch))
    before = centroid_of(batch)

    assert before is not None
    assert_close(centroid_of(rotate(batch, angle)), before.lat, before.lon + angle)


@given(batches)
def test_mirroring_at_the_equator_mirrors_the_latitude_alone(batch: list[Point]) -> None:
    before = centroid_of(batch)
    after = centroid_of([Point(-p.lat, p.lon) for p in batch])

    assert after == (before and Centroid(-before.lat, before.lon))


@given(batches_and_shuffles)
def test_order_makes_no_difference(orders: tuple[list[Point], list[Point]]) -> None:
    batch, shuffled = orders

    assert repr(centroid_of(shuffled)) == repr(centroid_of(batch))


def test_order_makes_no_difference_even_to_what_rounding_swallows() -> None:
    # The crumbs reach the last bit of the latitude only when they are added before the rest.
    rest, crumbs = Point(1e-20, 0.0), [Point(1e-20 * 2**-54, 0.0)] * 8
    north, south = Point(60.0, 0.0), Point(-60.0, 0.0)

    last = centroid_of([north, rest, *crumbs, south])
    first = centroid_of([north, *crumbs, rest, south])
    assert last == first


@given(batches, st.integers(2, 5))
def test_repeating_the_batch_makes_no_difference(batch: list[Point], times: int) -> None:
    assume(has_sharp_centroid(batch))
    before = centroid_of(batch)

    assert before is not None
    assert_close(centroid_of(batch * times), before.lat, before.lon)
