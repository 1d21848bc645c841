"""JSON documents with a list of objects that have a latitude and a longitude.

msgspec decodes the whole document, and only the members that are asked for. ijson would read it
piece by piece and take less memory, but several times the time; `max_bytes` bounds the document
anyway. Data that are too large for that come as GeoJSON sequences or as CSV.
"""

from collections.abc import Iterable
from itertools import repeat
from typing import Any, Final, NamedTuple

import msgspec
from msgspec import Raw, Struct

from mousetrap.settings.source_kinds import FileSettings, JsonSettings
from mousetrap.sources import crs, diagnosis, properties
from mousetrap.sources.collector import NO_COORDINATES, NOT_NUMBERS, Collector
from mousetrap.sources.errors import (
    MalformedError,
    NotPointsError,
    SourceError,
    TooManyPointsError,
    WrongCharsetError,
    WrongCrsError,
)
from mousetrap.sources.feed import Feed
from mousetrap.sources.page_members import PageMembers
from mousetrap.sources.parser import Page, Whole
from mousetrap.sources.properties import ABSENT, Properties
from mousetrap.sources.source import Context

POINT: Final = "esriGeometryPoint"
WGS_84: Final = 4326
MAX_TRANSLATIONS: Final = 10_000

OBJECTS: Final = 8
"""How many objects a document may have for each point that the source may have.

They are counted before they are decoded: an object takes far more memory than its text.
"""


class Paths(NamedTuple):
    """Where the records are in a document, and their members in a record."""

    records: str
    lat: str
    lon: str
    name: str
    id: str | None = None


PRESETS: Final[dict[str | None, Paths]] = {
    None: Paths("", "lat", "lon", "name"),
    "gbfs": Paths("data.stations", "lat", "lon", "name", "station_id"),
    "esri": Paths("features", "geometry.y", "geometry.x", "attributes.name", "attributes.OBJECTID"),
}


class _Reference(Struct):
    wkid: Raw = ABSENT
    latest: Raw = msgspec.field(name="latestWkid", default=ABSENT)
    wkt: Raw = ABSENT


class _Translation(Struct):
    text: Raw = ABSENT


class _Esri(PageMembers):
    reference: _Reference | None = msgspec.field(name="spatialReference", default=None)
    geometry_type: str | None = msgspec.field(name="geometryType", default=None)


class JsonFeed(Feed):
    """A JSON document over HTTP."""

    media_types = ("application/json", "text/json")
    location = "records[{}]"

    def __init__(self, settings: JsonSettings, context: Context) -> None:
        super().__init__(settings, context)
        self._json = settings

    def parser(self, collector: Collector) -> "Objects":
        """Return the parser of one document."""
        return Objects(self._json, collector)


