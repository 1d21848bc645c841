"""The positions of a GeoJSON geometry (RFC 7946 section 3.1)."""

import re
from array import array
from collections.abc import Iterator, Sequence
from typing import Final, Literal, get_args

import msgspec
from msgspec import Raw, Struct

from mousetrap.geo.centroid import centroid_at
from mousetrap.geo.point import MAX_LATITUDE
from mousetrap.sources.collector import NOT_NUMBERS, OUT_OF_RANGE, TURN
from mousetrap.sources.properties import ABSENT, number

MAX_POSITION: Final = 1000
"""The maximum bytes of a position that is not two numbers."""

MAX_LENIENT: Final = 1024 * 1024
"""The maximum bytes of positions of which some are not two numbers."""

MAX_POSITIONS: Final = 250_000
MAX_PARTS: Final = 10_000
MAX_DEPTH: Final = 8

Type = Literal[
    "Point",
    "MultiPoint",
    "LineString",
    "MultiLineString",
    "Polygon",
    "MultiPolygon",
    "GeometryCollection",
]
TYPES: Final[tuple[str, ...]] = get_args(Type)


class GeometryError(ValueError):
    """A geometry has invalid coordinates; `reason` is the kind of fault, without its values."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


class Position(Struct, array_like=True, gc=False):
    """The first two numbers of a position; an altitude is ignored."""

    lon: float
    lat: float


# Raw fields are decoded only when they are needed. Otherwise a crafted body could take a hundred
# times its size in memory.
class Geometry(Struct, gc=False):
    """The geometry of a feature. `crs` is a member of GeoJSON of 2008, which PostGIS writes."""

    type: Type | None = None
    coordinates: Raw = ABSENT
    geometries: Raw = ABSENT
    crs: Raw = ABSENT


_POSITION: Final = msgspec.json.Decoder(Position)
_POSITIONS: Final = msgspec.json.Decoder(list[Position])
_ITEMS: Final = msgspec.json.Decoder(list[Raw])
_GEOMETRIES: Final = msgspec.json.Decoder(list[Geometry])

# The innermost arrays of coordinates are positions, however deeply the type nests them. Groups 1
# and 4 match at the first and the last position of a line or ring.
_INNERMOST: Final = re.compile(rb"(\[\s*)?\[\s*([-+.0-9eE]+)\s*,\s*([-+.0-9eE]+)[^][]*\](\s*\])?")


def point(coordinates: Raw) -> Position | None:
    """Return the position of a Point; None when it has none. Raises GeometryError.

    Numbers may be written in strings.
    """
    try:
        return _POSITION.decode(coordinates)
    except msgspec.DecodeError as error:
        return _lenient(bytes(coordinates), error)


def _lenient(raw: bytes, error: msgspec.DecodeError) -> Position | None:
    if raw == b"null":
        return None
    fault = GeometryError(NOT_NUMBERS, f"the coordinates are not [longitude, latitude]: {error}")
    items = _items(raw, MAX_POSITION, fault, error)
    if not items:
        return None
    numbers = [number(item) for item in items[:2]]
    if len(numbers) != len(Position.__struct_fields__) or None in numbers:
        raise fault from error
    return msgspec.convert(numbers, Position)


def _items(
    raw: bytes, limit: int, fault: GeometryError, error: msgspec.DecodeError
) -> Sequence[Raw]:
    """Return the items of an array; raises `fault`, since `error`, for what is long or no array."""
    if len(raw) > limit:
        raise fault from error
    try:
        return _ITEMS.decode(raw)
    except msgspec.DecodeError:
        raise fault from error


def points(coordinates: Raw, limit: int) -> list[Position] | None:
    """Return the positions of a MultiPoint; None for more than `limit`. Raises GeometryError."""
    raw = bytes(coordinates)
    if raw == b"null":
        return []
    # Counted before they are decoded, for a position takes far more memory than its text.
    if raw.count(b"[") - 1 > limit:
        return None
    try:
        return _POSITIONS.decode(raw)
    except msgspec.DecodeError as error:
        return _leniently(raw, error)


def _leniently(raw: bytes, error: msgspec.DecodeError) -> list[Position]:
    fault = GeometryError(NOT_NUMBERS, f"the coordinates are not positions: {error}")
    found = (point(item) for item in _items(raw, MAX_LENIENT, fault, error))
    return [position for position in found if position is not None]


def middle(geometry: Geometry) -> Position | None:
    """Return the point that stands for a line, a polygon or a collection; None for an empty one.

    It is the centroid on the sphere of all positions, the summary's own measure, so it is right
    across the antimeridian and does not depend on where a ring begins. The last position of a ring
    repeats the first (RFC 7946 section 3.1.6) and is not counted. It may lie outside a geometry
    that is concave. Where the positions balance each other, the first one stands for them. Raises
    GeometryError.
    """
    latitudes, longitudes = array("d"), array("d")
    for lon, lat in _positions(geometry, MAX_DEPTH):
        if not (abs(lat) <= MAX_LATITUDE and abs(lon) <= TURN):
            raise GeometryError(
                OUT_OF_RANGE,
                f"[{lon!r}, {lat!r}] is not a longitude and a latitude in degrees",
            )
        if len(latitudes) == MAX_POSITIONS:
            raise GeometryError(
                "too many positions", f"the geometry has more than {MAX_POSITIONS} positions"
            )
        latitudes.append(lat)
        longitudes.append(lon)
    if not latitudes:
        return None
    centroid = centroid_at(latitudes, longitudes)
    if centroid is None:
        return Position(longitudes[0], latitudes[0])
    return Position(centroid.lon, centroid.lat)


def _positions(geometry: Geometry, depth: int) -> Iterator[tuple[float, float]]:
    if geometry.type == "GeometryCollection":
        for part in _parts(geometry.geometries, depth):
            yield from _positions(part, depth - 1)
        return
    rings = geometry.type in ("Polygon", "MultiPolygon")
    first = None
    for found in _INNERMOST.finditer(_array(geometry.coordinates)):
        try:
            position = float(found[2]), float(found[3])
        except ValueError as error:
            raise GeometryError(NOT_NUMBERS, "the coordinates are not numbers") from error
        if found[1]:
            first = position
        elif rings and found[4] and position == first:
            continue
        yield position


def _array(coordinates: Raw) -> bytes:
    raw = bytes(coordinates)
    if raw == b"null" or (raw.startswith(b"[") and b'"' not in raw and b"{" not in raw):
        return raw
    raise GeometryError(NOT_NUMBERS, "the coordinates are not positions")


def _parts(geometries: Raw, depth: int) -> list[Geometry]:
    raw = bytes(geometries)
    if raw == b"null":
        return []
    if depth == 0 or raw.count(b"{") > MAX_PARTS:
        raise GeometryError("too many geometries", "the collection has too many geometries")
    try:
        return _GEOMETRIES.decode(raw)
    except msgspec.DecodeError as error:
        raise GeometryError("malformed geometries", "the geometries are malformed") from error
