"""Summaries and their batches: how they are found."""

from collections.abc import Collection
from datetime import datetime
from typing import Final
from uuid import UUID

from msgspec import Struct

from mousetrap.store import keyset
from mousetrap.store.engine import ENGINE
from mousetrap.store.schema.tables import BatchRow, SummaryRow


class StoredSummary(Struct, frozen=True, gc=False):
    """The summary of a job, as its row has it, and the times (aware) at which its stages ended.

    `sequence` is that of the job: the order in which the summaries were requested. There is a
    place for the centroid, unless there is none; the box is after RFC 7946 section 5.
    """

    job_id: UUID
    sequence: int
    source: str
    requested_at: datetime
    fetched_at: datetime
    processed_at: datetime
    point_count: int
    centroid_lat: float | None
    centroid_lon: float | None
    most_northerly_lat: float
    most_northerly_lon: float
    most_northerly_name: str | None
    west: float
    south: float
    east: float
    north: float


# The rows of a query that names these make summaries without the detour of a mapping.
_COLUMNS: Final = ", ".join(StoredSummary.__struct_fields__)

# Written so that only the index on source and sequence can answer it, with its first entry going
# down from the source. With `WHERE source = …` and an order by sequence alone, Postgres may as
# well walk down the sequences of all sources, which is long for a source that has been silent.
_NEWEST: Final = f"""
SELECT {_COLUMNS} FROM (
    SELECT * FROM summary WHERE source <= $1 ORDER BY source DESC, sequence DESC LIMIT 1
) AS nearest
WHERE source = $1
"""  # noqa: S608 - names

_NEWEST_OF_ALL: Final = f"""
SELECT {_COLUMNS}
FROM unnest($1::text[]) AS wanted (wanted)
CROSS JOIN LATERAL (
    SELECT * FROM summary
    WHERE source <= wanted
    ORDER BY source DESC, sequence DESC
    LIMIT 1
) AS nearest
WHERE source = wanted
"""  # noqa: S608 - names

_PAGE: Final = f"SELECT {_COLUMNS} FROM summary"  # noqa: S608 - names

# A job's sequence is drawn within the deadline of its transaction, of which `requested_at` is the
# beginning, so jobs a minute apart have sequences in the same order.
_AROUND: Final = """
SELECT (
    SELECT sequence FROM summary WHERE requested_at < $1::timestamptz - interval '1 minute'
    ORDER BY requested_at DESC LIMIT 1
) AS low, least($2::bigint, (
    SELECT sequence FROM summary WHERE requested_at >= $3::timestamptz + interval '1 minute'
    ORDER BY requested_at LIMIT 1
)) AS high
"""


class SummaryStore:
    """The summaries of the open database.

    Every method raises StoreUnavailableError or SchemaError. "Newest" means the highest requested
    sequence, not the one that was stored last.
    """

    async def newest(self, source: str) -> StoredSummary | None:
        """Return the newest summary of a source, if there is one."""
        found = await _stored(_NEWEST, source)
        return found[0] if found else None

    async def newest_of_all(self, sources: Collection[str]) -> dict[str, StoredSummary]:
        """Return the newest summary of each of the sources that has one."""
        found = await _stored(_NEWEST_OF_ALL, list(set(sources)))
        return {summary.source: summary for summary in found}

    async def find(self, job_id: UUID) -> StoredSummary | None:
        """Return the summary of a job, if it has one."""
        rows = await SummaryRow.select().where(SummaryRow.job_id == job_id)
        return StoredSummary(**rows[0]) if rows else None

    async def page(
        self,
        *,
        source: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        before: int | None = None,
        limit: int,
    ) -> list[StoredSummary]:
        """Return at most `limit` summaries, newest first, of a source and a span of time.

        The span is of the times (aware) at which they were requested: from `since` up to, but not
        including, `until`. The next page is the one `before` the sequence of the last summary of
        this one; summaries that are stored in between do not move it.
        """
        query, arguments = keyset.page(
            _PAGE,
            within=None if source is None else ("source", source),
            between=await self._around(since, until, before),
            filters={"requested_at >= {}": since, "requested_at < {}": until},
            limit=limit,
        )
        return await _stored(query, *arguments)

    async def _around(
        self, since: datetime | None, until: datetime | None, before: int | None
    ) -> tuple[int | None, int | None]:
        """Return sequences between which those of a span and `before` one are, and few others."""
        if since is None and until is None:
            return None, before
        [found] = await ENGINE.fetch(_AROUND, since, before, until)
        return found["low"], found["high"]

    async def points(self, job_id: UUID) -> bytes | None:
        """Return the batch of a summary as a GeoJSON FeatureCollection in UTF-8, if there is one.

        Its features are points in the order in which the source gave them, each with the property
        `name` (text or null); its member `bbox` follows RFC 7946 section 5.
        """
        rows = await BatchRow.select(BatchRow.geojson).where(BatchRow.job_id == job_id)
        return rows[0]["geojson"].encode() if rows else None


async def _stored(query: str, *arguments: object) -> list[StoredSummary]:
    return [StoredSummary(*row) for row in await ENGINE.fetch(query, *arguments)]
