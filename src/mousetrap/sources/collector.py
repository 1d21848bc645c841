"""Collects the points of a batch, and counts what is left out of it."""

from array import array
from collections import Counter
from math import isnan, nan, remainder
from typing import Final

from mousetrap.geo.batch import Batch
from mousetrap.geo.errors import CoordinateError
from mousetrap.geo.point import MAX_LATITUDE, MAX_LONGITUDE, Point
from mousetrap.geo.report import MAX_NOTE, MAX_NOTES, MAX_REASONS, Skipped
from mousetrap.settings.source_kinds import MaxBad
from mousetrap.sources import crs
from mousetrap.sources.crs import Crs
from mousetrap.sources.errors import (
    BadCoordinatesError,
    NoPointsError,
    SourceError,
    TooLargeError,
    TooManyPointsError,
    WrongCrsError,
)
from mousetrap.sources.packed import PIECE, PackedBatch, pack

MAX_BYTES: Final = 8 * 1024 * 1024
PACKED: Final = 4
"""The maximum bytes of all pieces for one byte that the feed may have.

A row of two short numbers takes a little less. The positions of a MultiPoint share a name, and each
of the points has it.
"""

OTHERS: Final = "other reasons"
NO_COORDINATES: Final = "no coordinates"
NO_GEOMETRY: Final = "no geometry"
NOT_NUMBERS: Final = "coordinates are not numbers"
OUT_OF_RANGE: Final = "coordinates are out of range"

TURN: Final = 360.0
ROUNDING: Final = 1e-9
"""How far, in degrees, the rounding of a server may take a coordinate out of its range: 0.1 mm."""

MAX_GROUPS_SHARED: Final = 1000


