"""A lazy parser for GeoJSON FeatureCollections (RFC 7946)."""

import re
from codecs import BOM_UTF8
from collections.abc import Sequence
from typing import Final, Literal

import msgspec
from msgspec import Raw, Struct

from mousetrap.settings.source_kinds import FileSettings, GeojsonseqSettings, GeojsonSettings
from mousetrap.sources import crs, diagnosis, geometry, properties
from mousetrap.sources.blocks import Blocks, decoded, repeats
from mousetrap.sources.collector import NO_COORDINATES, NO_GEOMETRY, Collector
from mousetrap.sources.errors import (
    MalformedError,
    NotPointsError,
    SourceError,
    WrongCharsetError,
)
from mousetrap.sources.feed import Feed
from mousetrap.sources.geometry import Geometry, GeometryError, Position
from mousetrap.sources.page_members import PageMembers
from mousetrap.sources.parser import Page
from mousetrap.sources.properties import ABSENT, Properties
from mousetrap.sources.source import Context

type Settings = GeojsonSettings | GeojsonseqSettings | FileSettings

ID: Final = "id"
SAMPLE: Final = 100
"""How many features are looked at for the names of their properties."""


class Feature(Struct, gc=False):
    """A feature; its geometry is null when it has no location (RFC 7946 section 3.2)."""

    type: Literal["Feature"] | None = None
    geometry: Geometry | None = None
    properties: Raw = ABSENT
    id: Raw = ABSENT

    def __post_init__(self) -> None:
        # Both bound memory: the objects take far more than the two bytes of `{}`.
        if self.geometry is None:
            if self.type is None:
                raise ValueError("it has neither the type of a Feature nor a geometry")
        elif self.geometry.type is None and self.geometry.coordinates is ABSENT:
            self.geometry = None


class FeatureCollection(PageMembers, kw_only=True):
    """The whole response of a source."""

    type: Literal["FeatureCollection"]
    features: list[Feature]
    crs: Raw = ABSENT


class SingleFeature(Feature, kw_only=True):
    """A response that is but one feature: a GeoJSON text may be any object (section 2)."""

    type: Literal["Feature"]
    crs: Raw = ABSENT


COLLECTION: Final = msgspec.json.Decoder(FeatureCollection)
SINGLE: Final = msgspec.json.Decoder(SingleFeature)
READ: Final = Feature("Feature")
INDEX: Final = re.compile(r"^(features\[)(\d+)")


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
        self._geojson = settings

    def parser(self, collector: Collector) -> "Reader":
        """Return the parser of one FeatureCollection."""
        return Reader(self._geojson, collector)


