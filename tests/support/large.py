"""Large batches on their way, in a few small pieces."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import msgspec

from mousetrap.geo.batch import Batch
from mousetrap.messages.schema import LargeBatchFetched, Pieces
from mousetrap.queue.pieces import PieceStore, new_key
from support.samples import FETCHED_AT, REPORT


async def in_pieces(
    pieces: PieceStore, job_id: UUID, batch: Sequence[Batch], **fields: Any
) -> LargeBatchFetched:
    """Keep these pieces; return the message that tells of them."""
    key = new_key()
    await pieces.put(key, [msgspec.json.encode(it) for it in batch])
    return LargeBatchFetched(
        job_id,
        FETCHED_AT,
        Pieces(
            key,
            tuple(map(len, batch)),
            ids=any(it.ids for it in batch),
            groups=any(it.groups for it in batch),
            values=any(it.values for it in batch),
        ),
        report=REPORT,
        **fields,
    )


def joined(batch: Sequence[Batch]) -> Batch:
    """Return one batch, whose points all have the columns that any has."""

    def column(name: str) -> tuple[Any, ...]:
        if not any(getattr(it, name) for it in batch):
            return ()
        parts = (getattr(it, name) or (None,) * len(it) for it in batch)
        return tuple(entry for part in parts for entry in part)

    names = ("latitudes", "longitudes", "names", "ids", "groups", "values")
    return Batch(*map(column, names))
