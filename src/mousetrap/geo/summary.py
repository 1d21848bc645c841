"""The summary of a batch of points."""

from dataclasses import dataclass
from typing import Any, Final

from mousetrap.geo.batch import Batch
from mousetrap.geo.bounds import BoundingBox, Extent
from mousetrap.geo.centroid import Centroid, Vectors
from mousetrap.geo.errors import EmptyBatchError
from mousetrap.geo.grid import Cells, Grid
from mousetrap.geo.groups import Counts, Groups
from mousetrap.geo.point import Point, meridian
from mousetrap.geo.runs import Runs
from mousetrap.geo.statistics import Statistics, statistics_in

ON_DEMAND: Final = ("groups", "values", "grid")


@dataclass(frozen=True, slots=True)
class Summary:
    """The summary of a batch: see `summarise`. The last members are None unless asked for."""

    count: int
    centroid: Centroid | None
    most_northerly: Point
    bbox: BoundingBox
    groups: Groups | None = None
    values: Statistics | None = None
    grid: Grid | None = None

    def members(self) -> dict[str, Any]:
        """Return its members by name, without those that nobody asked for."""
        names: tuple[str, ...] = self.__match_args__
        found = {name: getattr(self, name) for name in names}
        for name in ON_DEMAND:
            if found[name] is None:
                del found[name]
        return found


def summarise(batch: Batch, *, grid: bool = False) -> Summary:
    """Return the summary of a batch, whatever the order of its points.

    `count` is the number of points, repeated ones included. `centroid` and `bbox` follow the
    rules of `centroid_of` and `bounds_of`. `most_northerly` is the point with the highest
    latitude; of several, the one with the smallest longitude (180 counts as -180), then the one
    whose name comes first by code points, no name last. `groups` and `values` are there if the
    batch has these columns, and `grid` on demand.

    Raises EmptyBatchError when there is no point, and TooManyGroupsError.
    """
    summarizer = Summarizer(grid=grid)
    summarizer.add(batch)
    return summarizer.summary()


class Summarizer:
    """Summarises a batch that comes in parts, of which none is kept.

    The summary is the one that `summarise` returns of the whole, to the last bit. A point takes 8
    bytes, 16 with a value, and 40 more while runs of all points are merged.
    """

    def __init__(self, *, grid: bool = False) -> None:
        self._count = 0
        self._vectors, self._extent = Vectors(), Extent()
        self._northerly: Point | None = None
        self._groups = Counts()
        self._grouped = False
        self._values = Runs()
        self._measured = False
        self._cells = Cells() if grid else None

    def add(self, part: Batch) -> None:
        """Take the next points. Raises TooManyGroupsError."""
        if not part:
            return
        self._count += len(part)
        self._vectors.add(part.latitudes, part.longitudes)
        self._extent.add(part)
        top = max(part.latitudes)
        found = (part[index] for index, lat in enumerate(part.latitudes) if lat == top)
        rivals = () if self._northerly is None else (self._northerly,)
        self._northerly = min((*rivals, min(found, key=_rank)), key=_rank)
        self._grouped = self._grouped or bool(part.groups)
        self._groups.add(part.groups or [None] * len(part))
        self._measured = self._measured or bool(part.values)
        self._values.add(value + 0.0 for value in part.values if value is not None)
        if self._cells is not None:
            self._cells.add(part)

    def summary(self) -> Summary:
        """Return the summary of all points; raises EmptyBatchError when there is none."""
        if self._northerly is None:
            raise EmptyBatchError("a summary needs at least one point: check what the source gave")
        return Summary(
            count=self._count,
            centroid=self._vectors.centroid(),
            most_northerly=self._northerly,
            bbox=self._extent.box(),
            groups=self._groups.groups() if self._grouped else None,
            values=statistics_in(self._values) if self._measured else None,
            grid=None if self._cells is None else self._cells.grid(),
        )


def _rank(point: Point) -> tuple[float, float, bool, str, float]:
    # The longitude as given comes last: it tells namesakes at 180 and -180 apart.
    name = point.name
    return -point.lat, meridian(point.lon), name is None, name or "", point.lon
