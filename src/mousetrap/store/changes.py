"""Compares a batch with that of the summary before, and finds what came of it."""

import asyncio
from collections.abc import Sequence
from typing import Final
from uuid import UUID

import msgspec

from mousetrap.geo.changes import Changes, Comparison
from mousetrap.store.engine import Engine
from mousetrap.store.text import storable

# Written so that the index on source and sequence answers it with one entry, as in `summaries`.
_LAST: Final = """
SELECT last.job_id, (
    SELECT count(ids) FROM batch_part WHERE batch_part.job_id = last.job_id
) AS parts
FROM job
CROSS JOIN LATERAL (
    SELECT job_id, source FROM summary
    WHERE (source, sequence) < (job.source, job.sequence)
    ORDER BY source DESC, sequence DESC LIMIT 1
) AS last
WHERE job.id = $1 AND last.source = job.source
"""
_IDS: Final = "SELECT ids FROM batch_part WHERE job_id = $1 AND number = $2"
_LISTS: Final = """
SELECT changes, document -> 'changes' AS counts FROM summary WHERE job_id = $1
"""

NOTHING_BEFORE: Final = Changes()
_decode: Final = msgspec.json.Decoder(list[str | None]).decode


class ChangeStore:
    """The changes from summary to summary, by the ids of features.

    Both methods raise StoreUnavailableError or SchemaError.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def since_last(self, job_id: UUID, ids: Sequence[str | None]) -> Changes:
        """Return what the batch of a job has and lacks, compared with the last one of its source.

        The last one is that of the summary with the highest sequence below the job's of those that
        are stored now. One that is stored later, although it was requested before, is passed over.
        There is nothing to compare with when there is no such summary, when features of either
        batch have no ids, and when the last one is deleted meanwhile.
        """
        if not ids:
            return NOTHING_BEFORE
        rows = await self._engine.fetch(_LAST, job_id)
        if not rows or not rows[0]["parts"]:
            return NOTHING_BEFORE
        since, parts = rows[0]
        comparison = await asyncio.to_thread(Comparison, [it and storable(it) for it in ids])
        for number in range(parts):
            found = await self._engine.fetch(_IDS, since, number)
            if not found:
                return NOTHING_BEFORE
            comparison.add(_decode(found[0]["ids"]))
        return comparison.changes(since)

    async def lists(self, job_id: UUID) -> tuple[str | None, str | None] | None:
        """Return the ids and the counts of what changed with a summary, each as a JSON object.

        None if there is no such summary; either is None if it has none.
        """
        rows = await self._engine.fetch(_LISTS, job_id)
        return tuple(rows[0]) if rows else None
