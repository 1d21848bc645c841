"""Large batches, packed into pieces of JSON.

A point as an object or in a column of objects takes a hundred bytes or more, and half of that as
JSON, in which it is sent anyway.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import accumulate, chain, pairwise
from typing import Final

import msgspec

from mousetrap.geo.batch import Batch

PIECE: Final = 10_000
"""The maximum number of points in a piece; a batch that has no more is not packed."""

MAX_BYTES: Final = 4 * 1024 * 1024
"""The maximum bytes of a piece."""

_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(Batch).decode
_COLUMNS: Final = ("latitudes", "longitudes", "names", "ids", "groups", "values")


@dataclass(frozen=True, slots=True)
class PackedBatch:
    """A batch in pieces, each the JSON of a Batch of so many `points`.

    `ids`, `groups` and `values` say whether a point of any piece has one.
    """

    pieces: tuple[bytes, ...]
    points: tuple[int, ...]
    ids: bool = False
    groups: bool = False
    values: bool = False

    def __len__(self) -> int:
        return sum(self.points)

    def part(self, start: int, stop: int) -> Batch:
        """Return the points from `start` up to, but not including, `stop`."""
        bounds = pairwise(accumulate(self.points, initial=0))
        return _joined(
            self._unpacked(piece).part(max(start - begin, 0), max(stop - begin, 0))
            for piece, (begin, end) in zip(self.pieces, bounds, strict=True)
            if begin < stop and start < end
        )

    def _unpacked(self, piece: bytes) -> Batch:
        """Return the points of a piece, with the columns that any other has."""
        return _decode(piece).with_columns(ids=self.ids, groups=self.groups, values=self.values)


def pack(batch: Batch) -> Iterator[tuple[bytes, int]]:
    """Yield a batch as pieces, each with the number of its points."""
    piece = _encode(batch)
    if len(piece) <= MAX_BYTES:
        yield piece, len(batch)
        return
    half = len(batch) // 2
    yield from pack(batch.part(0, half))
    yield from pack(batch.part(half, len(batch)))


def whole(batch: Batch | PackedBatch) -> Batch:
    """Return all points of a batch, packed or not, as columns."""
    return batch if isinstance(batch, Batch) else batch.part(0, len(batch))


def _joined(parts: Iterable[Batch]) -> Batch:
    found = list(parts)
    if len(found) == 1:
        return found[0]
    columns = ([getattr(part, name) for part in found] for name in _COLUMNS)
    return Batch(*(tuple(chain.from_iterable(column)) for column in columns))
