"""The members of a summary that a source has to ask for."""

from typing import Annotated
from uuid import UUID

from msgspec import Meta, Struct

from mousetrap.api.schema.fields import EXAMPLE_ID, Latitude, Longitude
from mousetrap.geo.changes import MAX_IDS
from mousetrap.geo.grid import MAX_CELLS
from mousetrap.geo.groups import MAX_GROUPS

Number = Annotated[float | None, Meta(description="null when no point has a number")]
Points = Annotated[int, Meta(ge=0)]


class Groups(Struct, frozen=True):
    """The numbers of points by the value of a property."""

    counts: Annotated[
        dict[str, int],
        Meta(
            description=f"the most frequent values, at most {MAX_GROUPS}, with their numbers of"
            " points, the most frequent one first",
            examples=[{"earthquake": 1690, "explosion": 12}],
        ),
    ]
    others: Annotated[Points, Meta(description="the points with any other value")]
    without: Annotated[Points, Meta(description="the points without a value")]
    distinct: Annotated[int, Meta(ge=0, description="the number of different values")]


class Statistics(Struct, frozen=True):
    """The statistics of a numeric property."""

    count: Annotated[int, Meta(ge=0, description="the number of points that have a number")]
    min: Number
    median: Number
    max: Number
    mean: Number


class Changes(Struct, frozen=True):
    """The numbers of features that are new or gone since the summary before."""

    since: Annotated[
        UUID | None,
        Meta(
            description="the job of that summary: when this one was made, the newest of those that"
            " were requested before; null, as the numbers are, when there was none to compare with",
            examples=[EXAMPLE_ID],
        ),
    ]
    new: Annotated[
        Annotated[int, Meta(ge=0)] | None, Meta(description="ids that only this batch has")
    ]
    gone: Annotated[
        Annotated[int, Meta(ge=0)] | None, Meta(description="ids that only that batch has")
    ]


class ChangedFeatures(Struct, frozen=True):
    """Features that are new, or gone."""

    count: Annotated[int, Meta(ge=0, description="the number of them")]
    ids: Annotated[list[str], Meta(description=f"the ids of the first of them, at most {MAX_IDS}")]


class ChangeList(Struct, frozen=True):
    """The features that are new or gone since the summary before."""

    since: Annotated[UUID, Meta(description="the job of that summary", examples=[EXAMPLE_ID])]
    new: ChangedFeatures
    gone: ChangedFeatures


class Grid(Struct, frozen=True):
    """The density of the points."""

    degrees: Annotated[
        float,
        Meta(
            gt=0,
            le=90,
            description="the width and the height of a cell: as small as it can be with at most"
            f" {MAX_CELLS} cells that have points",
            examples=[22.5],
        ),
    ]
    cells: Annotated[
        list[tuple[Latitude, Longitude, int]],
        Meta(
            description="[south, west, number of points] of each cell that has points",
            examples=[[[45.0, -22.5, 12]]],
        ),
    ]
