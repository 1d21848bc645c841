"""Collects the points of a batch, and counts what is left out of it."""

from array import array
from collections import Counter
from typing import Final

from mousetrap.geo.batch import Batch
from mousetrap.geo.errors import CoordinateError
from mousetrap.geo.point import MAX_LATITUDE, MAX_LONGITUDE, Point
from mousetrap.geo.report import MAX_NOTE, MAX_NOTES, MAX_REASONS, Skipped
from mousetrap.sources.errors import BadCoordinatesError, NoPointsError, TooManyPointsError

OTHERS: Final = "other reasons"


class Collector:
    """Collects at most `max_points` points, of one answer or of several.

    `place` names a feature by its index in an answer, such as "features[{}]".
    """

    def __init__(self, *, max_points: int, place: str = "features[{}]") -> None:
        self._max_points = max_points
        self._place = place
        self._page = ""
        self._latitudes = array("d")
        self._longitudes = array("d")
        self._names: list[str | None] = []
        self._reasons: Counter[str] = Counter()
        self._first: list[str] = []
        self._warnings: dict[str, None] = {}

    def __len__(self) -> int:
        return len(self._latitudes)

    def begin_page(self, number: int) -> None:
        """Name features by the page that they are on, too."""
        self._page = f"page {number}: "

    def where(self, index: int) -> str:
        """Return the name of a feature for messages."""
        return self._page + self._place.format(index)

    def add(self, index: int, lat: float, lon: float, name: str | None = None) -> None:
        """Add a point, in degrees WGS 84.

        Raises TooManyPointsError and BadCoordinatesError.
        """
        if not (abs(lat) <= MAX_LATITUDE and abs(lon) <= MAX_LONGITUDE):
            try:
                Point(lat, lon)
            except CoordinateError as error:
                where = self.where(index)
                raise BadCoordinatesError(f"{where}: {error}: correct the feed") from error
        if len(self) == self._max_points:
            raise TooManyPointsError(
                f"the answer has more than {self._max_points} points: raise max_points of this"
                " source, or choose a smaller feed"
            )
        self._latitudes.append(lat)
        self._longitudes.append(lon)
        self._names.append(name)

    def leave_out(self, index: int, reason: str) -> None:
        """Count a feature that is not a point of the batch; `reason` quotes nothing of it."""
        if reason not in self._reasons and len(self._reasons) >= MAX_REASONS - 1:
            reason = OTHERS
        self._reasons[reason] += 1
        if len(self._first) < MAX_NOTES:
            self._first.append(f"{self.where(index)}: {reason}"[:MAX_NOTE])

    def warn(self, text: str) -> None:
        """Add a sentence for the operator of the source, once."""
        if len(self._warnings) < MAX_NOTES:
            self._warnings[text[:MAX_NOTE]] = None

    def batch(self) -> Batch:
        """Return the points in the order in which they were added; raises NoPointsError."""
        if not self._latitudes:
            raise NoPointsError(
                f"the answer has {self._reasons.total()} features and none has a geometry: check"
                " whether the feed is meant to be empty, and try again when it is not"
            )
        return Batch(tuple(self._latitudes), tuple(self._longitudes), tuple(self._names))

    def skipped(self) -> Skipped:
        """Return what was left out so far."""
        return Skipped(self._reasons.total(), dict(self._reasons), tuple(self._first))

    def warnings(self) -> tuple[str, ...]:
        """Return the warnings so far."""
        return tuple(self._warnings)
