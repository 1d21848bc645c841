"""Batches and summaries as GeoJSON (RFC 7946)."""

from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType

from mousetrap.api.schema.fields import (
    BoundingBox,
    Count,
    FetchedAt,
    FinishedAt,
    JobId,
    Latitude,
    Longitude,
    NextCursor,
    ProcessedAt,
    RequestedAt,
    SourceName,
)
from mousetrap.api.schema.summary import Place, Summary, SummaryDetails


class PointGeometry(Struct, frozen=True, tag="Point", tag_field="type"):
    """A GeoJSON geometry."""

    coordinates: Annotated[
        tuple[Longitude, Latitude], Meta(description="[lon, lat]", examples=[[-2.11, 57.15]])
    ]


class FeatureProperties(Struct, frozen=True):
    """The properties of a point."""

    name: Annotated[str | None, Meta(examples=["Aberdeen"])]
    group: Annotated[
        str | UnsetType | None, Meta(description="the value of `group_by` of the source")
    ] = UNSET
    value: Annotated[
        float | UnsetType | None, Meta(description="the value of `value_property` of the source")
    ] = UNSET


class Feature(Struct, frozen=True, tag="Feature", tag_field="type"):
    """A point as a GeoJSON feature."""

    geometry: PointGeometry
    properties: FeatureProperties
    id: Annotated[str | UnsetType, Meta(description="the id of the feature in its source")] = UNSET


class FeatureCollection(Struct, frozen=True, tag="FeatureCollection", tag_field="type"):
    """A batch as GeoJSON (RFC 7946)."""

    bbox: BoundingBox
    features: list[Feature]


class SummaryProperties(SummaryDetails, frozen=True):
    """The fields of a summary except its centroid and its box."""

    job_id: JobId
    source: SourceName
    requested_at: RequestedAt
    fetched_at: FetchedAt
    finished_at: FinishedAt
    processed_at: ProcessedAt
    count: Count
    most_northerly: Annotated[Place, Meta(description="the most northerly point")]


class SummaryFeature(Struct, frozen=True, tag="Feature", tag_field="type"):
    """A summary as a GeoJSON feature: its centroid, within its box."""

    id: JobId
    bbox: BoundingBox
    geometry: Annotated[
        PointGeometry | None,
        Meta(description="the centroid; null when the points cancel each other out"),
    ]
    properties: SummaryProperties

    @classmethod
    def of(cls, summary: Summary) -> "SummaryFeature":
        """Return a summary as a feature."""
        centroid = summary.centroid
        return cls(
            id=summary.job_id,
            bbox=summary.bbox,
            geometry=None if centroid is None else PointGeometry((centroid[1], centroid[0])),
            properties=SummaryProperties(
                **{it: getattr(summary, it) for it in SummaryProperties.__struct_fields__}
            ),
        )


class NoSummaryFeature(Struct, frozen=True, tag="Feature", tag_field="type"):
    """The source has no summary yet: a feature that is nowhere."""

    geometry: None = None
    properties: None = None


class SummaryCollection(Struct, frozen=True, tag="FeatureCollection", tag_field="type"):
    """Summaries as GeoJSON, the newest request first."""

    features: list[SummaryFeature]
    next: NextCursor
