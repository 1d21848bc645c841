"""Valid points, and refused ones."""

import re
from dataclasses import FrozenInstanceError
from math import copysign, inf, nan, nextafter

import pytest
from hypothesis import given

from mousetrap.geo.errors import CoordinateError, GeoError
from mousetrap.geo.point import Point, meridian
from support.batches import latitudes, longitudes, names


@given(latitudes, longitudes, names)
def test_every_coordinate_in_range_makes_a_point(lat: float, lon: float, name: str | None) -> None:
    point = Point(lat, lon, name)

    assert (point.lat, point.lon, point.name) == (lat, lon, name)


@pytest.mark.parametrize("lat", [nan, inf, -inf, nextafter(90, inf), nextafter(-90, -inf), 1e300])
def test_a_latitude_out_of_range_is_refused_by_name_and_value(lat: float) -> None:
    with pytest.raises(CoordinateError, match=re.escape(f"latitude {lat!r} ")):
        Point(lat, 0.0)


@pytest.mark.parametrize("lon", [nan, inf, -inf, nextafter(180, inf), nextafter(-180, -inf), 360.0])
def test_a_longitude_out_of_range_is_refused_by_name_and_value(lon: float) -> None:
    with pytest.raises(CoordinateError, match=re.escape(f"longitude {lon!r} ")):
        Point(0.0, lon)


def test_swapped_coordinates_are_noticed_where_they_can_be() -> None:
    with pytest.raises(CoordinateError, match=r"latitude 151\.2 "):
        Point(151.2, -33.9)


def test_its_errors_are_errors_of_this_library_and_of_value() -> None:
    assert issubclass(CoordinateError, GeoError)
    assert issubclass(GeoError, ValueError)


def test_a_point_stays_as_it_was_made() -> None:
    point = Point(1.0, 2.0)

    with pytest.raises(FrozenInstanceError):
        point.lat = 99.0  # type: ignore[misc]  # the point of this test


def test_a_meridian_has_one_number() -> None:
    assert meridian(180.0) == meridian(-180.0) == -180.0
    assert copysign(1.0, meridian(-0.0)) == 1.0
    assert meridian(179.5) == 179.5
