"""The messages between the API and the workers.

A message's `version` grows when an old reader could misread it; fields with a default may be
added without. Every message carries the number of the attempt that it belongs to; `requested_at`
is when its job was accepted, for those who measure, and `traceparent` what it comes of, in the form
of W3C Trace Context, for those who trace.

A reader does not trust the process that sent a message: every text has a length, and control
characters become U+FFFD.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from msgspec import Meta, Struct
from msgspec.structs import force_setattr

from mousetrap.geo.batch import Batch
from mousetrap.geo.point import MAX_NAME, Point
from mousetrap.messages.text import harmless

VERSION: Final = 1
BATCH_VERSION: Final = 2
MAX_DETAIL: Final = 2000
MAX_POINTS: Final = 250_000
"""The maximum number of points in a batch, as `max_points` of a source."""

# \Z, because $ lets a newline follow.
SourceName = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[a-z0-9][a-z0-9_-]*\Z")]
# The upper bound is that of the database's integer.
Attempt = Annotated[int, Meta(ge=1, le=2**31 - 1)]
Instant = Annotated[datetime, Meta(tz=True)]
Code = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[a-z0-9-]+\Z")]
# 55 characters in version 00; later versions may append to it.
TraceParent = Annotated[str, Meta(max_length=128)] | None


class FetchRequested(Struct, frozen=True, tag="fetch-requested", tag_field="type"):
    """A job waits for a batch from its source."""

    job_id: UUID
    source: SourceName
    attempt: Attempt = 1
    requested_at: Instant | None = None
    traceparent: TraceParent = None
    version: Literal[1] = VERSION


class BatchFetched(
    Struct, frozen=True, tag="batch-fetched", tag_field="type", rename={"job_id": "job"}
):
    """The batch of a job: at least one point, in the order in which the source gave them.

    A process worker of the version before does not read it. It does not find the job's id either,
    so it cannot fail the job, and the reconciler sends the job again.
    """

    job_id: UUID
    fetched_at: Instant
    batch: Batch
    attempt: Attempt = 1
    requested_at: Instant | None = None
    traceparent: TraceParent = None
    version: Literal[2] = BATCH_VERSION

    def __post_init__(self) -> None:
        if not self.batch:
            raise ValueError("a batch needs at least one point")
        force_setattr(self, "batch", _readable(self.batch))


class PointsFetched(Struct, frozen=True, tag="batch-fetched", tag_field="type"):
    """A BatchFetched of the version before, with an object for each point; only read."""

    job_id: UUID
    fetched_at: Instant
    points: tuple[Point, ...]
    attempt: Attempt = 1
    requested_at: Instant | None = None
    traceparent: TraceParent = None
    version: Literal[1] = VERSION

    def today(self) -> BatchFetched:
        """Return the message that today's sender would send; raises ValueError."""
        return BatchFetched(
            self.job_id,
            self.fetched_at,
            Batch.of(self.points),
            self.attempt,
            self.requested_at,
            self.traceparent,
        )


class FetchFailed(Struct, frozen=True, tag="fetch-failed", tag_field="type"):
    """No batch could be had: `code` is for programs, `detail` tells a person what to do.

    A detail longer than MAX_DETAIL characters is cut, not refused: a reason that quotes a long
    answer must not cost the job its only reason.
    """

    job_id: UUID
    failed_at: Instant
    code: Code
    detail: str
    retryable: bool
    attempt: Attempt = 1
    traceparent: TraceParent = None
    version: Literal[1] = VERSION

    def __post_init__(self) -> None:
        force_setattr(self, "detail", harmless(self.detail[:MAX_DETAIL]))


class SummaryStored(Struct, frozen=True, tag="summary-stored", tag_field="type"):
    """A summary was stored, and `stage` has to do something with it.

    `summary` is its document, as `GET /summaries` shows it. The attempt is that of the stage.
    """

    job_id: UUID
    stage: Annotated[str, Meta(min_length=1, max_length=64)]
    source: SourceName
    summary: dict[str, Any]
    attempt: Attempt = 1
    traceparent: TraceParent = None
    version: Literal[1] = VERSION


FetchOutcome = BatchFetched | FetchFailed
Message = FetchRequested | BatchFetched | FetchFailed | SummaryStored


def _readable(batch: Batch) -> Batch:
    """Return the batch with names that are harmless; raises ValueError when one is too long."""
    longest = max(map(len, filter(None, batch.names)), default=0)
    if longest > MAX_NAME:
        raise ValueError(f"a name has {longest} characters, {MAX_NAME} are allowed")
    if all(map(str.isprintable, filter(None, batch.names))):
        return batch
    return replace(batch, names=tuple(_harmless(batch.names)))


def _harmless(names: Iterable[str | None]) -> Iterable[str | None]:
    return (None if name is None else harmless(name) for name in names)
