"""The summary of a batch of points."""

from dataclasses import dataclass
from typing import Any, Final

from mousetrap.geo.batch import Batch
from mousetrap.geo.bounds import BoundingBox, bounds_of
from mousetrap.geo.centroid import Centroid, centroid_of
from mousetrap.geo.errors import EmptyBatchError
from mousetrap.geo.grid import Grid, grid_of
from mousetrap.geo.groups import Groups, groups_of
from mousetrap.geo.point import Point, meridian
from mousetrap.geo.statistics import Statistics, statistics_of

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

    Raises EmptyBatchError when there is no point.
    """
    if not batch:
        raise EmptyBatchError("a summary needs at least one point: check what the source gave")
    bbox = bounds_of(batch)
    northerly = [index for index, lat in enumerate(batch.latitudes) if lat == bbox.north]
    return Summary(
        count=len(batch),
        centroid=centroid_of(batch),
        most_northerly=min(map(batch.__getitem__, northerly), key=_rank),
        bbox=bbox,
        groups=groups_of(batch.groups) if batch.groups else None,
        values=statistics_of(batch.values) if batch.values else None,
        grid=grid_of(batch) if grid else None,
    )


def _rank(point: Point) -> tuple[float, bool, str, float]:
    # The longitude as given comes last: it tells namesakes at 180 and -180 apart.
    return meridian(point.lon), point.name is None, point.name or "", point.lon
