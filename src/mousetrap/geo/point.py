"""A point on the Earth."""

from dataclasses import dataclass
from typing import Final

from mousetrap.geo.errors import CoordinateError

MAX_LATITUDE: Final = 90.0
MAX_LONGITUDE: Final = 180.0
MAX_NAME: Final = 200
"""The maximum number of characters in the name of a point: sources cut, messages refuse."""


@dataclass(frozen=True, slots=True)
class Point:
    """A place, in degrees WGS 84: `lat` from -90 to 90 (north), `lon` from -180 to 180 (east).

    Raises CoordinateError for any other value, so every Point is valid.
    """

    lat: float
    lon: float
    name: str | None = None

    def __post_init__(self) -> None:
        # A comparison with NaN is false, so these two refuse what is not finite as well.
        if not -MAX_LATITUDE <= self.lat <= MAX_LATITUDE:
            raise CoordinateError(f"latitude {self.lat!r} is not between -90 and 90 degrees")
        if not -MAX_LONGITUDE <= self.lon <= MAX_LONGITUDE:
            raise CoordinateError(f"longitude {self.lon!r} is not between -180 and 180 degrees")


def meridian(lon: float) -> float:
    """Return the one number for the meridian at `lon` degrees: -180 for 180, 0.0 for -0.0."""
    return -MAX_LONGITUDE if lon == MAX_LONGITUDE else lon + 0.0
