"""The coordinate reference system that a GeoJSON document of 2008 may declare.

RFC 7946 section 4 has WGS 84 only, and readers of it ignore `crs`. But servers still send it, and
positions in another system would be wrong without a word.
"""

import re
from dataclasses import dataclass
from typing import Final

import msgspec
from msgspec import Raw, Struct

from mousetrap.sources.errors import WrongCrsError
from mousetrap.sources.text import tidy

NOTHING: Final = Raw(b"null")
MAX_BYTES: Final = 10_000
MAX_SHOWN: Final = 100

_LONGITUDE_FIRST: Final = re.compile(
    r"(urn:(x-)?ogc:def:crs:ogc:[0-9.]*:|https?://(www\.)?opengis\.net/def/crs/ogc/[0-9.]+/|ogc:)?"
    r"crs:?84h?"
    r"|wgs[ _]?84|epsg:(4326|4979)|https?://(www\.)?opengis\.net/gml/srs/epsg\.xml#4326",
    re.IGNORECASE,
)
_LATITUDE_FIRST: Final = re.compile(
    r"(urn:(x-)?ogc:def:crs:epsg:[0-9.]*:|https?://(www\.)?opengis\.net/def/crs/epsg/[0-9.]+/)"
    r"(4326|4979)",
    re.IGNORECASE,
)
ASK: Final = (
    "ask the server for WGS 84, such as outSR=4326 (ArcGIS), srsName=EPSG:4326 (WFS) or"
    " crs=http://www.opengis.net/def/crs/OGC/1.3/CRS84 (OGC API), or convert the feed"
)


@dataclass(frozen=True, slots=True)
class Crs:
    """A name of WGS 84; `latitude_first` is the order of its axes after its authority."""

    name: str
    latitude_first: bool


class _Properties(Struct):
    name: Raw = NOTHING
    code: Raw = NOTHING
    urn: Raw = NOTHING


class _Member(Struct):
    type: Raw = NOTHING
    properties: _Properties | None = None


def declared(crs: Raw, where: str) -> Crs | None:
    """Return the system that the member `crs` of `where` declares; None where it declares none.

    Raises WrongCrsError unless it is WGS 84, in two dimensions or three.
    """
    name = _name(crs)
    if name is None:
        return None
    if _LONGITUDE_FIRST.fullmatch(name):
        return Crs(name, latitude_first=False)
    if _LATITUDE_FIRST.fullmatch(name):
        return Crs(name, latitude_first=True)
    raise WrongCrsError(
        f'{where} declares the crs "{name}", and only WGS 84 in the order longitude, latitude can'
        f" be summarised: {ASK}"
    )


def check_header(content_crs: str | None) -> None:
    """Raise WrongCrsError for a header Content-Crs of another system, or with latitude first.

    OGC API Features (part 2) has no member for it in the body. Unlike GeoJSON, it has the axes in
    the order of the authority, so EPSG:4326 has latitude first.
    """
    name = tidy((content_crs or "").strip(" <>"), MAX_SHOWN)
    if name and not _LONGITUDE_FIRST.fullmatch(name):
        raise WrongCrsError(
            f'the header Content-Crs declares "{name}", and only WGS 84 in the order longitude,'
            f" latitude can be summarised: {ASK}"
        )


def _name(crs: Raw) -> str | None:
    """Return the name of a system, harmless; "unreadable" for a member without a name."""
    raw = bytes(crs)
    if raw == b"null":
        return None
    if len(raw) > MAX_BYTES:
        return "unreadable"
    try:
        if raw.startswith(b'"'):
            return tidy(msgspec.json.decode(raw, type=str), MAX_SHOWN)
        properties = msgspec.json.decode(raw, type=_Member).properties or _Properties()
        code = bytes(properties.code).strip(b'"')
        if code.isdigit():
            return f"EPSG:{code[:MAX_SHOWN].decode()}"
        for member in (properties.name, properties.urn):
            if bytes(member) != b"null":
                return tidy(msgspec.json.decode(member, type=str), MAX_SHOWN)
    except (msgspec.DecodeError, UnicodeDecodeError):
        pass
    return "unreadable"