class Collector:
    """Collects at most `max_points` points, of one answer or of several.

    Those of a large batch are packed on the way, PIECE after PIECE.

    `location` names a feature by its index in an answer, such as "features[{}]".

    `max_bad` is how many features may be bad, that is, have invalid coordinates or be unreadable: a
    number, or a share of those with coordinates such as "5%". Bad ones are left out and counted.
    With 0, the first of them is an error: a feed that begins to send them has changed, and a
    summary of the rest could be wrong without anybody knowing.
    """

    def __init__(
        self,
        *,
        max_points: int,
        max_bad: MaxBad = 0,
        max_bytes: int = MAX_BYTES,
        location: str = "features[{}]",
    ) -> None:
        self._max_points = max_points
        self._max_bad = max_bad
        self._location = location
        self._page = ""
        self._latitudes = array("d")
        self._longitudes = array("d")
        self._names: list[str | None] = []
        self._ids: list[str | None] = []
        self._groups: list[str | None] = []
        self._values = array("d")
        self._shared: dict[str, str] = {}
        self._pieces: list[bytes] = []
        self._points: list[int] = []
        self._packed = 0
        self._bytes_remaining = PACKED * max_bytes
        self._most_here = min(PIECE, max_points)
        self._named = False
        self._found: set[str] = set()
        self._crs: Crs | None = None
        self._bad = 0
        self._reasons: Counter[str] = Counter()
        self._bad_notes: list[str] = []
        self._notes: list[str] = []
        self._warnings: dict[str, None] = {}
        self._missing: dict[str, str] = {}

    def __len__(self) -> int:
        return self._packed + len(self._latitudes)

    def begin_page(self, number: int) -> None:
        """Name the page, too, in the names of features from here on."""
        self._page = f"page {number}: "

    @property
    def remaining(self) -> int:
        """How many more points may be added."""
        return self._max_points - len(self)

    def where(self, index: int) -> str:
        """Return the name of a feature for messages."""
        return self._page + self._location.format(index)

    def declare(self, system: Crs) -> None:
        """Remember the declared reference system for messages."""
        self._crs = system
        if system.latitude_first:
            self.warn(
                f"the feed declares {system.name}, which has latitude first after its authority;"
                " positions are read as longitude, latitude, as GeoJSON has them"
            )

    def add(  # noqa: PLR0913 - the columns of a batch
        self,
        index: int,
        lat: float,
        lon: float,
        name: str | None = None,
        *,
        id: str | None = None,  # noqa: A002 - the name of the member in GeoJSON
        group: str | None = None,
        value: float | None = None,
    ) -> None:
        """Add a point, in degrees WGS 84; a longitude of -360 to 360 is taken modulo 360.

        Raises TooManyPointsError, and what `reject` does for a point that is not on the Earth.
        """
        if not (abs(lat) <= MAX_LATITUDE and abs(lon) <= MAX_LONGITUDE):
            lat, lon = _rounded(lat, MAX_LATITUDE), normal_longitude(lon)
            try:
                Point(lat, lon)
            except CoordinateError as error:
                self._not_on_earth(index, lat, lon, error)
                return
        here = len(self._latitudes)
        if here >= self._most_here:
            self._end_piece()
            here = 0
        if id is not None:
            _append(self._ids, here, id)
        if group is not None:
            _append(self._groups, here, self._share(group))
        if value is not None:
            self._values.extend([nan] * (here - len(self._values)))
            self._values.append(value)
        self._latitudes.append(lat)
        self._longitudes.append(lon)
        self._names.append(name)
        self._named = self._named or name is not None

    def extend(self, batch: Batch) -> None:
        """Add the points of a batch as `add` does; raises TooManyPointsError."""
        start = 0
        while start < len(batch):
            here = len(self._latitudes)
            if here >= self._most_here:
                self._end_piece()
                here = 0
            stop = start + self._most_here - here
            part = batch if not start and stop >= len(batch) else batch.part(start, stop)
            if _has_any(part.ids):
                self._ids += [*[None] * (here - len(self._ids)), *part.ids]
            if _has_any(part.groups):
                shared = (None if it is None else self._share(it) for it in part.groups)
                self._groups += [*[None] * (here - len(self._groups)), *shared]
            if _has_any(part.values):
                self._values.extend([nan] * (here - len(self._values)))
                self._values.extend(nan if it is None else it for it in part.values)
            self._latitudes.extend(part.latitudes)
            self._longitudes.extend(part.longitudes)
            self._names += part.names
            self._named = self._named or _has_any(part.names)
            start = stop

    def too_many(self) -> TooManyPointsError:
        """Return the error for more points than there is room for."""
        return TooManyPointsError(
            f"the answer has more than {self._max_points} points: raise max_points of this"
            " source, or choose a smaller feed"
        )

    def _share(self, group: str) -> str:
        """Return one text for equal groups, to save memory: most feeds have few groups."""
        if len(self._shared) < MAX_GROUPS_SHARED:
            return self._shared.setdefault(group, group)
        return self._shared.get(group, group)

    def _not_on_earth(self, index: int, lat: float, lon: float, error: CoordinateError) -> None:
        swapped = abs(lon) <= MAX_LATITUDE < abs(lat) <= TURN
        system = self._crs
        if swapped and system is not None:
            raise WrongCrsError(
                f"{self.where(index)}: {error}: the feed declares {system.name} and seems to have"
                f" latitude first: {crs.ASK}"
            )
        reason = f"{error}{'' if system is None else f' although the feed declares {system.name}'}"
        if swapped:
            reason += (
                ": it seems to be the longitude (in GeoJSON, positions are [longitude, latitude]:"
                " RFC 7946 section 3.1.1)"
            )
        elif abs(lat) > TURN or abs(lon) > TURN:
            reason += f": these are no degrees: {crs.ASK}"
        self.reject(index, OUT_OF_RANGE, reason)

    def leave_out(self, index: int, reason: str) -> None:
        """Count a feature that is not a point of the batch; `reason` quotes nothing of it."""
        self._count(reason)
        if len(self._notes) < MAX_NOTES:
            self._notes.append(f"{self.where(index)}: {reason}"[:MAX_NOTE])

    def reject(
        self,
        index: int,
        reason: str,
        detail: str,
        *,
        error: type[SourceError] = BadCoordinatesError,
        excerpt: object = "",
    ) -> None:
        """Count a bad feature, which has invalid coordinates or is unreadable.

        `reason` quotes nothing of it; `detail` may quote its numbers. Raises `error`, with the
        excerpt, when more are bad than `max_bad` allows; `batch` checks a share.
        """
        self._bad += 1
        self._count(reason)
        if len(self._bad_notes) < MAX_NOTES:
            self._bad_notes.append(f"{self.where(index)}: {detail}"[:MAX_NOTE])
        if isinstance(self._max_bad, int) and self._bad > self._max_bad:
            raise error(
                f"{self.where(index)}: {detail}: correct the feed, or raise max_bad of this source"
                f" from {self._max_bad} to leave such features out",
                excerpt=excerpt,
            )

    def _count(self, reason: str) -> None:
        if reason not in self._reasons and len(self._reasons) >= MAX_REASONS - 1:
            reason = OTHERS
        self._reasons[reason] += 1

    def warn(self, text: str) -> None:
        """Add a sentence for the operator of the source, once."""
        if len(self._warnings) < MAX_NOTES:
            self._warnings[text[:MAX_NOTE]] = None

    def lacks(self, column: str) -> bool:
        """Return whether no point so far has one of `names`, `groups` or `values`."""
        here = {"names": self._named, "groups": self._groups, "values": self._values}[column]
        return not here and column not in self._found

    def explain(self, column: str, text: str) -> None:
        """Set the warning for the case that in the end the batch `lacks` a column."""
        self._missing[column] = text

    def batch(self) -> Batch | PackedBatch:
        """Return the points in the order in which they were added, packed if they are many.

        Raises NoPointsError, and BadCoordinatesError when the share of bad ones is too high.
        """
        self._check_share()
        if not len(self):
            raise NoPointsError(
                f"the answer has {self._reasons.total()} features and {self._why_none()}: check"
                " whether the feed is meant to be empty, and try again when it is not"
            )
        if not self._pieces:
            return self._rest()
        self._pack()
        return PackedBatch(
            tuple(self._pieces),
            tuple(self._points),
            ids="ids" in self._found,
            groups="groups" in self._found,
            values="values" in self._found,
        )

    def _end_piece(self) -> None:
        if not self.remaining:
            raise self.too_many()
        self._pack()
        self._most_here = min(PIECE, self.remaining)

    def _pack(self) -> None:
        rest = self._rest()
        columns = {"ids": rest.ids, "groups": rest.groups, "values": rest.values}
        self._found |= {name for name, column in columns.items() if column}
        for piece, count in pack(rest):
            self._bytes_remaining -= len(piece)
            if self._bytes_remaining < 0:
                raise TooLargeError(
                    "the points take too many bytes with the names, ids and groups that they share:"
                    " raise max_bytes of this source, or let features have fewer points each"
                )
            self._pieces.append(piece)
            self._points.append(count)
        self._packed += len(rest)
        for numbers in (self._latitudes, self._longitudes, self._values):
            del numbers[:]
        for texts in (self._names, self._ids, self._groups):
            texts.clear()

    def _rest(self) -> Batch:
        """Return the points that are not packed yet."""
        count = len(self._latitudes)
        return Batch(
            tuple(self._latitudes),
            tuple(self._longitudes),
            tuple(self._names),
            _column(self._ids, count),
            _column(self._groups, count),
            self._measured(count),
        )

    def _measured(self, count: int) -> tuple[float | None, ...]:
        if not self._values:
            return ()
        values = [None if isnan(value) else value for value in self._values]
        return (*values, *[None] * (count - len(values)))

    def _check_share(self) -> None:
        if isinstance(self._max_bad, int) or not self._bad:
            return
        placed = len(self) + self._bad
        if self._bad * 100 > float(self._max_bad.rstrip("%")) * placed:
            raise BadCoordinatesError(
                f"{self._bad} of {placed} features are bad, which is more than max_bad of this"
                f" source, {self._max_bad}; the first is {self._bad_notes[0]}: correct the feed,"
                " or raise max_bad"
            )

    def _why_none(self) -> str:
        if set(self._reasons) <= {NO_GEOMETRY}:
            return "none has a geometry"
        reasons = ", ".join(f"{reason} ({count})" for reason, count in self._reasons.items())
        return f"none gives a point: {reasons}"

    def skipped(self) -> Skipped:
        """Return what was left out so far."""
        first = (*self._bad_notes, *self._notes)[:MAX_NOTES]
        return Skipped(self._reasons.total(), dict(self._reasons), first)

    def warnings(self) -> tuple[str, ...]:
        """Return the warnings so far."""
        missing = [text[:MAX_NOTE] for column, text in self._missing.items() if self.lacks(column)]
        return tuple(dict.fromkeys([*missing, *self._warnings]))[:MAX_NOTES]


def _rounded(degrees: float, limit: float) -> float:
    """Return the limit for degrees that only rounding has taken beyond it."""
    return min(max(degrees, -limit), limit) if abs(degrees) <= limit + ROUNDING else degrees


def normal_longitude(lon: float) -> float:
    """Return a longitude of -360 to 360 as one of -180 to 180, and any other as it is."""
    lon = _rounded(lon, MAX_LONGITUDE)
    return remainder(lon, TURN) if MAX_LONGITUDE < abs(lon) <= TURN + ROUNDING else lon


def _has_any(column: tuple[object, ...]) -> bool:
    return column.count(None) < len(column)


def _append(column: list[str | None], index: int, text: str) -> None:
    if len(column) < index:
        column.extend([None] * (index - len(column)))
    column.append(text)


def _column(column: list[str | None], count: int) -> tuple[str | None, ...]:
    return (*column, *[None] * (count - len(column))) if column else ()
