"""KML, GPX and GeoRSS, read as they arrive.

A document type declaration is refused: no feed has one, and without it there are no entities, which
are how a small document takes much memory or reads files. Thus the parser of the standard library
is enough.
"""

from collections.abc import Mapping
from typing import ClassVar, Final, NamedTuple
from xml.parsers import expat

from mousetrap.geo.point import MAX_NAME
from mousetrap.settings.source_kinds import FileSettings, MarkupSettings
from mousetrap.sources import crs
from mousetrap.sources.collector import NO_GEOMETRY, NOT_NUMBERS, Collector
from mousetrap.sources.errors import (
    MalformedError,
    NotPointsError,
    TruncatedError,
    WrongCrsError,
)
from mousetrap.sources.feed import Feed
from mousetrap.sources.parser import Page
from mousetrap.sources.properties import plain_number
from mousetrap.sources.source import Context
from mousetrap.sources.text import tidy

MAX_DEPTH: Final = 100
MAX_TEXT: Final = 1000
"""The characters of a text that are kept."""

MAX_ADDRESS: Final = 2000


class Language(NamedTuple):
    """The names of elements, without their namespaces."""

    roots: frozenset[str]
    features: frozenset[str]
    name: str
    id: str
    lines: frozenset[str]
    """Elements that hold other geometries than points."""


LANGUAGES: Final = {
    "kml": Language(
        frozenset({"kml"}),
        frozenset({"Placemark"}),
        "name",
        "@id",
        frozenset({"LineString", "LinearRing", "Polygon", "Model", "Track", "MultiTrack"}),
    ),
    "gpx": Language(
        frozenset({"gpx"}),
        frozenset({"wpt", "rte", "trk"}),
        "name",
        "@id",
        frozenset({"rte", "trk"}),
    ),
    "georss": Language(
        frozenset({"rss", "feed", "RDF"}),
        frozenset({"item", "entry"}),
        "title",
        "guid",
        frozenset({"line", "polygon", "box", "LineString", "Polygon", "Envelope"}),
    ),
}


class _Feature:
    """The known parts of the feature that is being read."""

    def __init__(self, depth: int) -> None:
        self.depth = depth
        self.texts: dict[str, str] = {}
        self.positions: list[tuple[str, str]] = []
        self.line = ""


