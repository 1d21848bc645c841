"""A batch of points, kept as columns."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Self

from mousetrap.geo.errors import CoordinateError
from mousetrap.geo.point import MAX_LATITUDE, MAX_LONGITUDE, Point


@dataclass(frozen=True, slots=True)
class Batch:
    """Points in the order of their source: entry i of each column belongs to point i.

    Degrees WGS 84; a point without a name has None. A point costs two numbers and its name, where
    an object each would cost twice as much. Raises CoordinateError, as Point does, and ValueError
    when the columns differ in length. It may be empty.
    """

    latitudes: tuple[float, ...]
    longitudes: tuple[float, ...]
    names: tuple[str | None, ...]

    def __post_init__(self) -> None:
        if not len(self.latitudes) == len(self.longitudes) == len(self.names):
            raise ValueError(
                f"{len(self.latitudes)} latitudes, {len(self.longitudes)} longitudes and"
                f" {len(self.names)} names: each point needs one of each"
            )
        _check(self.latitudes, MAX_LATITUDE, "latitude")
        _check(self.longitudes, MAX_LONGITUDE, "longitude")

    @classmethod
    def of(cls, points: Iterable[Point]) -> Self:
        """Return a batch of these points; of an iterator, one at a time is in memory."""
        latitudes: list[float] = []
        longitudes: list[float] = []
        names: list[str | None] = []
        for point in points:
            latitudes.append(point.lat)
            longitudes.append(point.lon)
            names.append(point.name)
        return cls(tuple(latitudes), tuple(longitudes), tuple(names))

    def __len__(self) -> int:
        return len(self.latitudes)

    def __getitem__(self, index: int) -> Point:
        return Point(self.latitudes[index], self.longitudes[index], self.names[index])

    def __iter__(self) -> Iterator[Point]:
        return map(Point, self.latitudes, self.longitudes, self.names)

    def part(self, start: int, stop: int) -> "Batch":
        """Return the points from `start` up to, but not including, `stop`."""
        return Batch(
            self.latitudes[start:stop], self.longitudes[start:stop], self.names[start:stop]
        )


def _check(column: Sequence[float], limit: float, what: str) -> None:
    # A sum with NaN in it is NaN, and no comparison finds it.
    if not column or (-limit <= min(column) and max(column) <= limit and isfinite(sum(column))):
        return
    index, value = next(
        (index, value) for index, value in enumerate(column) if not -limit <= value <= limit
    )
    raise CoordinateError(
        f"{what} {value!r} of point {index} is not between -{limit:g} and {limit:g} degrees"
    )
