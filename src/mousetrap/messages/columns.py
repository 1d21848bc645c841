"""Reads the columns of a batch, and only as many entries as a batch may have.

A decoded entry takes far more memory than its text. So the entries are counted before they are
decoded: a message that is within the limit of bytes must not end the process that reads it.
"""

from typing import Any, Final, Literal
from uuid import UUID

import msgspec
from msgspec import Raw, Struct

from mousetrap.geo.batch import Batch
from mousetrap.geo.report import Report
from mousetrap.messages import schema
from mousetrap.messages.schema import (
    BATCH_VERSION,
    MAX_PIECE_BYTES,
    MAX_PIECE_POINTS,
    MAX_WHOLE,
    NOTHING_TO_REPORT,
    Attempt,
    Instant,
    TraceParent,
)

_NUMBERS: Final = msgspec.json.Decoder(tuple[float, ...])
_TEXTS: Final = msgspec.json.Decoder(tuple[str | None, ...])
_VALUES: Final = msgspec.json.Decoder(tuple[float | None, ...])
_NONE: Final = Raw(b"[]")


class Columns(Struct):
    """The columns of a batch as they came; a sender of the version before has only the first."""

    latitudes: Raw
    longitudes: Raw
    names: Raw
    ids: Raw = _NONE
    groups: Raw = _NONE
    values: Raw = _NONE

    def read(self, limit: int = MAX_WHOLE) -> Batch:
        """Return the batch; raises ValueError, or what msgspec does, naming the column."""
        latitudes = _numbers("latitudes", self.latitudes, limit)
        longitudes = _numbers("longitudes", self.longitudes, limit)
        return Batch(
            latitudes,
            longitudes,
            _texts("names", self.names, len(latitudes)),
            _texts("ids", self.ids, len(latitudes)),
            _texts("groups", self.groups, len(latitudes)),
            _numbers("values", self.values, limit, _VALUES),
        )


class BatchFetched(
    Struct, frozen=True, tag="batch-fetched", tag_field="type", rename={"job_id": "job"}
):
    """A message `schema.BatchFetched` of which the columns have not been read."""

    job_id: UUID
    fetched_at: Instant
    batch: Columns
    attempt: Attempt = 1
    requested_at: Instant | None = None
    traceparent: TraceParent = None
    report: Report = NOTHING_TO_REPORT
    grid: bool = False
    changes: bool = False
    version: Literal[2] = BATCH_VERSION

    def read(self) -> schema.BatchFetched:
        """Return the message; raises what `Columns.read` does."""
        return schema.BatchFetched(
            self.job_id,
            self.fetched_at,
            self.batch.read(),
            self.attempt,
            self.requested_at,
            self.traceparent,
            self.report,
            self.grid,
            self.changes,
        )


_COLUMNS: Final = msgspec.json.Decoder(Columns)


def read_piece(piece: bytes, points: int) -> Batch:
    """Return the points of a piece of a large batch; raises what `Columns.read` does.

    Raises ValueError, too, unless it has so many points.
    """
    if len(piece) > MAX_PIECE_BYTES:
        raise ValueError(f"a piece of more than {MAX_PIECE_BYTES} bytes")
    batch = _COLUMNS.decode(piece).read(MAX_PIECE_POINTS)
    if len(batch) != points:
        raise ValueError(f"a piece of {len(batch)} points in place of {points}")
    return schema.readable(batch)


def _numbers(
    name: str, column: Raw, limit: int, decoder: "msgspec.json.Decoder[Any]" = _NUMBERS
) -> Any:
    if bytes(column).count(b",") >= limit:
        raise ValueError(f"more than {limit} {name}")
    return _decoded(name, decoder, column)


def _texts(name: str, column: Raw, points: int) -> Any:
    if _quotes(column) > 2 * points:
        raise ValueError(f"more {name} than the {points} latitudes")
    return _decoded(name, _TEXTS, column)


def _quotes(column: Raw) -> int:
    """Return how many quotation marks are around texts, or fewer.

    One after a backslash is taken for part of a text. At worst, where texts end with a backslash,
    that finds half of them.
    """
    text = bytes(column)
    return text.count(b'"') - text.count(b'\\"')


def _decoded(name: str, decoder: "msgspec.json.Decoder[Any]", column: Raw) -> Any:
    try:
        return decoder.decode(column)
    except msgspec.ValidationError as error:
        reason, path, rest = str(error).partition(" - at `$")
        where = f"{path or ' - at `$'}.batch.{name}{rest or '`'}"
        raise msgspec.ValidationError(f"{reason}{where}") from error
