"""CSV tables with a header and a point in each record (RFC 4180)."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from mousetrap.geo.batch import Batch
from mousetrap.geo.errors import CoordinateError
from mousetrap.geo.point import MAX_LONGITUDE, MAX_NAME
from mousetrap.settings.source_kinds import CsvSettings, FileSettings
from mousetrap.sources.collector import NO_COORDINATES, NOT_NUMBERS, Collector, normal_longitude
from mousetrap.sources.errors import MalformedError
from mousetrap.sources.feed import Feed
from mousetrap.sources.parser import Page
from mousetrap.sources.properties import plain_number, plain_numbers
from mousetrap.sources.records import Records
from mousetrap.sources.source import Context
from mousetrap.sources.text import tidy

LATITUDES: Final = ("lat", "latitude", "decimallatitude", "stop_lat", "y")
LONGITUDES: Final = ("lon", "lng", "long", "longitude", "decimallongitude", "stop_lon", "x")
NAMES: Final = ("name", "title", "place", "label", "station", "stop_name")
IDS: Final = ("id", "stop_id")
"""Usual titles of columns, in lower case; those of GTFS and Darwin Core among them."""

READ_SINGLY: Final = 32
"""The maximum number of records that are read one by one, which is slower and tells what is bad."""


class Columns(NamedTuple):
    """The indices of the columns in a record, and how many fields it has."""

    lat: int
    lon: int
    name: int | None
    id: int | None
    group: int | None
    value: int | None
    width: int


class CsvFeed(Feed):
    """A CSV table over HTTP."""

    media_types = ("text/csv", "application/csv", "text/tab-separated-values")
    location = "line {}"

    def __init__(self, settings: CsvSettings, context: Context) -> None:
        super().__init__(settings, context)
        self._csv = settings

    def parser(self, collector: Collector) -> "Table":
        """Return the parser of one table."""
        return Table(self._csv, collector)


class Table:
    """Reads one table; the messages of its errors name the line that a record begins at."""

    def __init__(self, settings: CsvSettings | FileSettings, collector: Collector) -> None:
        self._settings = settings
        self._collector = collector
        self._records = Records(encoding=settings.encoding, delimiter=settings.delimiter)
        self._columns: Columns | None = None
        self._count = 0

    def feed(self, piece: bytes) -> None:
        """Collect the points of the records that are complete."""
        self._read(piece)

    def finish(self) -> Page:
        """Collect the points of the last records."""
        self._read(b"", last=True)
        if self._columns is None:
            raise MalformedError("the answer is empty: check the url, and that the feed is CSV")
        return Page(self._count)

    def _read(self, piece: bytes, *, last: bool = False) -> None:
        for block in self._records.read(piece, last=last):
            start = 0
            while self._columns is None and start < len(block.records):
                if block.records[start]:
                    self._columns = _columns(self._settings, block.records[start])
                start += 1
            if self._columns is not None:
                self._add_all(self._columns, block.lines[start:], block.records[start:])

    def _add_all(self, columns: Columns, lines: Sequence[int], records: list[list[str]]) -> None:
        """Collect the points of records, together where each of them is a point as it stands."""
        if len(records) <= READ_SINGLY:
            for line, record in zip(lines, records, strict=True):
                if record:
                    self._count += 1
                    self._add(columns, line, record)
        elif (batch := self._batch(columns, records)) is not None:
            self._count += len(batch)
            self._collector.extend(batch)
        else:
            half = len(records) // 2
            self._add_all(columns, lines[:half], records[:half])
            self._add_all(columns, lines[half:], records[half:])

    def _batch(self, columns: Columns, records: list[list[str]]) -> Batch | None:
        """Return the points of records; None unless each of them gives one."""
        if {*map(len, records)} != {columns.width}:
            return None
        latitudes = self._numbers(records, columns.lat)
        longitudes = self._numbers(records, columns.lon)
        if latitudes is None or longitudes is None:
            return None
        if max(longitudes) > MAX_LONGITUDE or min(longitudes) < -MAX_LONGITUDE:
            longitudes = tuple(map(normal_longitude, longitudes))
        ids, groups = _texts(records, columns.id), _texts(records, columns.group)
        names = _texts(records, columns.name) or (None,) * len(records)
        values = (
            () if columns.value is None else (self._number(it[columns.value]) for it in records)
        )
        try:
            return Batch(latitudes, longitudes, names, ids, groups, tuple(values))
        except CoordinateError:
            return None

    def _add(self, columns: Columns, line: int, record: list[str]) -> None:
        if len(record) != columns.width:
            # Otherwise a delimiter without quotes would shift a number into another column.
            self._collector.reject(
                line,
                "another number of fields",
                f"it has {len(record)} fields, and the header has {columns.width}",
                error=MalformedError,
            )
            return
        lat, lon = record[columns.lat].strip(), record[columns.lon].strip()
        if not lat and not lon:
            self._collector.leave_out(line, NO_COORDINATES)
            return
        latitude, longitude = self._number(lat), self._number(lon)
        if latitude is None or longitude is None:
            self._refuse(line, lat, lon)
            return
        self._collector.add(
            line,
            latitude,
            longitude,
            _text(record, columns.name),
            id=_text(record, columns.id),
            group=_text(record, columns.group),
            value=None if columns.value is None else self._number(record[columns.value]),
        )

    def _number(self, text: str) -> float | None:
        return plain_number(text.replace(",", ".") if self._settings.decimal_comma else text)

    def _numbers(self, records: list[list[str]], column: int) -> tuple[float, ...] | None:
        texts = [record[column] for record in records]
        if self._settings.decimal_comma:
            texts = [text.replace(",", ".") for text in texts]
        return plain_numbers(texts)

    def _refuse(self, line: int, lat: str, lon: str) -> None:
        detail = "the coordinates are not two numbers"
        if "," in lat + lon and not self._settings.decimal_comma:
            detail += ": set decimal_comma = true if they have a comma for a point"
        self._collector.reject(line, NOT_NUMBERS, detail, excerpt=(lat, lon))


def _text(record: list[str], column: int | None) -> str | None:
    return None if column is None else tidy(record[column], MAX_NAME).strip() or None


def _texts(records: list[list[str]], column: int | None) -> tuple[str | None, ...]:
    """Return what `_text` does of each record; nothing without a column."""
    if column is None:
        return ()
    texts = [record[column] for record in records]
    if max(map(len, texts)) <= MAX_NAME and "".join(texts).isprintable():
        return tuple(text.strip() or None for text in texts)  # they are tidy already
    return tuple(_text(record, column) for record in records)


def _columns(settings: CsvSettings | FileSettings, titles: list[str]) -> Columns:
    found = [title.strip().casefold() for title in titles]
    name = _optional(found, "name", settings.name, NAMES)
    lat = _required(found, "lat", settings.lat, LATITUDES)
    lon = _required(found, "lon", settings.lon, LONGITUDES)
    # They take as much memory as all else, so nobody gets them unasked.
    identity = _optional(found, "id", settings.id, IDS if settings.changes else ())
    group = _optional(found, "group_by", settings.group_by)
    value = _optional(found, "value_property", settings.value_property)
    return Columns(lat, lon, name, identity, group, value, len(titles))


def _required(titles: list[str], key: str, wanted: str | None, usual: Sequence[str]) -> int:
    if wanted is not None:
        return _titled(titles, key, wanted)
    choices = [title for title in titles if title in usual]
    if not choices:
        raise MalformedError(
            f"the header has none of {', '.join(usual)}: set {key} of this source to the title of"
            " a column",
            excerpt=", ".join(titles),
        )
    if len(choices) > 1:
        raise MalformedError(
            f"the header has {' and '.join(choices)}: set {key} of this source to one of them"
        )
    return titles.index(choices[0])


def _optional(
    titles: list[str], key: str, wanted: str | None, usual: Sequence[str] = ()
) -> int | None:
    if wanted is not None:
        return _titled(titles, key, wanted)
    return next((titles.index(title) for title in usual if title in titles), None)


def _titled(titles: list[str], key: str, wanted: str) -> int:
    number = titles.count(wanted.strip().casefold())
    if number == 1:
        return titles.index(wanted.strip().casefold())
    raise MalformedError(
        f"the header has {number or 'no'} columns {wanted!r}: set {key} of this source to the title"
        " of one column",
        excerpt=", ".join(titles),
    )
