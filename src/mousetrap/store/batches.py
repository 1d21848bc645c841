"""Keeps batches as columns, and gives them back as GeoJSON piece by piece.

A batch is kept in parts, so neither the process that writes it nor the one that reads it holds more
of it than a part.
"""

from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import msgspec

from mousetrap.geo.batch import Batch
from mousetrap.store import geojson
from mousetrap.store.engine import Engine
from mousetrap.store.errors import UnknownJobError
from mousetrap.store.text import storable

PART: Final = 1000
"""Points of a part: few enough that encoding one does not delay the event loop."""

SLICE: Final = 4 * 1024 * 1024

KEEP: Final = """
INSERT INTO batch_part (job_id, number, latitudes, longitudes, names)
VALUES ($1, $2, $3::text::json, $4::text::json, $5::text::json)
ON CONFLICT (job_id, number) DO NOTHING
"""

_FIRST: Final = """
SELECT document -> 'bbox' AS bbox, latitudes, longitudes, names,
    (SELECT count(*) FROM batch_part WHERE job_id = $1) AS parts
FROM batch_part JOIN summary USING (job_id)
WHERE job_id = $1 AND number = 0
"""
_NEXT: Final = """
SELECT latitudes, longitudes, names FROM batch_part WHERE job_id = $1 AND number = $2
"""
# A batch that the version before stored is one text, as large as the batch.
_TEXT: Final = """
SELECT substr(convert_to(geojson::text, 'UTF8'), $2, $3) AS slice FROM batch WHERE job_id = $1
"""

_NUMBERS: Final = msgspec.json.Decoder(list[float])
_NAMES: Final = msgspec.json.Decoder(list[str | None])


@dataclass(frozen=True, slots=True)
class Part:
    """The columns of at most PART points, each as a JSON array."""

    latitudes: str
    longitudes: str
    names: str

    def __len__(self) -> int:
        return len(self.latitudes) + len(self.longitudes) + len(self.names)


def parts(batch: Batch) -> Iterator[Part]:
    """Yield a batch in parts; U+FFFD stands for what Postgres does not take in a name."""
    for start in range(0, len(batch), PART):
        yield _part(batch.part(start, start + PART) if len(batch) > PART else batch)


def _part(batch: Batch) -> Part:
    names = [None if name is None else storable(name) for name in batch.names]
    return Part(*map(_encoded, (batch.latitudes, batch.longitudes, names)))


def _encoded(column: Sequence[object]) -> str:
    return msgspec.json.encode(column).decode()


async def pieces(engine: Engine, job_id: UUID) -> AsyncIterator[bytes]:
    """Yield a batch as a GeoJSON FeatureCollection in UTF-8; nothing if there is none.

    Holds no connection between two pieces. Raises UnknownJobError when the batch is deleted before
    the last piece, StoreUnavailableError and SchemaError.
    """
    found = await engine.fetch(_FIRST, job_id)
    if not found:
        async for piece in _slices(engine, job_id):
            yield piece
        return
    [first] = found
    count = first["parts"]
    begin = geojson.begin(first["bbox"]) + _features(first)
    if count == 1:
        yield begin + geojson.END
        return
    yield begin
    for number in range(1, count):
        rows = await engine.fetch(_NEXT, job_id, number)
        yield b"," + _features(_one(rows, job_id))
    yield geojson.END


async def _slices(engine: Engine, job_id: UUID) -> AsyncIterator[bytes]:
    start = 1
    rows = await engine.fetch(_TEXT, job_id, start, SLICE)
    while rows and (piece := rows[0]["slice"]):
        yield piece
        if len(piece) < SLICE:
            return
        start += SLICE
        rows = await engine.fetch(_TEXT, job_id, start, SLICE)
        _one(rows, job_id)


def _one(rows: Sequence[Any], job_id: UUID) -> Any:
    if not rows:
        raise UnknownJobError(f"the batch of job {job_id} was deleted while it was read")
    return rows[0]


def _features(row: Any) -> bytes:
    latitudes, longitudes, names = (row[it] for it in ("latitudes", "longitudes", "names"))
    return geojson.features(
        _NUMBERS.decode(latitudes), _NUMBERS.decode(longitudes), _NAMES.decode(names)
    )
