from collections import Counter
from collections.abc import Sequence
from fractions import Fraction
from math import floor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mousetrap.geo import grid
from mousetrap.geo.batch import Batch
from mousetrap.geo.grid import LEVELS, MAX_CELLS, Grid
from mousetrap.geo.point import Point
from support.batches import batches, batches_and_shuffles, points

MANY = st.lists(points, min_size=1, max_size=80)
LEAST = 8
"""The number of cells of the coarsest grid."""


def grid_of(batch: Sequence[Point], limit: int = MAX_CELLS) -> Grid:
    return grid.grid_of(Batch.of(batch), limit=limit)


def counted(batch: Sequence[Point], degrees: Fraction) -> Counter[tuple[float, float]]:
    """Return the number of points of each cell, by exact fractions and by the stated rules."""
    found: Counter[tuple[float, float]] = Counter()
    for point in batch:
        lat, lon = Fraction(point.lat), Fraction(point.lon)
        south = floor(lat / degrees) * degrees if lat < 90 else 90 - degrees
        west = floor(lon / degrees) * degrees if lon < 180 else Fraction(-180)
        found[float(south), float(west if abs(lat) < 90 else 0)] += 1
    return found


def test_one_point_has_a_cell_of_the_smallest_width() -> None:
    found = grid_of([Point(48.85, 2.35, "Paris")])
    [(south, west, count)] = found.cells
    assert (found.degrees, count) == (90 / 2**LEVELS, 1)
    assert 0 <= 48.85 - south < found.degrees
    assert 0 <= 2.35 - west < found.degrees


@pytest.mark.parametrize(
    ("point", "cell"),
    [
        (Point(90.0, 123.0), (0.0, 0.0)),
        (Point(-90.0, 123.0), (-90.0, 0.0)),
        (Point(0.0, 180.0), (0.0, -180.0)),
        (Point(-1e-300, -1e-300), (-90.0, -90.0)),
        (Point(0.0, -0.0), (0.0, 0.0)),
        (Point(89.99999999999999, 179.99999999999997), (0.0, 90.0)),
    ],
)
def test_poles_edges_and_the_antimeridian_have_one_cell_each(
    point: Point, cell: tuple[float, float]
) -> None:
    # All eight cells of the coarsest grid, and one more beside one of them.
    everywhere = [Point(lat, lon) for lat in (-45, 45) for lon in (-135, -45, 45, 135)]
    found = grid_of([*everywhere, Point(44.0, 44.0), *[point] * 5], limit=LEAST)
    assert found.degrees == 90
    counts = {(south, west): count for south, west, count in found.cells}
    assert counts[cell] >= 6


@given(MANY, st.integers(LEAST, 40))
def test_the_cells_are_the_smallest_of_which_there_are_not_too_many(
    batch: list[Point], limit: int
) -> None:
    found = grid_of(batch, limit)
    counts = {(south, west): count for south, west, count in found.cells}
    degrees = Fraction(found.degrees)
    assert counts == counted(batch, degrees)
    assert len(counts) <= limit
    assert list(found.cells) == sorted(found.cells)
    if found.degrees > 90 / 2**LEVELS:
        assert len(counted(batch, degrees / 2)) > limit


@given(batches_and_shuffles)
def test_the_order_of_the_points_changes_nothing(pair: tuple[list[Point], list[Point]]) -> None:
    batch, shuffled = pair
    assert grid_of(batch, LEAST) == grid_of(shuffled, LEAST)


@given(batches)
def test_every_point_counts_once(batch: list[Point]) -> None:
    assert sum(count for _, _, count in grid_of(batch).cells) == len(batch)
