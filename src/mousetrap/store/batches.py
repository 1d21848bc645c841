"""Keeps batches as columns, and gives them back piece by piece.

A batch is kept in parts, so neither the process that writes it nor the one that reads it holds more
of it than a part.
"""

from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import msgspec

from mousetrap.geo.batch import Batch
from mousetrap.store.engine import Engine
from mousetrap.store.errors import EarlierBatchError, UnknownJobError
from mousetrap.store.formats import Columns, Format
from mousetrap.store.geojson import FeatureCollection
from mousetrap.store.text import storable

PART: Final = 1000
"""Points of a part: few enough that encoding one does not delay the event loop."""

SLICE: Final = 4 * 1024 * 1024

KEEP: Final = """
INSERT INTO batch_part (job_id, number, latitudes, longitudes, names, ids, groups, "values")
SELECT $1, number, latitudes::json, longitudes::json, names::json, ids::json, groups::json,
    vals::json
FROM unnest($2::integer[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[])
    AS given (number, latitudes, longitudes, names, ids, groups, vals)
ON CONFLICT (job_id, number) DO NOTHING
"""

_COLUMNS: Final = 'latitudes, longitudes, names, ids, groups, "values"'
_FIRST: Final = f"""
SELECT {_COLUMNS}, document -> 'bbox' AS bbox,
    (SELECT count(*) FROM batch_part WHERE job_id = $1) AS parts
FROM batch_part JOIN summary USING (job_id)
WHERE job_id = $1 AND number = 0
"""  # noqa: S608 - made of constants
_NEXT: Final = f"SELECT {_COLUMNS} FROM batch_part WHERE job_id = $1 AND number = $2"  # noqa: S608
# A batch that the version before stored is one text, as large as the batch.
_TEXT: Final = """
SELECT substr(convert_to(geojson::text, 'UTF8'), $2, $3) AS slice FROM batch WHERE job_id = $1
"""

GEOJSON: Final = FeatureCollection()
_encode: Final = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Part:
    """The columns of at most PART points, each as a JSON array."""

    latitudes: str
    longitudes: str
    names: str
    ids: str | None
    groups: str | None
    values: str | None

    @property
    def columns(self) -> tuple[str | None, ...]:
        """The columns in their order; None stands for one that the source does not ask for."""
        return self.latitudes, self.longitudes, self.names, self.ids, self.groups, self.values


def parts(batch: Batch) -> Iterator[Part]:
    """Yield a batch in parts; U+FFFD stands for what Postgres does not take in a text."""
    for start in range(0, len(batch), PART):
        yield _part(batch, slice(start, start + PART))


async def keep(engine: Engine, job_id: UUID, first: int, kept: Sequence[Part]) -> None:
    """Keep parts of a batch, numbered from `first` on."""
    numbers = list(range(first, first + len(kept)))
    columns = zip(*(part.columns for part in kept), strict=True)
    await engine.fetch(KEEP, job_id, numbers, *map(list, columns))


def _part(batch: Batch, points: slice) -> Part:
    return Part(
        _encoded(batch.latitudes[points]),
        _encoded(batch.longitudes[points]),
        _encoded(_storable(batch.names[points])),
        _encoded(_storable(batch.ids[points])) if batch.ids else None,
        _encoded(_storable(batch.groups[points])) if batch.groups else None,
        _encoded(batch.values[points]) if batch.values else None,
    )


def _storable(texts: Sequence[str | None]) -> Sequence[str | None]:
    if all(map(str.isprintable, filter(None, texts))):  # the common case, and the cheaper check
        return texts
    return [None if text is None else storable(text) for text in texts]


def _encoded(column: Sequence[object]) -> str:
    return _encode(column).decode()


async def pieces(engine: Engine, job_id: UUID, form: Format = GEOJSON) -> AsyncIterator[bytes]:
    """Yield a batch in a format, in UTF-8; nothing if there is none.

    Holds no connection between two pieces. Raises UnknownJobError when the batch is deleted before
    the last piece, EarlierBatchError, StoreUnavailableError and SchemaError.
    """
    found = await engine.fetch(_FIRST, job_id)
    if not found:
        async for piece in _slices(engine, job_id, form):
            yield piece
        return
    *columns, bbox, count = found[0]
    first = Columns.decode(*columns)
    begin = form.begin(bbox, first) + form.points(first)
    if count == 1:
        yield begin + form.end
        return
    yield begin
    for number in range(1, count):
        rows = await engine.fetch(_NEXT, job_id, number)
        yield form.between + form.points(Columns.decode(*_one(rows, job_id)))
    if form.end:
        yield form.end


async def _slices(engine: Engine, job_id: UUID, form: Format) -> AsyncIterator[bytes]:
    start = 1
    rows = await engine.fetch(_TEXT, job_id, start, SLICE)
    if rows and form is not GEOJSON:
        raise EarlierBatchError(f"an earlier version stored the batch of job {job_id} as GeoJSON")
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
