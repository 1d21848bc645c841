"""Reads the columns of a batch, and only as many entries as a batch may have.

A decoded entry takes far more memory than its text. So the entries are counted before they are
decoded: a message that is within the limit of bytes must not end the process that reads it.
"""

from typing import Any, Final, Literal
from uuid import UUID

import msgspec
from msgspec import Raw, Struct

from mousetrap.geo.batch import Batch
from mousetrap.messages import schema
from mousetrap.messages.schema import BATCH_VERSION, MAX_POINTS, Attempt, Instant, TraceParent

_NUMBERS: Final = msgspec.json.Decoder(tuple[float, ...])
_NAMES: Final = msgspec.json.Decoder(tuple[str | None, ...])


class Columns(Struct):
    """The columns of a batch as they came."""

    latitudes: Raw
    longitudes: Raw
    names: Raw

    def read(self) -> Batch:
        """Return the batch; raises ValueError, or what msgspec does, naming the column."""
        latitudes = _numbers("latitudes", self.latitudes)
        longitudes = _numbers("longitudes", self.longitudes)
        if _quotes(self.names) > 2 * len(latitudes):
            raise ValueError(f"more names than the {len(latitudes)} latitudes")
        return Batch(latitudes, longitudes, _decoded("names", _NAMES, self.names))


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
        )


def _numbers(name: str, column: Raw) -> tuple[float, ...]:
    if bytes(column).count(b",") >= MAX_POINTS:
        raise ValueError(f"more than {MAX_POINTS} {name}")
    numbers: tuple[float, ...] = _decoded(name, _NUMBERS, column)
    return numbers


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
        reason, path, place = str(error).partition(" - at `$")
        where = f"{path or ' - at `$'}.batch.{name}{place or '`'}"
        raise msgspec.ValidationError(f"{reason}{where}") from error
