"""A cache of the newest batch of each source, for responses of status 304."""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from mousetrap.geo.point import Point
from mousetrap.sources.http.download import NO_VERSION, Version

MAX_POINTS: Final = 200_000


@dataclass(frozen=True, slots=True)
class Batch:
    """The points of a source at one version."""

    version: Version = NO_VERSION
    points: tuple[Point, ...] = ()


class Batches:
    """A least-recently-used cache of batches by source.

    It holds at most `max_points` points in total, about 200 bytes each.
    """

    def __init__(self, max_points: int = MAX_POINTS) -> None:
        self._max_points = max_points
        self._batches: OrderedDict[str, Batch] = OrderedDict()

    def find(self, source: str) -> Batch:
        """Return the cached batch of a source, or an empty one without a version."""
        if source in self._batches:
            self._batches.move_to_end(source)
        return self._batches.get(source, Batch())

    def keep(self, source: str, batch: Batch) -> None:
        """Cache a batch in place of the earlier one of its source."""
        self._batches[source] = batch
        self._batches.move_to_end(source)
        while sum(len(cached.points) for cached in self._batches.values()) > self._max_points:
            self._batches.popitem(last=False)
