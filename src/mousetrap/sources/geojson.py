"""A strict, lazy parser for GeoJSON FeatureCollections of points (RFC 7946)."""

import re
from typing import Any, Final, Literal

import msgspec
from msgspec import Raw, Struct

from mousetrap.geo.point import MAX_NAME
from mousetrap.settings.source_kinds import GeojsonSettings
from mousetrap.sources.collector import Collector
from mousetrap.sources.errors import (
    BadCoordinatesError,
    MalformedError,
    NotPointsError,
    SourceError,
    TruncatedError,
    WrongCharsetError,
)
from mousetrap.sources.feed import Feed
from mousetrap.sources.page_members import PageMembers
from mousetrap.sources.parser import Page, Whole
from mousetrap.sources.source import Context
from mousetrap.sources.text import tidy

EXCERPT: Final = 20
BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
ABSENT: Final = Raw(b"null")


class Position(Struct, array_like=True):
    """The first two numbers of a position; an altitude is ignored."""

    lon: float
    lat: float


# Raw fields are decoded only when they are needed. Otherwise a crafted body could take a hundred
# times its size in memory.
class Geometry(Struct):
    """The geometry of a feature."""

    type: Literal[
        "Point",
        "MultiPoint",
        "LineString",
        "MultiLineString",
        "Polygon",
        "MultiPolygon",
        "GeometryCollection",
    ]
    coordinates: Raw = ABSENT


class Feature(Struct):
    """A feature; its geometry is null when it has no location (RFC 7946 section 3.2)."""

    type: Literal["Feature"]
    geometry: Geometry | None
    properties: Raw = ABSENT


class FeatureCollection(PageMembers, kw_only=True):
    """The whole response of a source."""

    type: Literal["FeatureCollection"]
    features: list[Feature]


COLLECTION: Final = msgspec.json.Decoder(FeatureCollection)
POSITION: Final = msgspec.json.Decoder(Position)


class GeojsonFeed(Feed):
    """A FeatureCollection over HTTP."""

    media_types = (
        "application/geo+json",
        "application/json",
        "application/vnd.geo+json",
        "text/json",
    )

    def __init__(self, settings: GeojsonSettings, context: Context) -> None:
        super().__init__(settings, context)
        self._name_property = settings.name_property

    def parser(self, collector: Collector) -> "Reader":
        """Return the parser of one FeatureCollection."""
        return Reader(collector, name_property=self._name_property)


class Reader(Whole):
    """Reads one FeatureCollection; its points are named by the property `name_property`.

    Features without a geometry are left out. A name is a string or a number, truncated to MAX_NAME
    characters; any other value is ignored. The messages of its errors name the feature by its
    index, such as `features[17]`.
    """

    def __init__(self, collector: Collector, *, name_property: str) -> None:
        super().__init__()
        self._collector = collector
        name = msgspec.field(default=ABSENT, name=name_property)
        properties = msgspec.defstruct("Properties", [("name", Raw, name)])
        self._properties: msgspec.json.Decoder[Any] = msgspec.json.Decoder(properties | None)

    def read(self, body: bytearray) -> Page:
        """Collect the points in the order of the body."""
        collection = _decode(body)
        features = collection.features
        for index, feature in enumerate(features):
            if feature.geometry is None:
                self._collector.leave_out(index, "no geometry")
                continue
            where = self._collector.where(index)
            position = _position(where, feature.geometry)
            name = self._name(where, feature.properties)
            self._collector.add(index, position.lat, position.lon, name)
        return collection.page(len(features))

    def _name(self, where: str, properties: Raw) -> str | None:
        try:
            found = self._properties.decode(properties)
            return None if found is None else _text(found.name)
        except UnicodeDecodeError as error:
            raise WrongCharsetError(
                f"{where}: the name is not in UTF-8 ({error.reason}): correct the feed"
            ) from error
        except msgspec.DecodeError as error:
            raise MalformedError(f"{where}.properties: {error}: correct the feed") from error


def _decode(body: bytearray) -> FeatureCollection:
    if body.startswith(BYTE_ORDER_MARK):
        # RFC 8259 section 8.1 lets a reader ignore it.
        del body[: len(BYTE_ORDER_MARK)]
    try:
        return COLLECTION.decode(body)
    except msgspec.ValidationError as error:
        reason, _, path = str(error).partition(" - at `$.")
        raise MalformedError(
            "the answer is not a GeoJSON FeatureCollection:"
            f" {path.rstrip('`') or 'it'}: {_unquoted(reason)}: correct the feed or the url",
            excerpt=reason,
        ) from error
    except msgspec.DecodeError as error:
        raise _not_json(body, error) from error
    except RecursionError as error:
        raise MalformedError("the answer is nested too deeply: correct the feed") from error


def _unquoted(reason: str) -> str:
    """Return a reason of msgspec without the value of the feed that it may quote."""
    return reason.split(" '", 1)[0]


def _not_json(body: bytearray, error: msgspec.DecodeError) -> SourceError:
    place = re.search(r"\(byte (\d+)\)", str(error))
    if place is None:
        return TruncatedError("the answer ends in the middle of the JSON: try again")
    start = max(int(place[1]) - EXCERPT, 0)
    excerpt = bytes(body[start : start + 2 * EXCERPT])
    return MalformedError(f"the answer is not JSON: {error}: correct the feed", excerpt=excerpt)


def _position(where: str, geometry: Geometry) -> Position:
    if geometry.type != "Point":
        raise NotPointsError(
            f"{where} is a {geometry.type}, and only points can be summarised:"
            " choose a feed of points"
        )
    try:
        return POSITION.decode(geometry.coordinates)
    except msgspec.DecodeError as error:
        raise BadCoordinatesError(
            f"{where}: the coordinates are not [longitude, latitude]: {error}: correct the feed"
        ) from error


def _text(value: Raw) -> str | None:
    """Return a string, or a number as written; None for an empty or any other value."""
    raw = bytes(value)
    if raw.startswith(b'"'):
        return tidy(msgspec.json.decode(raw, type=str), MAX_NAME) or None
    return raw[:MAX_NAME].decode("ascii") if raw[:1] in b"-0123456789" else None
