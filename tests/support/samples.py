"""Points, summaries and jobs that the tests of the store begin with."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec

from mousetrap.geo.batch import Batch
from mousetrap.geo.changes import Changes
from mousetrap.geo.point import Point
from mousetrap.geo.report import Report, Skipped
from mousetrap.geo.summary import Summary, summarise
from mousetrap.jobs.job import Failure, Job
from mousetrap.jobs.retry import RetryPolicy
from mousetrap.messages.dead_letter import DeadLetter
from mousetrap.store.batches import GEOJSON
from mousetrap.store.database import Database
from mousetrap.store.formats import Format
from mousetrap.store.outcomes import Change
from mousetrap.store.summaries import StoredSummary

# Around Fiji: the box crosses the antimeridian.
POINTS = (Point(-17.5, 178.25, "Suva"), Point(-14.0, -178.125), Point(-18.5, 179.5, "Lau"))
BATCH = Batch.of(POINTS)
SUMMARY = summarise(BATCH)
REPORT = Report(
    Skipped(2, {"no geometry": 2}, ("features[3]: no geometry", "features[7]: no geometry")),
    pages=3,
    bytes=1234,
    status=200,
    seconds=0.25,
    warnings=("no point has a name: set `name_property`",),
)
FETCHED_AT = datetime(2026, 11, 23, 12, 30, 15, 123456, tzinfo=UTC)
FAILED_AT = datetime(2026, 11, 23, 12, 31, tzinfo=UTC)
POLICY = RetryPolicy(attempts=3, first_delay=0.2, lease=0.5)
FAILURE = Failure("timeout", "the source gave no answer within 5 s: ask its operator")

LETTER = DeadLetter("mousetrap:fetch", "1-0", b"poison\xff", "not a message", None, 1)

# One source said nothing after its first thousand summaries.
MANY_SUMMARIES = """
WITH many AS (
    INSERT INTO job (id, source, state, requested_at, fetched_at, finished_at)
    SELECT gen_random_uuid(), CASE WHEN n <= 1000 THEN 'silent' ELSE 'busy-' || n % 5 END,
           'succeeded', '2026-11-23T12:00Z'::timestamptz + n * interval '1 minute', now(), now()
    FROM generate_series(1, 5000) AS n
    RETURNING *
)
INSERT INTO summary
SELECT id, sequence, source, requested_at, fetched_at, finished_at,
       1, 0, 0, 0, 0, NULL, 0, 0, 0, 0
FROM many
"""


async def succeed(  # noqa: PLR0913 - each is a plain fact about the attempt
    database: Database,
    job_id: UUID,
    *,
    summary: Summary = SUMMARY,
    points: Iterable[Point] = POINTS,
    attempt: int = 1,
    report: Report = REPORT,
    batch: Batch | None = None,
    changes: Changes | None = None,
) -> Change:
    return await database.outcomes.succeed(
        job_id,
        attempt=attempt,
        fetched_at=FETCHED_AT,
        summary=summary,
        batch=batch or Batch.of(points),
        report=report,
        changes=changes,
    )


async def points(database: Database, job_id: UUID, form: Format = GEOJSON) -> bytes | None:
    """Return all of the batch of a job, if there is one."""
    return b"".join([piece async for piece in database.summaries.points(job_id, form)]) or None


async def fail(
    database: Database,
    job_id: UUID,
    failure: Failure = FAILURE,
    *,
    attempt: int = 1,
    retryable: bool = False,
) -> Change:
    return await database.outcomes.fail(
        job_id, failure, attempt=attempt, at=FAILED_AT, retryable=retryable, policy=POLICY
    )


async def submitted(database: Database, source: str = "demo") -> Job:
    return (await database.jobs.submit(source, None)).job


async def several(database: Database, count: int) -> list[UUID]:
    """Return the ids of so many jobs, which wait."""
    return [(await submitted(database)).id for _ in range(count)]


async def succeeded(database: Database, source: str = "demo") -> Job:
    job = await submitted(database, source)
    assert await succeed(database, job.id) is Change.ENDED
    return job


def columns(summary: Summary) -> dict[str, Any]:
    """Return what the table of the version before has of a summary, by the names of its columns."""
    centroid, north, box = summary.centroid, summary.most_northerly, summary.bbox
    return {
        "point_count": summary.count,
        "centroid_lat": None if centroid is None else centroid.lat,
        "centroid_lon": None if centroid is None else centroid.lon,
        "most_northerly_lat": north.lat,
        "most_northerly_lon": north.lon,
        "most_northerly_name": north.name,
        **box._asdict(),
    }


def document(summary: Summary) -> dict[str, Any]:
    """Return the members that the document of a stored summary has of it."""
    found: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(summary.members()))
    return found


def holds(stored: StoredSummary, summary: Summary) -> bool:
    """Tell whether what is stored is this summary."""
    shown: dict[str, Any] = msgspec.json.decode(stored.document)
    return document(summary).items() <= shown.items()
