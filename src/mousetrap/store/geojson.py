"""A batch as GeoJSON (RFC 7946), made of its columns."""

from collections.abc import Iterable
from typing import Final

import msgspec
from msgspec import Struct


class _Geometry(Struct, frozen=True, gc=False, tag="Point", tag_field="type"):
    coordinates: tuple[float, float]  # longitude first: section 3.1.1


class _Properties(Struct, frozen=True, gc=False):
    name: str | None


class _Feature(Struct, frozen=True, gc=False, tag="Feature", tag_field="type"):
    geometry: _Geometry
    properties: _Properties


END: Final = b"]}"
"""The end of a FeatureCollection."""


def begin(bbox: str) -> bytes:
    """Return the beginning of a FeatureCollection.

    `bbox` is the JSON array of west, south, east, north, as section 5 has it.
    """
    return f'{{"type":"FeatureCollection","bbox":{bbox},"features":['.encode()


def features(
    latitudes: Iterable[float], longitudes: Iterable[float], names: Iterable[str | None]
) -> bytes:
    """Return points as features with commas between, in their order, each with its `name`."""
    made = [
        _Feature(_Geometry((lon, lat)), _Properties(name))
        for lat, lon, name in zip(latitudes, longitudes, names, strict=True)
    ]
    return msgspec.json.encode(made)[1:-1]
