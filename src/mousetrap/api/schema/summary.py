"""Summaries."""

from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType

from mousetrap.api.schema.details import Changes, Grid, Groups, Statistics
from mousetrap.api.schema.feed import Feed
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

GroupCounts = Annotated[
    Groups, Meta(description="the points by value; absent unless the source has `group_by`")
]
ValueStatistics = Annotated[
    Statistics,
    Meta(description="the numbers of the points; absent unless the source has `value_property`"),
]
Density = Annotated[
    Grid, Meta(description="the density of the points; absent unless the source has `grid`")
]
FeedReport = Annotated[
    Feed, Meta(description="how the batch came about; summaries of earlier versions lack it")
]

ChangeCounts = Annotated[
    Changes,
    Meta(description="what is new or gone; absent unless the source has `changes`"),
]


class Place(Struct, frozen=True):
    """A point of the batch."""

    lat: Latitude
    lon: Longitude
    name: Annotated[str | None, Meta(description="its name, if it has one", examples=["Aberdeen"])]


class SummaryDetails(Struct, frozen=True, kw_only=True):
    """The fields that a summary may lack, the same in each format; they come last."""

    groups: GroupCounts | UnsetType = UNSET
    values: ValueStatistics | UnsetType = UNSET
    grid: Density | UnsetType = UNSET
    feed: FeedReport | UnsetType = UNSET
    changes: ChangeCounts | UnsetType = UNSET


class Summary(SummaryDetails, frozen=True):
    """The summary of a batch of points, as stored."""

    job_id: JobId
    source: SourceName
    requested_at: RequestedAt
    fetched_at: FetchedAt
    finished_at: FinishedAt
    processed_at: ProcessedAt
    count: Count
    centroid: Annotated[
        tuple[Latitude, Longitude] | None,
        Meta(
            description="[lat, lon] of the centroid on the sphere;"
            " null when the points cancel each other out",
            examples=[[38.91, -121.47]],
        ),
    ]
    most_northerly: Annotated[Place, Meta(description="the most northerly point")]
    bbox: BoundingBox


class NoSummary(Struct, frozen=True, forbid_unknown_fields=True):
    """The source has no summary yet."""


class SummaryPage(Struct, frozen=True):
    """Summaries, the newest request first."""

    items: list[Summary]
    next: NextCursor
