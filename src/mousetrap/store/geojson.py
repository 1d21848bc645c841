"""A batch as GeoJSON (RFC 7946)."""

from collections.abc import Iterable

import msgspec
from msgspec import Struct

from mousetrap.geo.bounds import BoundingBox
from mousetrap.geo.point import Point
from mousetrap.store.text import storable


class _Geometry(Struct, frozen=True, gc=False, tag="Point", tag_field="type"):
    coordinates: tuple[float, float]  # longitude first: section 3.1.1


class _Properties(Struct, frozen=True, gc=False):
    name: str | None


class _Feature(Struct, frozen=True, gc=False, tag="Feature", tag_field="type"):
    geometry: _Geometry
    properties: _Properties


class _FeatureCollection(Struct, frozen=True, tag="FeatureCollection", tag_field="type"):
    bbox: BoundingBox
    features: list[_Feature]


def encode(points: Iterable[Point], bbox: BoundingBox) -> str:
    """Return a FeatureCollection of the points, in their order, each with its `name` or null.

    `bbox` is west, south, east, north, as section 5 has it.
    """
    features = [
        _Feature(
            _Geometry((point.lon, point.lat)),
            _Properties(None if point.name is None else storable(point.name)),
        )
        for point in points
    ]
    return msgspec.json.encode(_FeatureCollection(bbox, features)).decode()
