"""How the batch of a summary came about."""

from typing import Annotated

from msgspec import Meta, Struct

from mousetrap.geo.report import MAX_NOTES, MAX_REASONS


class Skipped(Struct, frozen=True):
    """The features that were left out of the batch."""

    count: Annotated[int, Meta(ge=0, description="the number of features", examples=[12])]
    reasons: Annotated[
        dict[str, int],
        Meta(
            description=f"the number by reason; at most {MAX_REASONS} reasons are told apart",
            examples=[{"no geometry": 12}],
        ),
    ]
    first: Annotated[
        list[str],
        Meta(
            description=f"the first of them, at most {MAX_NOTES}",
            examples=[["features[17]: no geometry"]],
        ),
    ]


class Feed(Struct, frozen=True):
    """How a batch came about."""

    skipped: Skipped
    pages: Annotated[
        int,
        Meta(
            ge=0,
            description="the number of answers that the batch was read from;"
            " 0 when no server was asked",
            examples=[1],
        ),
    ]
    bytes: Annotated[
        int,
        Meta(ge=0, description="the size of these answers, decompressed", examples=[1_048_576]),
    ]
    status: Annotated[
        int | None,
        Meta(
            description="the HTTP status of the last answer; 304 when the source had not changed;"
            " null when no server was asked",
            examples=[200],
        ),
    ]
    seconds: Annotated[float, Meta(ge=0, description="the duration of the fetch", examples=[0.94])]
    truncated: Annotated[
        bool, Meta(description="whether the source has more points than the batch")
    ]
    warnings: Annotated[
        list[str],
        Meta(description=f"advice for the operator of the source, at most {MAX_NOTES} sentences"),
    ]
