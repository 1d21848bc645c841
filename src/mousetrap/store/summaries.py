"""Finds summaries and their batches."""

import re
from collections.abc import AsyncIterator, Collection
from dataclasses import replace
from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec
from msgspec import Struct

from mousetrap.geo.changes import Changes
from mousetrap.geo.report import Report, Skipped
from mousetrap.geo.summary import Summary
from mousetrap.store import batches, keyset, spans
from mousetrap.store.batches import GEOJSON
from mousetrap.store.engine import Engine
from mousetrap.store.errors import SchemaError
from mousetrap.store.formats import Format
from mousetrap.store.text import is_storable, storable

VERSION: Final = 1
"""Of documents. It grows when an old reader could misread one; members may be added without."""


class StoredSummary(Struct, frozen=True, gc=False):
    """The summary of a job as `document`, a JSON object in UTF-8: the one that a caller is shown.

    It has the members of `geo.summary.Summary`, before them `job_id`, `source`, and the times
    `requested_at`, `fetched_at`, `finished_at` and again as `processed_at` in UTC, and after them
    `feed`, the report of how the batch came about. A document lacks the members that are newer than
    itself. `sequence` is that of the job: the order in which summaries were requested.
    """

    job_id: UUID
    sequence: int
    source: str
    document: bytes


_encode: Final = msgspec.json.Encoder().encode


def encode(summary: Summary, report: Report, changes: Changes | None = None) -> str:
    """Return what a document says of the batch: each member of a summary, and the report as `feed`.

    The numbers of `changes` are there if they are given.
    U+FFFD stands for what Postgres does not take in a text.
    """
    members = summary.members()
    north = summary.most_northerly
    if north.name is not None and not is_storable(north.name):
        members["most_northerly"] = replace(north, name=storable(north.name))
    if summary.groups is not None:
        counts = {storable(value): count for value, count in summary.groups.counts.items()}
        members["groups"] = replace(summary.groups, counts=counts)
    members["feed"] = _storable(report)
    if changes is not None:
        members["changes"] = {"since": changes.since, "new": changes.new, "gone": changes.gone}
    return _encode(members).decode()


def _storable(report: Report) -> Report:
    skipped = report.skipped
    if not (skipped.reasons or skipped.first or report.warnings):
        return report
    reasons = {storable(reason): count for reason, count in skipped.reasons.items()}
    first = tuple(map(storable, skipped.first))
    return replace(
        report,
        skipped=Skipped(skipped.count, reasons, first),
        warnings=tuple(map(storable, report.warnings)),
    )


def _utc(column: str) -> str:
    return f"""to_char({column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')"""


_BEGIN: Final = f'{{"version":{VERSION},'
# No text of a document matches, since its quotes are escaped.
_PROCESSED_AT: Final = re.compile(r',\s*"processed_at"\s*:\s*("[^"]*")')

DOCUMENT: Final = f"""
format(
    '{_BEGIN}"job_id":"%s","source":%s,'
    '"requested_at":"%s","fetched_at":"%s","processed_at":"%s",%s',
    id, to_json(source), {_utc('requested_at')},
    {_utc('ended.fetched_at')}, {_utc('finished_at')}, substr(summary, 2)
)::json
"""
"""SQL for the document of a job that has `ended` with what `encode` returned, a `summary`."""

# A row of the version before, or of one of its processes, has columns in place of a document.
_SELECTION: Final = """
SELECT job_id, sequence, source, coalesce(document, summary_document(summary)) AS document
FROM summary
"""

# Written so that only the index on source and sequence can answer it, with its first entry going
# down from the source. With `WHERE source = …` and an order by sequence alone, Postgres may as
# well walk down the sequences of all sources, which is long for a source that has been silent.
_NEWEST: Final = f"""
SELECT * FROM (
    {_SELECTION} WHERE source <= $1 ORDER BY source DESC, sequence DESC LIMIT 1
) AS nearest
WHERE source = $1
"""  # noqa: S608 - made of constants

_NEWEST_OF_ALL: Final = f"""
SELECT nearest.*
FROM unnest($1::text[]) AS wanted (wanted)
CROSS JOIN LATERAL (
    {_SELECTION} WHERE source <= wanted ORDER BY source DESC, sequence DESC LIMIT 1
) AS nearest
WHERE source = wanted
"""  # noqa: S608 - made of constants

_FIND: Final = f"{_SELECTION} WHERE job_id = $1"


class SummaryStore:
    """The summaries of the open database.

    Every method raises StoreUnavailableError or SchemaError. "Newest" means the highest requested
    sequence, not the one that was stored last.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def newest(self, source: str) -> StoredSummary | None:
        """Return the newest summary of a source, if there is one."""
        found = await self._stored(_NEWEST, source)
        return found[0] if found else None

    async def newest_of_all(self, sources: Collection[str]) -> dict[str, StoredSummary]:
        """Return the newest summary of each of the sources that has one."""
        found = await self._stored(_NEWEST_OF_ALL, list(set(sources)))
        return {summary.source: summary for summary in found}

    async def find(self, job_id: UUID) -> StoredSummary | None:
        """Return the summary of a job, if it has one."""
        found = await self._stored(_FIND, job_id)
        return found[0] if found else None

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
            _SELECTION,
            within=None if source is None else ("source", source),
            between=await spans.sequences(self._engine, spans.OF_SUMMARIES, since, until, before),
            filters=[("requested_at", ">=", since), ("requested_at", "<", until)],
            limit=limit,
        )
        return await self._stored(query, *arguments)

    def points(self, job_id: UUID, form: Format = GEOJSON) -> AsyncIterator[bytes]:
        """Yield the batch of a summary in a format, in UTF-8, piece by piece.

        The points come in the order in which the source gave them, each with its name, and with its
        id, group and value where the source asks for them. Yields nothing if there is no batch.
        Raises UnknownJobError when it is deleted before the last piece, and EarlierBatchError when
        the version before stored it and it is not to be GeoJSON.
        """
        return batches.pieces(self._engine, job_id, form)

    async def _stored(self, query: str, *arguments: object) -> list[StoredSummary]:
        return [_decode(*row) for row in await self._engine.fetch(query, *arguments)]


def _decode(job_id: UUID, sequence: int, source: str, document: str) -> StoredSummary:
    return StoredSummary(job_id, sequence, source, document_of(job_id, document))


def document_of(job_id: UUID, stored: str) -> bytes:
    """Return what callers are shown of a document as it is stored.

    That is `processed_at` also by the name that it has in a job, `finished_at`. Raises SchemaError
    when it was stored by a newer version.
    """
    if not stored.startswith(_BEGIN):
        raise SchemaError(
            f"the summary of job {job_id} was stored by a newer version: update this process"
        )
    found = _PROCESSED_AT.search(stored)
    assert found is not None  # noqa: S101 - every document has it
    begin = stored[len(_BEGIN) : found.start()]
    return f'{{{begin},"finished_at":{found[1]}{stored[found.start() :]}'.encode()
