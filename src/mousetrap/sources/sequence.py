"""Sequences of GeoJSON texts, read as they arrive (RFC 8142), and GeoJSON in lines."""

from codecs import BOM_UTF8
from typing import Final

import msgspec
from msgspec import Raw, Struct

from mousetrap.settings.source_kinds import FileSettings, GeojsonseqSettings
from mousetrap.sources import diagnosis, geometry
from mousetrap.sources.collector import Collector
from mousetrap.sources.errors import MalformedError, TruncatedError
from mousetrap.sources.feed import Feed
from mousetrap.sources.geojson import SAMPLE, Feature, Reader, unquoted
from mousetrap.sources.geometry import Geometry
from mousetrap.sources.parser import Page
from mousetrap.sources.properties import ABSENT
from mousetrap.sources.source import Context

RECORD_SEPARATOR: Final = b"\x1e"
LINE_FEED: Final = b"\n"
TYPES: Final = ("Feature", "FeatureCollection", *geometry.TYPES)
MAX_TEXT: Final = 4 * 1024 * 1024
"""The maximum bytes of one text."""


class Text(Struct, gc=False):
    """A GeoJSON object: a geometry, a Feature or a FeatureCollection (RFC 8142 section 2)."""

    type: str | None = None
    geometry: Geometry | None = None
    properties: Raw = ABSENT
    id: Raw = ABSENT
    coordinates: Raw = ABSENT
    geometries: Raw = ABSENT
    features: list[Feature] | None = None

    def __post_init__(self) -> None:
        if self.type not in TYPES and self.geometry is None:
            raise ValueError("neither its type nor a geometry is that of GeoJSON")

    def all(self) -> list[Feature]:
        """Return its features."""
        if self.features is not None:
            return self.features
        shape = self.geometry
        if self.type in geometry.TYPES:
            shape = msgspec.convert(
                {"type": self.type, "coordinates": self.coordinates, "geometries": self.geometries},
                Geometry,
            )
        return [Feature(type="Feature", geometry=shape, properties=self.properties, id=self.id)]


TEXT: Final = msgspec.json.Decoder(Text)


class GeojsonseqFeed(Feed):
    """A sequence of GeoJSON texts over HTTP."""

    media_types = (
        "application/geo+json-seq",
        "application/x-ndjson",
        "application/jsonl",
        "application/json-seq",
    )
    location = "text {}"

    def __init__(self, settings: GeojsonseqSettings, context: Context) -> None:
        super().__init__(settings, context)
        self._sequence = settings

    def parser(self, collector: Collector) -> "Sequence":
        """Return the parser of one sequence."""
        return Sequence(self._sequence, collector)


class Sequence(Reader):
    """Reads one sequence; its errors name a text by its number, which is that of its line.

    Texts are separated by RS, or are lines if the first of them does not begin with RS. One that is
    no GeoJSON object is bad, and the rest is read where `max_bad` allows that (RFC 7464 section
    2.1).
    """

    def __init__(self, settings: GeojsonseqSettings | FileSettings, collector: Collector) -> None:
        super().__init__(settings, collector)
        self._rest = bytearray()
        self._separator = b""
        self._count = self._texts = 0

    def feed(self, piece: bytes) -> None:
        """Collect the points of the texts that are complete."""
        self._rest += piece
        if not self._separator:
            if not self._begin():
                return
            piece = bytes(self._rest)
        if self._separator in piece:
            *texts, self._rest = self._rest.split(self._separator)
            for text in texts:
                self._read(text)
        if len(self._rest) > MAX_TEXT:
            raise MalformedError(
                f"{self._collector.where(self._count + 1)} has more than {MAX_TEXT} bytes: correct"
                " the feed, and check that it is a sequence of texts and not one document"
            )

    def finish(self) -> Page:
        """Collect the points of the last text."""
        self._read(self._rest, last=True)
        if not self._texts:
            raise TruncatedError("the answer is empty: check the url, or try again")
        self.explain(self._sample)
        return Page(self._features)

    def _begin(self) -> bool:
        """Find the separator; return whether it is known."""
        head = bytes(self._rest[: len(BOM_UTF8)])
        if BOM_UTF8.startswith(head) and head != BOM_UTF8:
            return False
        self._rest = self._rest.removeprefix(BOM_UTF8)
        texts = self._rest.lstrip()
        self._count += self._rest[: len(self._rest) - len(texts)].count(LINE_FEED)
        self._rest = texts
        if texts.startswith(RECORD_SEPARATOR):
            # It stands before each text, so there is none before the first one.
            self._separator, self._rest, self._count = RECORD_SEPARATOR, texts[1:], 0
        elif texts:
            self._separator = LINE_FEED
        return bool(texts)

    def _read(self, body: bytearray, *, last: bool = False) -> None:
        self._count += 1
        if not body or body.isspace():
            return
        try:
            features = self._decode(body).all()
        except (msgspec.DecodeError, RecursionError) as error:
            if last and "truncated" in str(error) and not body.endswith(LINE_FEED) and self._texts:
                raise TruncatedError(
                    f"the answer ends within {self._collector.where(self._count)}: try again"
                ) from error
            self._refuse(body, error)
            return
        self._texts += 1
        for feature in features:
            self.add(self._count, feature)
        self._features += len(features)
        self._sample += features[: SAMPLE - len(self._sample)]

    def _decode(self, body: bytearray) -> Text:
        try:
            return TEXT.decode(body)
        except msgspec.ValidationError:
            raise
        except msgspec.DecodeError:
            if diagnosis.mend_surrogates(body):
                return TEXT.decode(body)
            raise

    def _refuse(self, body: bytearray, error: Exception) -> None:
        self._texts += 1
        if self._texts == 1 and not body.startswith((b"{", b"[")):
            raise diagnosis.not_json(body, msgspec.DecodeError(str(error))) from error
        detail = f"it is no GeoJSON object ({unquoted(str(error).partition(' - at ')[0])})"
        if self._separator == LINE_FEED and self._texts == 1:
            detail += "; a document over several lines is of the kind geojson"
        self._collector.reject(self._count, "no GeoJSON object", detail, error=MalformedError)
