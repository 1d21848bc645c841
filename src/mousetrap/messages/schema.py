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
from itertools import chain
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from msgspec import Meta, Struct
from msgspec.structs import force_setattr

from mousetrap.geo.batch import Batch
from mousetrap.geo.point import MAX_NAME, Point
from mousetrap.geo.report import MAX_NOTE, MAX_NOTES, MAX_REASONS, Report, Skipped
from mousetrap.messages.text import harmless

VERSION: Final = 1
BATCH_VERSION: Final = 2
LARGE_VERSION: Final = 3
MAX_DETAIL: Final = 2000
MAX_POINTS: Final = 1_000_000
"""The maximum number of points in a batch, as `max_points` of a source."""

MAX_WHOLE: Final = 250_000
"""The maximum number of points in a message; the version before sent as many."""

MAX_PIECES: Final = 1000
MAX_PIECE_POINTS: Final = 10_000
MAX_PIECE_BYTES: Final = 4 * 1024 * 1024

MAX_NUMBER: Final = 2**53
NOTHING_TO_REPORT: Final = Report()

# \Z, because $ lets a newline follow.
SourceName = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[a-z0-9][a-z0-9_-]*\Z")]
MAX_ATTEMPT: Final = 2**31 - 1
"""The highest number of an attempt, which is an integer of the database."""

Attempt = Annotated[int, Meta(ge=1, le=MAX_ATTEMPT)]
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

    `grid` and `changes` say whether the summary is to have these parts.

    A process worker of the version before does not read it. It does not find the job's id either,
    so it cannot fail the job, and the reconciler sends the job again.
    """

    job_id: UUID
    fetched_at: Instant
    batch: Batch
    attempt: Attempt = 1
    requested_at: Instant | None = None
    traceparent: TraceParent = None
    report: Report = NOTHING_TO_REPORT
    grid: bool = False
    changes: bool = False
    version: Literal[2] = BATCH_VERSION

    def __post_init__(self) -> None:
        if not self.batch:
            raise ValueError("a batch needs at least one point")
        force_setattr(self, "batch", readable(self.batch))
        force_setattr(self, "report", _bounded(self.report))


class Pieces(Struct, frozen=True):
    """Where the points of a large batch are: in pieces beside the message, under its `key`.

    `points` are their numbers, piece by piece. `ids`, `groups` and `values` say whether any piece
    has this column.
    """

    key: Annotated[str, Meta(pattern=r"^[0-9a-f]{32}\Z")]
    points: Annotated[
        tuple[Annotated[int, Meta(ge=1, le=MAX_PIECE_POINTS)], ...],
        Meta(min_length=1, max_length=MAX_PIECES),
    ]
    ids: bool = False
    groups: bool = False
    values: bool = False

    def __post_init__(self) -> None:
        if len(self) > MAX_POINTS:
            raise ValueError(f"more than {MAX_POINTS} points")

    def __len__(self) -> int:
        return sum(self.points)


class LargeBatchFetched(
    Struct, frozen=True, tag="batch-fetched", tag_field="type", rename={"job_id": "for_job"}
):
    """A BatchFetched whose points are beside it, because they are many.

    A process worker of the version before cannot read it, and finds no job in it.
    """

    job_id: UUID
    fetched_at: Instant
    batch: Pieces
    attempt: Attempt = 1
    requested_at: Instant | None = None
    traceparent: TraceParent = None
    report: Report = NOTHING_TO_REPORT
    grid: bool = False
    changes: bool = False
    version: Literal[3] = LARGE_VERSION

    def __post_init__(self) -> None:
        force_setattr(self, "report", _bounded(self.report))


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


FetchOutcome = BatchFetched | LargeBatchFetched | FetchFailed
Message = FetchRequested | FetchOutcome | SummaryStored


def readable(batch: Batch) -> Batch:
    """Return the batch with texts that are harmless; raises ValueError when one is too long."""
    for what, column in (("names", batch.names), ("ids", batch.ids), ("groups", batch.groups)):
        longest = max(map(len, filter(None, column)), default=0)
        if longest > MAX_NAME:
            raise ValueError(f"{longest} characters in one of {what}, {MAX_NAME} are allowed")
    texts = chain(batch.names, batch.ids, batch.groups)
    if all(map(str.isprintable, filter(None, texts))):
        return batch
    return replace(
        batch,
        names=_harmless(batch.names),
        ids=_harmless(batch.ids),
        groups=_harmless(batch.groups),
    )


def _harmless(texts: Iterable[str | None]) -> tuple[str | None, ...]:
    return tuple(None if text is None else harmless(text) for text in texts)


def _bounded(report: Report) -> Report:
    """Return the report with harmless texts, as many and as long as they may be.

    Raises ValueError when a number cannot be one.
    """
    if report == NOTHING_TO_REPORT:
        return report
    skipped = report.skipped
    numbers = (skipped.count, *skipped.reasons.values(), report.pages, report.bytes, report.seconds)
    if not all(0 <= number <= MAX_NUMBER for number in numbers):
        raise ValueError("a number of the report is out of range")
    reasons = {_note(reason): count for reason, count in skipped.reasons.items()}
    return replace(
        report,
        skipped=Skipped(
            skipped.count,
            dict(list(reasons.items())[:MAX_REASONS]),
            tuple(map(_note, skipped.first[:MAX_NOTES])),
        ),
        warnings=tuple(map(_note, report.warnings[:MAX_NOTES])),
    )


def _note(text: str) -> str:
    return harmless(text[:MAX_NOTE])
