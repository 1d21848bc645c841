import pytest
from hypothesis import given

from mousetrap.geo.batch import Batch
from mousetrap.geo.errors import CoordinateError
from mousetrap.geo.point import Point
from support.batches import batches

NAN, INFINITY = float("nan"), float("inf")


@given(batches)
def test_a_batch_gives_back_its_points(points: list[Point]) -> None:
    batch = Batch.of(iter(points))

    assert [*batch] == points
    assert [batch[index] for index in range(len(batch))] == points
    assert [*batch.part(1, 3)] == points[1:3]


@pytest.mark.parametrize(
    ("latitudes", "longitudes", "message"),
    [
        ((0.0, 90.5), (0.0, 0.0), "latitude 90.5 of point 1 is not between -90 and 90"),
        ((0.0, 0.0), (-180.5, 0.0), "longitude -180.5 of point 0 is not between -180 and 180"),
        ((0.0, NAN), (0.0, 0.0), "latitude nan of point 1"),
        ((0.0, 0.0), (NAN, 0.0), "longitude nan of point 0"),
        ((INFINITY, 0.0), (0.0, 0.0), "latitude inf of point 0"),
        ((0.0, 0.0), (0.0, -INFINITY), "longitude -inf of point 1"),
    ],
)
def test_no_coordinate_is_off_the_earth(
    latitudes: tuple[float, ...], longitudes: tuple[float, ...], message: str
) -> None:
    with pytest.raises(CoordinateError, match=message):
        Batch(latitudes, longitudes, (None, None))


@pytest.mark.parametrize(("latitudes", "longitudes", "names"), [(0, 1, 1), (1, 0, 1), (1, 1, 0)])
def test_each_point_has_an_entry_in_each_column(
    latitudes: int, longitudes: int, names: int
) -> None:
    with pytest.raises(ValueError, match="each point needs one of each"):
        Batch((0.0,) * latitudes, (0.0,) * longitudes, (None,) * names)
