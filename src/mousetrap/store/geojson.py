"""A batch as GeoJSON (RFC 7946), or as a sequence of GeoJSON texts (RFC 8142)."""

from itertools import repeat
from typing import ClassVar, Final

import msgspec
from msgspec import UNSET, Struct, UnsetType

from mousetrap.store.formats import Columns


class _Geometry(Struct, frozen=True, gc=False, tag="Point", tag_field="type"):
    coordinates: tuple[float, float]  # longitude first: section 3.1.1


class _Properties(Struct, frozen=True, gc=False):
    name: str | None
    group: str | UnsetType | None = UNSET
    value: float | UnsetType | None = UNSET


class _Feature(Struct, frozen=True, gc=False, tag="Feature", tag_field="type"):
    geometry: _Geometry
    properties: _Properties
    id: str | UnsetType = UNSET  # one without an id lacks the member: section 3.2


class FeatureCollection:
    """One FeatureCollection, whose `bbox` follows section 5."""

    between: ClassVar[bytes] = b","
    end: ClassVar[bytes] = b"]}"

    def begin(self, bbox: str, first: Columns) -> bytes:  # noqa: ARG002 - as in Format
        """Return the beginning of the collection."""
        return f'{{"type":"FeatureCollection","bbox":{bbox},"features":['.encode()

    def points(self, part: Columns) -> bytes:
        """Return points as features with commas between."""
        return msgspec.json.encode(_features(part))[1:-1]


class FeatureSequence:
    """Features, each between a record separator and a newline (RFC 8142 section 2)."""

    between: ClassVar[bytes] = b""
    end: ClassVar[bytes] = b""

    def begin(self, bbox: str, first: Columns) -> bytes:  # noqa: ARG002 - as in Format
        """Return nothing: there is no head."""
        return b""

    def points(self, part: Columns) -> bytes:
        """Return points as features, one a line."""
        # A newline within a text is escaped in JSON.
        lines = _ENCODER.encode_lines(_features(part))
        return b"\x1e" + lines[:-1].replace(b"\n", b"\n\x1e") + b"\n"


_ENCODER: Final = msgspec.json.Encoder()


def _features(part: Columns) -> list[_Feature]:
    if part.plain:
        return [
            _Feature(_Geometry((lon, lat)), _Properties(name))
            for lat, lon, name in zip(part.latitudes, part.longitudes, part.names, strict=True)
        ]
    count = len(part.latitudes)
    return [
        _Feature(
            _Geometry((lon, lat)), _Properties(name, group, value), UNSET if it is None else it
        )
        for lat, lon, name, it, group, value in zip(
            part.latitudes,
            part.longitudes,
            part.names,
            part.ids or repeat(None, count),
            repeat(UNSET, count) if part.groups is None else part.groups,
            repeat(UNSET, count) if part.values is None else part.values,
            strict=True,
        )
    ]
