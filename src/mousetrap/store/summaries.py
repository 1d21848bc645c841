"""Summaries and their batches: how they are found."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from mousetrap.geo.bounds import BoundingBox
from mousetrap.geo.centroid import Centroid
from mousetrap.geo.point import Point
from mousetrap.geo.summary import Summary
from mousetrap.store import keyset
from mousetrap.store.tables import BatchRow, SummaryRow

# Written so that only the index on source and sequence can answer it, with its first entry going
# down from the source. With `WHERE source = …` and an order by sequence alone, Postgres may as
# well walk down the sequences of all sources, which is long for a source that has been silent.
_NEWEST: Final = """
SELECT * FROM (
    SELECT * FROM summary WHERE source <= {} ORDER BY source DESC, sequence DESC LIMIT 1
) AS nearest
WHERE source = {}
"""

_NEWEST_OF_ALL: Final = """
SELECT nearest.*
FROM unnest({}::text[]) AS wanted (source)
CROSS JOIN LATERAL (
    SELECT * FROM summary
    WHERE summary.source <= wanted.source
    ORDER BY summary.source DESC, sequence DESC
    LIMIT 1
) AS nearest
WHERE nearest.source = wanted.source
"""

# A job's sequence is drawn within the deadline of its transaction, of which `requested_at` is the
# beginning, so jobs a minute apart have sequences in the same order.
_AROUND: Final = """
SELECT (
    SELECT sequence FROM summary WHERE requested_at < {}::timestamptz - interval '1 minute'
    ORDER BY requested_at DESC LIMIT 1
) AS low, least({}::bigint, (
    SELECT sequence FROM summary WHERE requested_at >= {}::timestamptz + interval '1 minute'
    ORDER BY requested_at LIMIT 1
)) AS high
"""


@dataclass(frozen=True, slots=True)
class StoredSummary:
    """The summary of a job, and the times (aware) at which the stages of the job ended.

    `sequence` is that of the job: the order in which the summaries were requested.
    """

    job_id: UUID
    sequence: int
    source: str
    requested_at: datetime
    fetched_at: datetime
    processed_at: datetime
    summary: Summary


class SummaryStore:
    """The summaries of the open database.

    Every method raises StoreUnavailableError or SchemaError. "Newest" means the highest requested
    sequence, not the one that was stored last.
    """

    async def newest(self, source: str) -> StoredSummary | None:
        """Return the newest summary of a source, if there is one."""
        rows = await SummaryRow.raw(_NEWEST, source, source)
        return _summary(rows[0]) if rows else None

    async def newest_of_all(self, sources: Collection[str]) -> dict[str, StoredSummary]:
        """Return the newest summary of each of the sources that has one."""
        rows = await SummaryRow.raw(_NEWEST_OF_ALL, list(set(sources)))
        return {row["source"]: _summary(row) for row in rows}

    async def find(self, job_id: UUID) -> StoredSummary | None:
        """Return the summary of a job, if it has one."""
        rows = await SummaryRow.select().where(SummaryRow.job_id == job_id)
        return _summary(rows[0]) if rows else None

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
        query = keyset.page(
            "summary",
            within=None if source is None else ("source", source),
            between=await self._around(since, until, before),
            filters={"requested_at >= {}": since, "requested_at < {}": until},
            limit=limit,
        )
        return [_summary(row) for row in await SummaryRow.raw("{}", query)]

    async def _around(
        self, since: datetime | None, until: datetime | None, before: int | None
    ) -> tuple[int | None, int | None]:
        """Return sequences between which those of a span and `before` one are, and few others."""
        if since is None and until is None:
            return None, before
        [found] = await SummaryRow.raw(_AROUND, since, before, until)
        return found["low"], found["high"]

    async def points(self, job_id: UUID) -> bytes | None:
        """Return the batch of a summary as a GeoJSON FeatureCollection in UTF-8, if there is one.

        Its features are points in the order in which the source gave them, each with the property
        `name` (text or null); its member `bbox` follows RFC 7946 section 5.
        """
        rows = await BatchRow.select(BatchRow.geojson).where(BatchRow.job_id == job_id)
        return rows[0]["geojson"].encode() if rows else None


def _summary(row: Mapping[str, Any]) -> StoredSummary:
    lat, lon = row["centroid_lat"], row["centroid_lon"]
    return StoredSummary(
        job_id=row["job_id"],
        sequence=row["sequence"],
        source=row["source"],
        requested_at=row["requested_at"],
        fetched_at=row["fetched_at"],
        processed_at=row["processed_at"],
        summary=Summary(
            count=row["point_count"],
            centroid=None if lat is None else Centroid(lat, lon),
            most_northerly=Point(
                row["most_northerly_lat"], row["most_northerly_lon"], row["most_northerly_name"]
            ),
            bbox=BoundingBox(row["west"], row["south"], row["east"], row["north"]),
        ),
    )
