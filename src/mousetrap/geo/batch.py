"""A batch of points, kept as columns."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from math import isfinite
from typing import Any, Self

from mousetrap.geo.errors import CoordinateError
from mousetrap.geo.point import MAX_LATITUDE, MAX_LONGITUDE, Point


@dataclass(frozen=True, slots=True)
class Batch:
    """Points in the order of their source: entry i of each column belongs to point i.

    Degrees WGS 84; a point without a name has None. A point costs two numbers and its name, where
    an object each would cost twice as much. It may be empty.

    `ids` tell the features of a source apart, `groups` are the values of the property that its
    points are counted by, and `values` those of the property that is measured; a column that the
    source is not asked for is empty. Raises CoordinateError, as Point does, and ValueError when the
    columns differ in length or a value is not finite.
    """

    latitudes: tuple[float, ...]
    longitudes: tuple[float, ...]
    names: tuple[str | None, ...]
    ids: tuple[str | None, ...] = ()
    groups: tuple[str | None, ...] = ()
    values: tuple[float | None, ...] = ()

    def __post_init__(self) -> None:
        if not len(self.latitudes) == len(self.longitudes) == len(self.names):
            raise ValueError(
                f"{len(self.latitudes)} latitudes, {len(self.longitudes)} longitudes and"
                f" {len(self.names)} names: each point needs one of each"
            )
        for what, column in (("ids", self.ids), ("groups", self.groups), ("values", self.values)):
            if column and len(column) != len(self.latitudes):
                raise ValueError(f"{len(self.latitudes)} points and {len(column)} {what}")
        _check(self.latitudes, MAX_LATITUDE, "latitude")
        _check(self.longitudes, MAX_LONGITUDE, "longitude")
        if not all(value is None or isfinite(value) for value in self.values):
            raise ValueError("a value is not finite")

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
            self.latitudes[start:stop],
            self.longitudes[start:stop],
            self.names[start:stop],
            self.ids[start:stop],
            self.groups[start:stop],
            self.values[start:stop],
        )

    def with_columns(self, *, ids: bool, groups: bool, values: bool) -> "Batch":
        """Return these points with the columns that are wanted; None stands in those they lack."""
        if (not ids or self.ids) and (not groups or self.groups) and (not values or self.values):
            return self
        nothing: Any = (None,) * len(self)
        return replace(
            self,
            ids=self.ids or (nothing if ids else ()),
            groups=self.groups or (nothing if groups else ()),
            values=self.values or (nothing if values else ()),
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
