"""The bounding box of a batch of points."""

from collections.abc import Iterator, Sequence
from itertools import chain
from math import inf
from operator import sub
from typing import Final, NamedTuple

from mousetrap.geo.batch import Batch
from mousetrap.geo.point import MAX_LATITUDE, MAX_LONGITUDE, meridian
from mousetrap.geo.runs import Runs

# In degrees, 0.1 mm at the equator: far above the rounding of a difference of two longitudes,
# which must not decide between arcs of the same width, and far below any width that matters.
TIE: Final = 1e-9

SOME: Final = 10_000


class BoundingBox(NamedTuple):
    """A box after RFC 7946 section 5, in degrees WGS 84, in the order of its `bbox` member.

    It reaches from `west` eastwards to `east`; where `west` is greater than `east`, it crosses
    the antimeridian.
    """

    west: float
    south: float
    east: float
    north: float


def bounds_of(batch: Batch) -> BoundingBox:
    """Return the narrowest box that holds all of at least one point (RFC 7946 section 5).

    A box with a point on a pole spans all longitudes, -180 to 180 (5.3). Any other box omits the
    widest gap between neighbouring meridians, so it may cross the antimeridian (5.2). Among equally
    narrow boxes (to 1e-9 degrees) one that does not cross is chosen, then the one with the
    smallest west. 180 and -180 are the same meridian: as an east edge it is 180, otherwise -180;
    a batch on this meridian alone has both edges at -180.
    """
    extent = Extent()
    extent.add(batch)
    return extent.box()


class Extent:
    """The extent of batches that come one after the other: a number for each point."""

    def __init__(self) -> None:
        self._south, self._north = inf, -inf
        self._meridians = Runs()

    def add(self, batch: Batch) -> None:
        """Take a further batch of at least one point."""
        self._south = min(self._south, min(batch.latitudes) + 0.0)
        self._north = max(self._north, max(batch.latitudes) + 0.0)
        at_end = max(batch.longitudes) == MAX_LONGITUDE
        self._meridians.add(map(meridian, batch.longitudes) if at_end else batch.longitudes)

    def box(self) -> BoundingBox:
        """Return the box of at least one point, as `bounds_of` does."""
        south, north = self._south, self._north
        if south == -MAX_LATITUDE or north == MAX_LATITUDE:
            return BoundingBox(-MAX_LONGITUDE, south, MAX_LONGITUDE, north)
        west, east = _narrowest_arc(self._meridians.sorted())
        return BoundingBox(west, south, east, north)


def _narrowest_arc(meridians: Sequence[float]) -> tuple[float, float]:
    """Return the west and east end of the narrowest arc that holds sorted meridians below 180."""
    if meridians[0] == meridians[-1]:
        return meridians[0] + 0.0, meridians[0] + 0.0
    gap_across = meridians[0] + 2 * MAX_LONGITUDE - meridians[-1]
    # From west to east, so the first of the widest gaps leaves the arc with the smallest west;
    # that one does not cross the antimeridian if any of them does not.
    widest = max(gap_across, *map(max, _gaps(meridians))) - TIE
    index = 0
    if gap_across < widest:
        gaps = enumerate(chain.from_iterable(_gaps(meridians)), 1)
        index = next(index for index, gap in gaps if gap >= widest)
    west, east = meridians[index] + 0.0, meridians[index - 1] + 0.0
    return west, MAX_LONGITUDE if east == -MAX_LONGITUDE else east


def _gaps(meridians: Sequence[float]) -> Iterator[list[float]]:
    """Yield the gaps between neighbours, some at a time: there may be a million."""
    for start in range(0, len(meridians) - 1, SOME):
        some = meridians[start : start + SOME + 1]
        yield list(map(sub, some[1:], some))
