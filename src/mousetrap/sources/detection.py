"""Finds out the kind of a document, and with which keys `sources.toml` names it."""

import csv
from codecs import BOM_UTF8
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec

from mousetrap.sources import diagnosis, table
from mousetrap.sources.errors import MalformedError
from mousetrap.sources.records import DELIMITERS
from mousetrap.sources.sequence import RECORD_SEPARATOR

type Keys = dict[str, Any]
"""The keys of an entry of `sources.toml`, beside its address."""

SAMPLE: Final = 1000
"""The features, records or lines that are looked at."""
MAX_DEPTH: Final = 4
LATITUDES: Final = (*table.LATITUDES, "breitengrad", "breite", "latitud")
LONGITUDES: Final = (*table.LONGITUDES, "laengengrad", "längengrad", "longitud")
NAMES: Final = (
    *table.NAMES,
    *("station_name", "site", "location", "city"),
    *("nom", "nombre", "bezeichnung", "description", "id", "code"),
)


def detect(document: bytes) -> Keys:
    """Return the keys for a document, among them `kind`.

    Raises MalformedError, which says what a person can do, for a document of no known kind.
    """
    text = document.removeprefix(BOM_UTF8).lstrip()
    if not text:
        raise MalformedError("the answer is empty: check the address")
    if text.startswith(RECORD_SEPARATOR):
        return {"kind": "geojsonseq", **_named(_properties(_texts(text)), "name_property")}
    if text[:1] in b"{[":
        body = bytearray(text)
        return _json(bytes(body) if diagnosis.mend_surrogates(body) else text)
    if text[:1] == b"<":
        return _markup(text)
    return _table(text)


def _json(text: bytes) -> Keys:
    try:
        whole = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        lines = list(_texts(text))
        if len(lines) > 1 and lines[0].get("type") == "Feature":
            return {"kind": "geojsonseq", **_named(_properties(lines), "name_property")}
        raise MalformedError(f"the answer is not JSON: {error}: correct the feed") from error
    if isinstance(whole, dict):
        if whole.get("type") == "FeatureCollection":
            features = [it for it in _list(whole.get("features")) if isinstance(it, dict)]
            return {"kind": "geojson", **_named(_properties(features), "name_property")}
        if isinstance(whole.get("features"), list) and {"geometryType", "spatialReference"} & {
            *whole
        }:
            return {"kind": "json", "preset": "esri"}
        data = whole.get("data")
        if isinstance(data, dict) and isinstance(data.get("stations"), list):
            return {"kind": "json", "preset": "gbfs"}
    return _records(whole)


def _records(whole: object) -> Keys:
    """Return the keys for the first list of records with a latitude and a longitude."""
    waiting: deque[tuple[str, object]] = deque([("", whole)])
    while waiting:
        path, value = waiting.popleft()
        records = [it for it in _list(value) if isinstance(it, dict)]
        if records:
            lat, lon = _find(_paths(records), LATITUDES), _find(_paths(records), LONGITUDES)
            if lat and lon:
                where = {"records": path} if path else {}  # without it, the document is the list
                found = {"kind": "json", **where, "lat": lat, "lon": lon}
                return found | _named(records, "name")
        if isinstance(value, dict) and path.count(".") < MAX_DEPTH:
            waiting.extend((f"{path}.{name}" if path else name, it) for name, it in value.items())
    raise MalformedError(
        "the answer is JSON, but no FeatureCollection, and no list in it has records with a"
        " latitude and a longitude: set kind and the paths by hand"
    )


def _markup(text: bytes) -> Keys:
    head = text[:4096].lower()
    for kind, mark in (
        ("kml", b"<kml"),
        ("gpx", b"<gpx"),
        ("georss", b"<rss"),
        ("georss", b"<feed"),
    ):
        if mark in head:
            return {"kind": kind}
    page = "an HTML page" if diagnosis.HTML.search(head) else "XML of another kind"
    raise MalformedError(f"the answer is {page}, not a feed of points: check the address")


def _table(text: bytes) -> Keys:
    encoding = "utf-8"
    try:
        decoded = text.decode()
    except UnicodeDecodeError:
        encoding = "windows-1252"
        decoded = text.decode(encoding, "replace")
    lines = decoded.splitlines()[: SAMPLE + 1]
    delimiter = max(DELIMITERS, key=lines[0].count)
    rows = list(csv.reader(lines, delimiter=delimiter))
    titles, rows = rows[0], [row for row in rows[1:] if len(row) == len(rows[0])]
    lat, lon = _find(titles, LATITUDES), _find(titles, LONGITUDES)
    if not lat or not lon:
        raise MalformedError(
            "the answer is neither JSON nor XML, and its first line names no column for a latitude"
            f" and a longitude ({_listed(titles)}): set kind, lat and lon by hand"
        )
    keys: Keys = {"kind": "csv", "lat": lat, "lon": lon}
    records = [dict(zip(titles, row, strict=True)) for row in rows]
    keys |= _named(records, "name")
    if encoding != "utf-8":
        keys["encoding"] = encoding
    if delimiter != "," and any("," in record[lat] for record in records):
        keys["decimal_comma"] = True
    return keys


def _texts(text: bytes) -> Iterator[dict[str, Any]]:
    for line in text.replace(RECORD_SEPARATOR, b"\n").splitlines()[:SAMPLE]:
        try:
            value = msgspec.json.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            continue
        if isinstance(value, dict):
            yield value


def _properties(features: Iterable[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
    found = (it.get("properties") for it in features)
    return [it for it in found if isinstance(it, dict)][:SAMPLE]


def _named(records: Sequence[Mapping[str, Any]], key: str) -> Keys:
    """Return the key for the member that names a record, if there is one."""
    chosen = _find(_paths(records), NAMES) or _most_telling(records)
    return {key: chosen} if chosen else {}


def _most_telling(records: Sequence[Mapping[str, Any]]) -> str | None:
    """Return the member whose texts differ most, of those that have a text in most records."""
    texts = {
        name: [it[name] for it in records[:SAMPLE] if isinstance(it.get(name), str) and it[name]]
        for name in _paths(records)
    }
    different = {name: len(set(it)) for name, it in texts.items() if 2 * len(it) >= len(records)}
    return max(different, key=lambda name: different[name], default=None)


def _paths(records: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the names of the members of records, the most frequent first."""
    return [
        name for name, _ in Counter(name for it in records[:SAMPLE] for name in it).most_common()
    ]


def _find(names: Iterable[str], wanted: Sequence[str]) -> str | None:
    by_lower = {name.strip().lower(): name for name in names}
    return next((by_lower[it] for it in wanted if it in by_lower), None)


def _list(value: object) -> list[Any]:
    return value[:SAMPLE] if isinstance(value, list) else []


def _listed(titles: Sequence[str]) -> str:
    return ", ".join(title[:30] for title in titles[:8])
