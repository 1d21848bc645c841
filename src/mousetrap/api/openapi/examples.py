"""The example bodies of the OpenAPI document: a week of earthquakes, and errors."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import msgspec
from msgspec import Struct, structs

from mousetrap.api.http import paging
from mousetrap.api.schema.dead_letter import DeadLetter, DeadLetterPage
from mousetrap.api.schema.details import ChangedFeatures, ChangeList, Groups, Statistics
from mousetrap.api.schema.feed import Feed, Skipped
from mousetrap.api.schema.fields import EXAMPLE_ID, EXAMPLE_TIME
from mousetrap.api.schema.geojson import (
    Feature,
    FeatureCollection,
    FeatureProperties,
    NoSummaryFeature,
    PointGeometry,
    SummaryCollection,
    SummaryFeature,
)
from mousetrap.api.schema.health import CHECKS, Alive, Ready
from mousetrap.api.schema.job import (
    FailedAttempt,
    JobDetails,
    JobDetailsLinks,
    JobError,
    JobLinks,
    JobPage,
    JobStatus,
    RefreshAccepted,
    RefreshRequest,
)
from mousetrap.api.schema.queue import QueueList, QueueStatus
from mousetrap.api.schema.source import CircuitStatus, SourceList, SourceStatus
from mousetrap.api.schema.summary import NoSummary, Place, Summary, SummaryPage
from mousetrap.jobs.state import State

_ID: Final = UUID(EXAMPLE_ID)
_REQUESTED: Final = datetime.fromisoformat(EXAMPLE_TIME)
_FETCHED: Final = _REQUESTED + timedelta(milliseconds=940)
_FINISHED: Final = _FETCHED + timedelta(milliseconds=61)
_GREENLAND: Final = Place(83.0422, -6.7549, "M 5.2 - 219km NE of Nord, Greenland")
_TIMEOUT: Final = JobError("timeout", "the source did not answer within 20 s")

_FEED: Final = Feed(
    Skipped(2, {"no geometry": 2}, ["features[17]: no geometry", "features[254]: no geometry"]),
    pages=1,
    bytes=1_226_043,
    status=200,
    seconds=0.94,
    truncated=False,
    warnings=[],
)
_SUMMARY: Final = Summary(
    job_id=_ID,
    source="earthquakes",
    requested_at=_REQUESTED,
    fetched_at=_FETCHED,
    finished_at=_FINISHED,
    processed_at=_FINISHED,
    count=1707,
    centroid=(42.5805, -122.6539),
    most_northerly=_GREENLAND,
    bbox=(-35.4132, -65.8617, -63.9045, 83.0422),
    groups=Groups({"earthquake": 1672, "explosion": 22, "quarry blast": 12}, 1, 0, 4),
    values=Statistics(1707, -0.77, 1.28, 6.1, 1.59),
    feed=_FEED,
)
_FEATURE: Final = SummaryFeature.of(_SUMMARY)
_BATCH: Final = FeatureCollection(
    bbox=(-121.5, 38.5, -2.11, 57.15),
    features=[
        Feature(PointGeometry((-2.11, 57.15)), FeatureProperties("Aberdeen")),
        Feature(PointGeometry((-121.5, 38.5)), FeatureProperties(None)),
    ],
)

_SUCCEEDED: Final = JobStatus(
    job_id=_ID,
    source="earthquakes",
    state=State.SUCCEEDED,
    attempts=1,
    requested_at=_REQUESTED,
    fetched_at=_FETCHED,
    finished_at=_FINISHED,
    scheduled_for=None,
    error=None,
    links=JobLinks(f"/summaries/{EXAMPLE_ID}"),
)
_FAILED: Final = structs.replace(
    _SUCCEEDED,
    state=State.FAILED,
    fetched_at=None,
    finished_at=_REQUESTED + timedelta(seconds=20),
    error=_TIMEOUT,
    links=JobLinks(None),
)

EVENTS: Final = (
    "retry: 2000\nevent: ready\nid: 1796588104060000\ndata: {}\n\n"
    "event: job\nid: 1796588105121000\n"
    f"data: {msgspec.json.encode(_SUCCEEDED).decode()}\n\n"
)
"""The beginning of a stream of events."""

CSV_EXAMPLE: Final = "lat,lon,name\r\n57.15,-2.11,Aberdeen\r\n38.5,-121.5,\r\n"
SEQUENCE_EXAMPLE: Final = "".join(
    f"\x1e{msgspec.json.encode(feature).decode()}\n" for feature in _BATCH.features
)

METRICS: Final = """\
# HELP mousetrap_queue_messages Messages waiting or in flight; absent while Redis is unavailable.
# TYPE mousetrap_queue_messages gauge
mousetrap_queue_messages{queue="fetch"} 3.0
mousetrap_queue_messages{queue="process"} 0.0
"""
"""A part of the metrics."""

_ATTEMPT: Final = FailedAttempt(1, _REQUESTED + timedelta(seconds=20), _TIMEOUT)
_QUEUED: Final = structs.replace(
    _SUCCEEDED, state=State.QUEUED, fetched_at=None, finished_at=None, links=JobLinks(None)
)

_LETTER: Final = DeadLetter(
    id=2,
    queue="mousetrap:fetch",
    entry="1764057600000-0",
    reason="it ended 3 workers",
    deliveries=3,
    job_id=_ID,
    buried_at=_REQUESTED,
    size=2,
    body=b"{}",
)

_SOURCES: Final = [
    SourceStatus(
        "demo",
        kind="faker",
        default=True,
        every=None,
        circuit=CircuitStatus("closed", None, 0, None),
        newest=None,
        newest_job=None,
        next_scheduled_at=None,
        stale=None,
    ),
    SourceStatus(
        "earthquakes",
        kind="geojson",
        default=False,
        every="5m",
        circuit=CircuitStatus("open", _FINISHED, 5, "timeout"),
        newest=_SUMMARY,
        newest_job=_FAILED,
        next_scheduled_at=_FINISHED + timedelta(minutes=5),
        stale=False,
    ),
]


def _details(status: JobStatus, *attempts: FailedAttempt, feed: Feed | None = None) -> JobDetails:
    return JobDetails(
        **structs.asdict(status) | {"links": JobDetailsLinks(status.links.summary, None, None)},
        failed_attempts=list(attempts),
        next_attempt_at=None,
        feed=feed,
    )


EXAMPLES: Final[Mapping[str, Struct]] = {
    "one summary": _SUMMARY,
    "no summary yet": NoSummary(),
    "no feature yet": NoSummaryFeature(),
    "page of summaries": SummaryPage([_SUMMARY], paging.encode("summaries", 1707)),
    "summary as a feature": _FEATURE,
    "page of features": SummaryCollection([_FEATURE], paging.encode("summaries", 1707)),
    "batch": _BATCH,
    "changes": ChangeList(
        UUID(EXAMPLE_ID),
        ChangedFeatures(2, ["nc75095651", "us6000t7mk"]),
        ChangedFeatures(1, ["ak0251rhg5wx"]),
    ),
    "default source": RefreshRequest(),
    "source by name": RefreshRequest("earthquakes"),
    "stored": RefreshAccepted(job_id=_ID, source="earthquakes"),
    "job that waits": _details(_QUEUED),
    "job that succeeded": _details(_SUCCEEDED, feed=_FEED),
    "job that failed": _details(_FAILED, _ATTEMPT),
    "page of jobs": JobPage([_SUCCEEDED, _FAILED], paging.encode("jobs", 1707)),
    "page of dead letters": DeadLetterPage([_LETTER], paging.encode("dead letters", 2)),
    "sources": SourceList(_SOURCES),
    "queues": QueueList(
        [QueueStatus("fetch", 3, 1.2, workers=2), QueueStatus("process", 0, None, workers=1)]
    ),
    "alive": Alive(),
    "ready": Ready(checks=dict.fromkeys(CHECKS, "ok")),
}
"""The examples by name; each one is shown for all bodies of its type."""
