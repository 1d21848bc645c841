"""The types of fields that several bodies share."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from msgspec import Meta

EXAMPLE_ID = "0195f7c6-1c1f-7c6e-9d0a-5b8f0e6d2a11"
EXAMPLE_CURSOR = "j00000000000006ab"
EXAMPLE_TIME = "2026-11-23T20:15:04.120000Z"

# Without `tz` the schema of a time has no format.
Timestamp = Annotated[datetime, Meta(tz=True)]

JobId = Annotated[UUID, Meta(description="the job's id", examples=[EXAMPLE_ID])]
SourceName = Annotated[str, Meta(description="the name of a source", examples=["earthquakes"])]
Latitude = Annotated[
    float, Meta(ge=-90, le=90, description="degrees north, WGS 84", examples=[57.15])
]
Longitude = Annotated[
    float, Meta(ge=-180, le=180, description="degrees east, WGS 84", examples=[-2.11])
]
RequestedAt = Annotated[
    Timestamp, Meta(description="when the refresh was accepted", examples=[EXAMPLE_TIME])
]
FetchedAt = Annotated[
    Timestamp, Meta(description="when the batch was fetched", examples=[EXAMPLE_TIME])
]
FinishedAt = Annotated[
    Timestamp, Meta(description="when the job succeeded or failed", examples=[EXAMPLE_TIME])
]
ProcessedAt = Annotated[
    Timestamp,
    Meta(
        description="an earlier name of `finished_at`, for callers of earlier versions",
        examples=[EXAMPLE_TIME],
        extra_json_schema={"deprecated": True},
    ),
]
Count = Annotated[int, Meta(ge=1, description="the number of points", examples=[1707])]
BoundingBox = Annotated[
    tuple[Longitude, Latitude, Longitude, Latitude],
    Meta(
        description="[west, south, east, north] after RFC 7946 section 5;"
        " west is greater than east when the box crosses the antimeridian",
        examples=[[165.2, -60.9, -66.1, 71.3]],
    ),
]
NextCursor = Annotated[
    str | None,
    Meta(
        description="`cursor` of the next page; null on the last one",
        examples=[EXAMPLE_CURSOR],
    ),
]