class Objects(Whole):
    """Reads one document; the messages of its errors name a record, such as `records[17]`.

    The records are the items of an array, or the values of an object, whose names are then their
    ids where changes are asked for. A record without both coordinates is left out and counted.
    """

    def __init__(self, settings: JsonSettings | FileSettings, collector: Collector) -> None:
        super().__init__()
        self._collector = collector
        self._max_points = settings.max_points
        self._keyed = settings.changes
        self._preset = settings.preset
        paths = _paths(settings)
        self._lat, self._lon = paths.lat, paths.lon
        optional = {"id": paths.id, "group": settings.group_by, "value": settings.value_property}
        self._columns = [column for column, path in optional.items() if path]
        self._members = Properties(
            paths.lat, paths.lon, paths.name, *filter(None, optional.values())
        )
        self._steps = paths.records.split(".") if paths.records else []
        self._document = _decoder(self._members.members, self._steps, settings.preset)

    def read(self, body: bytearray) -> Page:
        """Collect the points in the order of the document."""
        document = self._decode(body)
        if isinstance(document, _Esri):
            _check_esri(document)
        found: Any = document
        for _ in self._steps:
            found = found.inner
        keys = found if self._keyed and isinstance(found, dict) else repeat(None)
        records = found.values() if isinstance(found, dict) else found
        located = self._add_all(zip(keys, records, strict=False))
        if found and not located and not self._collector and not self._preset:
            raise MalformedError(
                f'no record has a "{self._lat}" and a "{self._lon}": set lat and lon of this source'
                ' to the paths of its members, such as "location.lat"'
            )
        return document.page(len(found)) if isinstance(document, PageMembers) else Page(len(found))

    def _add_all(self, records: Iterable[tuple[str | None, Any]]) -> int:
        """Return how many records have a latitude or a longitude, even if it is empty."""
        located = 0
        for index, (key, record) in enumerate(records):
            lat, lon, name, *others = self._members.pick(record)
            if lat is ABSENT and lon is ABSENT:
                self._collector.leave_out(index, NO_COORDINATES)
                continue
            located += 1
            self._add(index, key, (lat, lon), name, others)
        return located

    def _add(
        self, index: int, key: str | None, position: tuple[Raw, Raw], name: Raw, others: list[Raw]
    ) -> None:
        lat, lon = map(properties.number, position)
        if lat is None and lon is None and all(map(_is_empty, position)):
            self._collector.leave_out(index, NO_COORDINATES)
            return
        if lat is None or lon is None:
            self._collector.reject(index, NOT_NUMBERS, "the coordinates are not two numbers")
            return
        columns: dict[str, Any] = dict(zip(self._columns, others, strict=True))
        try:
            self._collector.add(
                index,
                lat,
                lon,
                _name(name),
                id=properties.text(columns["id"]) if "id" in columns else key,
                group=properties.label(columns["group"]) if "group" in columns else None,
                value=properties.number(columns["value"]) if "value" in columns else None,
            )
        except UnicodeDecodeError as error:
            raise WrongCharsetError(
                f"{self._collector.where(index)}: a text is not in UTF-8 ({error.reason}):"
                " correct the feed"
            ) from error

    def _decode(self, body: bytearray) -> Any:
        if body.count(b"{") > OBJECTS * self._max_points + OBJECTS:
            raise TooManyPointsError(
                f"the answer has more than {OBJECTS} objects for each of the"
                f" {self._max_points} points of max_points: raise it, or choose a smaller feed"
            )
        try:
            return self._document.decode(body)
        except msgspec.ValidationError as error:
            raise diagnosis.complaint(body) or self._malformed(error) from error
        except msgspec.DecodeError as error:
            if diagnosis.mend_surrogates(body):
                return self._decode(body)
            raise diagnosis.not_json(body, error) from error
        except RecursionError as error:
            raise MalformedError("the answer is nested too deeply: correct the feed") from error

    def _malformed(self, error: msgspec.ValidationError) -> SourceError:
        where = f'at "{".".join(self._steps)}"' if self._steps else "at its top"
        return MalformedError(
            f"the answer has no list of objects {where}: set records of this source to the path of"
            ' its list, such as "data.stations"',
            excerpt=error,
        )


def _paths(settings: JsonSettings | FileSettings) -> Paths:
    preset = PRESETS[settings.preset]
    return Paths(
        preset.records if settings.records is None else settings.records,
        settings.lat or preset.lat,
        settings.lon or preset.lon,
        settings.name or preset.name,
        settings.id or (preset.id if settings.changes else None),
    )


def _decoder(record: Any, steps: list[str], preset: str | None) -> "msgspec.json.Decoder[Any]":
    """Return the decoder of a document whose records are `steps` deep in it."""
    found: Any = list[record]
    base: type[Struct] = _Esri if preset == "esri" else PageMembers
    for depth, step in reversed(list(enumerate(steps))):
        if depth == len(steps) - 1:
            found |= dict[str, record]
        outermost = depth == 0
        taken = {field.encode_name for field in msgspec.structs.fields(base)}
        bases = (base,) if outermost and step not in taken else ()
        field = ("inner", found, msgspec.field(name=step))
        found = msgspec.defstruct("Document", [field], bases=bases, kw_only=True)
    return msgspec.json.Decoder(found)


def _check_esri(document: _Esri) -> None:
    """Raise NotPointsError for other shapes, and WrongCrsError for other systems than WGS 84."""
    if document.geometry_type not in (None, POINT):
        raise NotPointsError(
            f"the geometryType of the answer is not {POINT}, and only points can be summarised:"
            " choose a layer of points"
        )
    reference = document.reference
    if reference is None:
        return
    known = [it for it in (reference.latest, reference.wkid) if it is not ABSENT]
    if WGS_84 in map(properties.number, known) or not (known or reference.wkt is not ABSENT):
        return
    numbers = [number for it in known if (number := properties.number(it)) is not None]
    name = f"wkid {numbers[0]:.0f}" if numbers else "another one"
    raise WrongCrsError(
        f"the spatialReference of the answer is {name}, and only WGS 84 (wkid {WGS_84}) can be"
        f" summarised: {crs.ASK}"
    )


def _name(raw: Raw) -> str | None:
    """Return a text; of a list of translations, as GBFS 3 has them, the first one."""
    if len(raw) > MAX_TRANSLATIONS or not bytes(raw).startswith(b"["):
        return properties.text(raw)
    try:
        translations = msgspec.json.decode(raw, type=list[_Translation])
    except msgspec.DecodeError:
        return None
    return properties.text(translations[0].text) if translations else None


def _is_empty(raw: Raw) -> bool:
    return bytes(raw) in (b"null", b'""', b'"NaN"')