class Reader:
    """Reads one FeatureCollection, in blocks while it arrives where it can be cut (see `Blocks`).

    The paths say where its columns come from (see `Properties`).

    A name, a group and an id are strings or numbers, truncated to MAX_NAME characters; a group may
    be a boolean, and a value is a number. Any other value is ignored. The path "id" leads to the id
    of the feature when no property is called so. Each position of a MultiPoint is a point. The
    points have no `ids` unless they are asked for: they take as much memory as the names.

    Features without coordinates are left out. For other geometries see `GeometryRule`. The messages
    of its errors name the feature by its index, such as `features[17]`.
    """

    def __init__(self, settings: Settings, collector: Collector) -> None:
        self._collector = collector
        self._blocks = Blocks(COLLECTION, _ends_with)
        self._features = 0
        self._sample: list[Feature] = []
        self._keeps_ids = settings.changes
        self._rule = settings.geometry
        self._name, self._group = settings.name_property, settings.group_by
        self._value = settings.value_property
        wanted = [path for path in (self._name, self._group, self._value) if path]
        self._properties = Properties(*wanted)
        self._ids = [path == ID for path in wanted]
        self._id_wanted = any(self._ids)
        self._declared = bytes(ABSENT)

    def feed(self, piece: bytes) -> None:
        """Collect the points of the features that are complete."""
        collection = self._blocks.feed(piece)
        if collection is not None:
            self._add_all(collection)

    def finish(self) -> Page:
        """Collect the points of the last features."""
        body = self._blocks.last()
        if body.startswith(BOM_UTF8):  # RFC 8259 section 8.1
            del body[: len(BOM_UTF8)]
        collection = _decode(body, self._blocks.shift, self._features)
        if self._blocks.head and repeats(body, self._blocks.head):
            raise MalformedError('the answer has two members "features": correct the feed')
        self._add_all(collection)
        self.explain(self._sample)
        return collection.page(self._features)

    def _add_all(self, collection: FeatureCollection) -> None:
        """Collect the points in the order of the body."""
        self._declare(collection.crs, "the answer")
        features = collection.features
        self._sample += features[: SAMPLE - len(self._sample)]
        for number, feature in enumerate(features):
            features[number] = READ  # a feature and its point are not in memory at once
            self.add(self._features + number, feature)
        self._features += len(features)

    def add(self, index: int, feature: Feature) -> None:
        """Collect the points of one feature."""
        shape = feature.geometry
        if shape is None:
            self._collector.leave_out(index, NO_GEOMETRY)
            return
        if shape.crs is not ABSENT:
            self._declare(shape.crs, f"{self._collector.where(index)}.geometry")
        try:
            found = self._positions(index, shape)
        except GeometryError as error:
            self._collector.reject(index, error.reason, str(error))
            return
        if not found:
            return
        try:
            members = self._members(feature)
            known = self._keeps_ids and feature.id is not ABSENT
            identity = properties.text(feature.id) if known else None
            name = properties.text(members[0])
            group, value = self._measures(members)
        except UnicodeDecodeError as error:
            raise WrongCharsetError(
                f"{self._collector.where(index)}: the name is not in UTF-8 ({error.reason}):"
                " correct the feed"
            ) from error
        for position in found:
            self._collector.add(
                index, position.lat, position.lon, name, id=identity, group=group, value=value
            )

    def _positions(self, index: int, shape: Geometry) -> Sequence[Position]:
        """Return the positions of the points of a feature; none when it is left out."""
        if shape.type == "Point":
            position = geometry.point(shape.coordinates)
        elif shape.type is None:
            raise GeometryError("a geometry without a type", "its geometry has no type")
        elif shape.type == "MultiPoint":
            found = geometry.points(shape.coordinates, self._collector.remaining)
            if found is None:
                raise self._collector.too_many()
            if not found:
                self._collector.leave_out(index, NO_COORDINATES)
            return found
        elif self._rule == "representative":
            position = geometry.middle(shape)
        elif self._rule == "points-only":
            self._collector.leave_out(index, f"a {shape.type}")
            return ()
        else:
            raise NotPointsError(
                f"{self._collector.where(index)} is a {shape.type}, and only points can be"
                ' summarised: choose a feed of points, or set geometry = "points-only" to leave'
                ' others out or geometry = "representative" to take their middle'
            )
        if position is None:
            self._collector.leave_out(index, NO_COORDINATES)
            return ()
        return (position,)

    def _members(self, feature: Feature) -> Sequence[Raw]:
        members = self._properties.read(feature.properties)
        if not self._id_wanted:
            return members
        return [
            feature.id if is_id and member is ABSENT else member
            for member, is_id in zip(members, self._ids, strict=True)
        ]

    def _measures(self, members: Sequence[Raw]) -> tuple[str | None, float | None]:
        group = properties.label(members[1]) if self._group else None
        return group, properties.number(members[-1]) if self._value else None

    def _declare(self, member: Raw, where: str) -> None:
        declared = bytes(member)
        if declared == self._declared:  # PostGIS writes it into each geometry
            return
        system = crs.declared(member, where)
        if system is not None:
            self._collector.declare(system)
        self._declared = declared

    def explain(self, features: Sequence[Feature]) -> None:
        """Leave word of the properties that there are, in case that the chosen ones are not."""
        columns = (
            ("names", "name", "name_property", self._name),
            ("groups", "group", "group_by", self._group),
            ("values", "value", "value_property", self._value),
        )
        lacking = [it for it in columns if it[3] and self._collector.lacks(it[0])]
        if not lacking:
            return
        listed = (properties.names(feature.properties) for feature in features)
        names = ", ".join(f'"{name}"' for name in next(filter(None, listed), ()))
        for column, what, key, path in lacking:
            if names:
                text = f'no point has a {what}: {key} is "{path}", and there are {names}'
                self._collector.explain(column, text)


def _decode(body: bytearray, shift: int, before: int) -> FeatureCollection:
    """Return the last document, which begins `shift` bytes and `before` features further on."""
    try:
        return decoded(body, COLLECTION.decode)
    except msgspec.ValidationError as error:
        single = _single(body)
        if single is None:
            raise diagnosis.complaint(body) or _malformed(error, before) from error
        return FeatureCollection(type="FeatureCollection", features=[single], crs=single.crs)
    except msgspec.DecodeError as error:
        raise diagnosis.not_json(body, error, shift) from error
    except RecursionError as error:
        raise MalformedError("the answer is nested too deeply: correct the feed") from error


def _ends_with(collection: FeatureCollection, id_: bytes) -> bool:
    """Tell whether the last feature has this id, and remove it then."""
    features = collection.features
    return bool(features) and bytes(features[-1].id) == id_ and bool(features.pop())


def _single(body: bytearray) -> SingleFeature | None:
    try:
        return SINGLE.decode(body)
    except (msgspec.DecodeError, RecursionError):
        return None


def _malformed(error: msgspec.ValidationError, before: int) -> SourceError:
    reason, _, path = str(error).partition(" - at `$.")
    path = INDEX.sub(lambda found: f"{found[1]}{int(found[2]) + before}", path)
    return MalformedError(
        "the answer is not a GeoJSON FeatureCollection:"
        f" {path.rstrip('`') or 'it'}: {unquoted(reason)}: correct the feed or the url",
        excerpt=reason,
    )


def unquoted(reason: str) -> str:
    """Return a reason of msgspec without the value of the feed that it may quote."""
    return reason.split(" '", 1)[0]
