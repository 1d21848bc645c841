"""The messages between the API and the workers.

A message's `version` grows when an old reader could misread it; fields with a default may be
added without. Every message carries the number of the attempt that it belongs to; `requested_at`
is when its job was accepted, for those who measure, and `traceparent` what it comes of, in the form
of W3C Trace Context, for those who trace.
"""

from datetime import datetime
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from msgspec import Meta, Struct
from msgspec.structs import force_setattr

from mousetrap.geo.point import Point

VERSION: Final = 1
MAX_DETAIL: Final = 2000

# \Z, because $ lets a newline follow.
SourceName = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[a-z0-9][a-z0-9_-]*\Z")]
# The upper bound is that of the database's integer.
Attempt = Annotated[int, Meta(ge=1, le=2**31 - 1)]
Instant = Annotated[datetime, Meta(tz=True)]


class FetchRequested(Struct, frozen=True, tag="fetch-requested", tag_field="type"):
    """A job waits for a batch from its source."""

    job_id: UUID
    source: SourceName
    attempt: Attempt = 1
    requested_at: Instant | None = None
    traceparent: str | None = None
    version: Literal[1] = VERSION


class BatchFetched(Struct, frozen=True, tag="batch-fetched", tag_field="type"):
    """The batch of a job: at least one point, in the order in which the source gave them."""

    job_id: UUID
    fetched_at: Instant
    points: Annotated[tuple[Point, ...], Meta(min_length=1)]
    attempt: Attempt = 1
    requested_at: Instant | None = None
    traceparent: str | None = None
    version: Literal[1] = VERSION


class FetchFailed(Struct, frozen=True, tag="fetch-failed", tag_field="type"):
    """No batch could be had: `code` is for programs, `detail` tells a person what to do.

    A detail longer than MAX_DETAIL characters is cut, not refused: a reason that quotes a long
    answer must not cost the job its only reason.
    """

    job_id: UUID
    failed_at: Instant
    code: Annotated[str, Meta(min_length=1, max_length=64)]
    detail: str
    retryable: bool
    attempt: Attempt = 1
    traceparent: str | None = None
    version: Literal[1] = VERSION

    def __post_init__(self) -> None:
        force_setattr(self, "detail", self.detail[:MAX_DETAIL])


class SummaryStored(Struct, frozen=True, tag="summary-stored", tag_field="type"):
    """A summary was stored, and `stage` has to do something with it.

    `summary` is its document, as `GET /summaries` shows it. The attempt is that of the stage.
    """

    job_id: UUID
    stage: Annotated[str, Meta(min_length=1, max_length=64)]
    source: SourceName
    summary: dict[str, Any]
    attempt: Attempt = 1
    traceparent: str | None = None
    version: Literal[1] = VERSION


FetchOutcome = BatchFetched | FetchFailed
Message = FetchRequested | BatchFetched | FetchFailed | SummaryStored