class Markup:
    """Reads one document; its errors name a feature by its number, such as `feature 17`.

    A name, an id, a group and a value are texts of child elements, or in KML of `Data` and
    `SimpleData` by their names.
    """

    def __init__(
        self, settings: MarkupSettings | FileSettings, collector: Collector, *, language: str
    ) -> None:
        self._collector = collector
        self._language = LANGUAGES[language]
        self._points_only = settings.geometry == "points-only"
        self._name = settings.name or self._language.name
        identity = self._language.id if settings.changes else None
        self._id = settings.id or identity
        self._group, self._value = settings.group_by, settings.value_property
        self._count = 0
        self._next: str | None = None
        self._path: list[str] = []
        self._feature: _Feature | None = None
        self._data = ""
        self._kept: list[str] | None = None
        self._parser = expat.ParserCreate(namespace_separator=" ")
        self._parser.buffer_text = True
        self._parser.StartDoctypeDeclHandler = self._doctype
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._characters

    def feed(self, piece: bytes) -> None:
        """Collect the points of the features that are complete."""
        try:
            self._parser.Parse(piece, False)  # noqa: FBT003 - it takes no keywords
        except expat.ExpatError as error:
            raise MalformedError(
                f"the answer is not XML: {expat.ErrorString(error.code)} at line {error.lineno}:"
                " correct the feed or the url"
            ) from error

    def finish(self) -> Page:
        """Check that the document has ended."""
        try:
            self._parser.Parse(b"", True)  # noqa: FBT003
        except expat.ExpatError as error:
            raise TruncatedError(
                f"the answer ends in the middle of the XML, at line {error.lineno}: try again"
            ) from error
        return Page(self._count, next=self._next)

    def _doctype(self, *_: object) -> None:
        raise MalformedError(
            "the answer has a document type declaration, which no feed needs: check that the url"
            " is that of the feed and not of a web page"
        )

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        local = name.rpartition(" ")[2]
        self._path.append(local)
        if len(self._path) > MAX_DEPTH:
            raise MalformedError("the answer is nested too deeply: correct the feed")
        if len(self._path) == 1 and local not in self._language.roots:
            raise MalformedError(
                f"the answer is XML without {' or '.join(sorted(self._language.roots))} around it:"
                " correct the kind or the url of this source",
                excerpt=local,
            )
        if self._feature is None:
            self._outside(local, attributes)
        else:
            self._inside(self._feature, local, attributes)

    def _outside(self, local: str, attributes: Mapping[str, str]) -> None:
        if local in self._language.features:
            self._count += 1
            self._feature = _Feature(len(self._path))
            if "id" in attributes:
                self._feature.texts["@id"] = attributes["id"]
            if local in self._language.lines:
                self._feature.line = local
            elif "lat" in attributes or "lon" in attributes:
                position = attributes.get("lat", ""), attributes.get("lon", "")
                self._feature.positions.append(position)
        elif local == "NetworkLink":
            self._collector.warn("the document has network links, which are not followed")
        elif local == "link" and attributes.get("rel") == "next":  # RFC 5005
            self._next = attributes.get("href", "")[:MAX_ADDRESS] or None

    def _inside(self, feature: _Feature, local: str, attributes: Mapping[str, str]) -> None:
        if local in self._language.lines and not feature.line:
            feature.line = local
        if attributes.get("srsName", "4326")[-4:] not in ("4326", "RS84"):
            raise WrongCrsError(
                f"{self._collector.where(self._count)} declares another srsName than that of WGS"
                f" 84: {crs.ASK}",
                excerpt=attributes["srsName"],
            )
        if local in ("Data", "SimpleData"):
            self._data = attributes.get("name", "")
        self._kept = []

    def _characters(self, text: str) -> None:
        if self._kept is not None and len(self._kept) < MAX_TEXT:
            self._kept.append(text[:MAX_TEXT])

    def _end(self, _: str) -> None:
        depth, feature = len(self._path), self._feature
        local = self._path.pop()
        if feature is None:
            return
        if self._kept is not None and depth > feature.depth:
            self._keep(feature, local, "".join(self._kept)[:MAX_TEXT].strip())
        self._kept = None
        if depth == feature.depth:
            self._feature = None
            self._add(feature)

    def _keep(self, feature: _Feature, local: str, text: str) -> None:
        parent = self._path[-1]
        if local == "coordinates" and parent == "Point":
            lon, lat, *_ = [*text.split(",", 2), "", ""]
            feature.positions.append((lat, lon))
        elif local == "point" or (local == "pos" and parent == "Point"):
            lat, lon, *_ = [*text.replace(",", " ").split(), "", ""]
            feature.positions.append((lat, lon))
        elif local == "SimpleData" or (local == "value" and parent == "Data"):
            feature.texts.setdefault(self._data, text)
        elif local in ("lat", "long") or len(self._path) == feature.depth:
            feature.texts.setdefault(local, text)

    def _add(self, feature: _Feature) -> None:
        texts, index = feature.texts, self._count
        if not feature.positions and ("lat" in texts or "long" in texts):
            feature.positions.append((texts.get("lat", ""), texts.get("long", "")))
        if not feature.positions:
            self._without_point(feature)
        for position in feature.positions:
            lat, lon = map(plain_number, position)
            if lat is None or lon is None:
                self._collector.reject(index, NOT_NUMBERS, "the coordinates are not two numbers")
                continue
            value = texts.get(self._value) if self._value else None
            self._collector.add(
                index,
                lat,
                lon,
                _text(texts, self._name),
                id=_text(texts, self._id) or (_text(texts, "id") if self._id == "guid" else None),
                group=_text(texts, self._group),
                value=None if value is None else plain_number(value),
            )

    def _without_point(self, feature: _Feature) -> None:
        if not feature.line:
            self._collector.leave_out(self._count, NO_GEOMETRY)
        elif self._points_only:
            self._collector.leave_out(self._count, f"a {feature.line}")
        else:
            raise NotPointsError(
                f"{self._collector.where(self._count)} is a {feature.line}, and only points can be"
                ' summarised: choose a feed of points, or set geometry = "points-only" to leave'
                " others out"
            )


def _text(texts: Mapping[str, str], name: str | None) -> str | None:
    return tidy(texts.get(name, ""), MAX_NAME) or None if name else None


class MarkupFeed(Feed):
    """A document of one of the languages over HTTP."""

    language: ClassVar[str]
    location = "feature {}"

    def __init__(self, settings: MarkupSettings, context: Context) -> None:
        super().__init__(settings, context)
        self._markup = settings

    def parser(self, collector: Collector) -> Markup:
        """Return the parser of one document."""
        return Markup(self._markup, collector, language=self.language)


class KmlFeed(MarkupFeed):
    """A KML document (OGC 07-147) over HTTP."""

    language = "kml"
    media_types = ("application/vnd.google-earth.kml+xml", "application/xml", "text/xml")


class GpxFeed(MarkupFeed):
    """A GPX document (version 1.1) over HTTP."""

    language = "gpx"
    media_types = ("application/gpx+xml", "application/xml", "text/xml")


class GeorssFeed(MarkupFeed):
    """A feed of RSS or Atom with GeoRSS or W3C Basic Geo over HTTP."""

    language = "georss"
    media_types = ("application/atom+xml", "application/rss+xml", "application/xml", "text/xml")
