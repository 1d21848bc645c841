"""Compares a batch with that of the summary before: which ids are new, and which are gone."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

import msgspec

from mousetrap.geo.changes import MAX_IDS, Changes
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
_GIVEN: Final = "json_array_elements_text($2::text::json) WITH ORDINALITY AS it (id, ordinal)"
_STORED: Final = """
batch_part CROSS JOIN json_array_elements_text(ids) WITH ORDINALITY AS it (id, ordinal)
WHERE job_id = $2
"""
_ORDINAL: Final = "number::bigint * 1000000 + ordinal"  # a part has fewer points
# Postgres compares, since it needs no more memory for a million ids than for a few.
_COMPARE: Final = """
WITH fresh AS (
    SELECT id COLLATE "C" AS id, min({ordinal}) AS ordinal FROM {given} GROUP BY 1
), former AS (
    SELECT id COLLATE "C" AS id, min({stored_ordinal}) AS ordinal
    FROM batch_part CROSS JOIN json_array_elements_text(ids) WITH ORDINALITY AS it (id, ordinal)
    WHERE job_id = $1 GROUP BY 1
), compared AS MATERIALIZED (
    SELECT id, fresh.ordinal AS new_at, former.ordinal AS gone_at
    FROM fresh FULL JOIN former USING (id)
    WHERE (fresh.id IS NULL OR former.id IS NULL) AND id IS NOT NULL
)
SELECT count(new_at) AS new, count(gone_at) AS gone,
    ARRAY(SELECT id FROM compared WHERE new_at IS NOT NULL ORDER BY new_at LIMIT $3) AS new_ids,
    ARRAY(SELECT id FROM compared WHERE gone_at IS NOT NULL ORDER BY gone_at LIMIT $3) AS gone_ids,
    (SELECT count(*) FROM batch_part WHERE job_id = $1) AS parts
FROM compared
"""
_WITH_GIVEN: Final = _COMPARE.format(ordinal="ordinal", given=_GIVEN, stored_ordinal=_ORDINAL)
_WITH_STORED: Final = _COMPARE.format(ordinal=_ORDINAL, given=_STORED, stored_ordinal=_ORDINAL)
_LISTS: Final = """
SELECT changes, document -> 'changes' AS counts FROM summary WHERE job_id = $1
"""

FEW: Final = 50
PATIENCE: Final = 60.0
"""Seconds that a comparison may take with more parts than FEW, or with a stored batch."""

NOTHING_BEFORE: Final = Changes()
_encode: Final = msgspec.json.Encoder().encode


class ChangeStore:
    """The changes from summary to summary, by the ids of features.

    All methods raise StoreUnavailableError or SchemaError.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def since_last(self, job_id: UUID, ids: Sequence[str | None]) -> Changes:
        """Return which ids the batch of a job has and lacks, compared with the last of its source.

        Compares with the stored summary of the next lower sequence; one stored after this call is
        passed over. Returns no changes when there is no such summary, when features of either batch
        have no ids, and when the last one is deleted meanwhile.
        """
        if not ids:
            return NOTHING_BEFORE
        given = _encode([it and storable(it) for it in ids]).decode()
        since, parts = await self._last(job_id)
        if parts <= FEW:
            return await self._compare(since, parts, _WITH_GIVEN, given)
        async with self._engine.atomically(deadline=PATIENCE):
            return await self._compare(since, parts, _WITH_GIVEN, given)

    async def since_last_of_stored(self, job_id: UUID) -> Changes:
        """Return the changes of a batch whose parts, with ids, are stored in this transaction."""
        since, parts = await self._last(job_id)
        return await self._compare(since, parts, _WITH_STORED, job_id)

    async def _last(self, job_id: UUID) -> tuple[UUID | None, int]:
        """Return the last batch of the source of a job, and how many of its parts have ids."""
        rows = await self._engine.fetch(_LAST, job_id)
        return tuple(rows[0]) if rows else (None, 0)

    async def _compare(
        self, since: UUID | None, parts: int, statement: str, given: object
    ) -> Changes:
        if not parts:
            return NOTHING_BEFORE
        arguments = statement, since, given, MAX_IDS
        if parts <= FEW and statement is _WITH_GIVEN:
            [it] = await self._engine.fetch(*arguments)
        else:
            [it] = await self._engine.fetch_slowly(*arguments, deadline=PATIENCE)
        if it["parts"] < parts:  # it was deleted meanwhile
            return NOTHING_BEFORE
        return Changes(since, it["new"], it["gone"], tuple(it["new_ids"]), tuple(it["gone_ids"]))

    async def lists(self, job_id: UUID) -> tuple[str | None, str | None] | None:
        """Return the ids and the counts of what changed with a summary, each as a JSON object.

        None if there is no such summary; either is None if it has none.
        """
        rows = await self._engine.fetch(_LISTS, job_id)
        return tuple(rows[0]) if rows else None
