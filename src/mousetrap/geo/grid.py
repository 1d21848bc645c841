"""The density of a batch of points: how many lie in each cell of a grid."""

from dataclasses import dataclass
from typing import Final

from mousetrap.geo.batch import Batch
from mousetrap.geo.point import MAX_LATITUDE, meridian

MAX_CELLS: Final = 256
"""The maximum number of cells with a point in them."""

LEVELS: Final = 13
FINEST: Final = MAX_LATITUDE / 2**LEVELS
"""The smallest width of a cell, in degrees: 1.2 km of a meridian."""

Counts = dict[tuple[int, int], int]


@dataclass(frozen=True, slots=True)
class Grid:
    """The numbers of points by cell, of those cells that have any.

    A cell is `degrees` wide and high. Each of `cells` is its southern and its western edge, in
    degrees WGS 84, and the number of points; they are sorted by the edges.
    """

    degrees: float
    cells: tuple[tuple[float, float, int], ...]


def grid_of(batch: Batch, *, limit: int = MAX_CELLS) -> Grid:
    """Return the numbers of points by cell, whatever the order of the points.

    The cells are as small as they can be with at most `limit` of them, which is 8 or more: 90
    degrees, or that halved up to LEVELS times. Their edges are multiples of their width, so those
    of one grid lie within those of a coarser one. A point on an edge belongs to the cell north or
    east of it; 180 is -180. The North Pole belongs to the northernmost cells, and the longitude of
    a pole is 0.
    """
    cells = Cells(limit)
    cells.add(batch)
    return cells.grid()


class Cells:
    """The numbers of points by cell of batches that come one after the other, as in `grid_of`."""

    def __init__(self, limit: int = MAX_CELLS) -> None:
        self._limit = limit
        self._counts: Counts = {}
        self._halvings = LEVELS

    def add(self, batch: Batch) -> None:
        """Count the points of a further batch."""
        counts, halvings = self._counts, self._halvings
        top = 2**LEVELS - 1
        for lat, lon in zip(batch.latitudes, batch.longitudes, strict=True):
            # Floor division of floats is exact, and shifting a negative number rounds down.
            row = min(int(lat // FINEST), top)
            column = 0 if abs(lat) == MAX_LATITUDE else int(meridian(lon) // FINEST)
            shift = LEVELS - halvings
            cell = row >> shift, column >> shift
            counts[cell] = counts.get(cell, 0) + 1
            while len(counts) > self._limit:
                counts, halvings = _coarser(counts), halvings - 1
        self._counts, self._halvings = counts, halvings

    def grid(self) -> Grid:
        """Return the grid of all points so far."""
        degrees = MAX_LATITUDE / 2**self._halvings
        return Grid(
            degrees,
            tuple(
                (row * degrees, column * degrees, count)
                for (row, column), count in sorted(self._counts.items())
            ),
        )


def _coarser(counts: Counts) -> Counts:
    """Return the counts of cells twice as wide and high."""
    merged: Counts = {}
    for (row, column), count in counts.items():
        cell = row >> 1, column >> 1
        merged[cell] = merged.get(cell, 0) + count
    return merged
