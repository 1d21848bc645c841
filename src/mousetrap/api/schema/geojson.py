"""Batches as GeoJSON (RFC 7946)."""

from typing import Annotated

from msgspec import Meta, Struct

from mousetrap.api.schema.fields import BoundingBox, Latitude, Longitude


class PointGeometry(Struct, frozen=True, tag="Point", tag_field="type"):
    """A GeoJSON geometry."""

    coordinates: Annotated[
        tuple[Longitude, Latitude], Meta(description="[lon, lat]", examples=[[-2.11, 57.15]])
    ]


class FeatureProperties(Struct, frozen=True):
    """What is known of a point."""

    name: Annotated[str | None, Meta(examples=["Aberdeen"])]


class Feature(Struct, frozen=True, tag="Feature", tag_field="type"):
    """A point as a GeoJSON feature."""

    geometry: PointGeometry
    properties: FeatureProperties


class FeatureCollection(Struct, frozen=True, tag="FeatureCollection", tag_field="type"):
    """A batch as GeoJSON (RFC 7946)."""

    bbox: BoundingBox
    features: list[Feature]
