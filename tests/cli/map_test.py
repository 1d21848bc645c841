"""A map in the terminal."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mousetrap.cli.map import BLANK, MAX_HEIGHT, MIN_HEIGHT, WIDTH, draw
from mousetrap.geo.batch import Batch
from mousetrap.geo.point import Point
from support.batches import points


def dots(lines: list[str]) -> list[tuple[int, int]]:
    """Return the characters with a dot, as columns and rows."""
    return [
        (column, row)
        for row, line in enumerate(lines[1:-1])
        for column, it in enumerate(line[1:-1])
        if ord(it) != BLANK
    ]


@given(st.lists(points, min_size=1, max_size=20).map(Batch.of))
def test_a_map_has_every_point_within_its_frame(batch: Batch) -> None:
    lines = draw(batch)

    assert {len(line) for line in lines} == {WIDTH + 2}
    assert MIN_HEIGHT <= len(lines) - 2 <= MAX_HEIGHT
    assert 1 <= len(dots(lines)) <= len(batch)


def test_north_is_at_the_top_and_east_on_the_right() -> None:
    lines = draw(Batch.of([Point(10, 20), Point(-10, 40)]))

    [(left, top), (right, bottom)] = dots(lines)
    assert (left, top) < (right, bottom)
    assert "10." in lines[0]
    assert "° S" in lines[-1]


@pytest.mark.parametrize(("west", "east"), [(178.0, -170.0), (10.0, 22.0)])
def test_points_beside_the_antimeridian_are_beside_each_other(west: float, east: float) -> None:
    lines = draw(Batch.of([Point(0, west), Point(5, east)]))

    [(right, _), (left, _)] = dots(lines)
    assert left == 0
    assert right == WIDTH - 1
