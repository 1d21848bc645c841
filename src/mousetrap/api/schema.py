"""The bodies of requests and answers. `/docs` is made from them."""

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from msgspec import UNSET, Meta, Struct, UnsetType, structs

from mousetrap.geo.point import Point
from mousetrap.jobs import job as jobs
from mousetrap.jobs.job import Job
from mousetrap.jobs.state import State
from mousetrap.store.dead_letters import StoredLetter
from mousetrap.store.summaries import StoredSummary

EXAMPLE_ID = "0195f7c6-1c1f-7c6e-9d0a-5b8f0e6d2a11"
EXAMPLE_TIME = "2026-11-23T20:15:04.120000Z"

JobId = Annotated[UUID, Meta(description="the job's id", examples=[EXAMPLE_ID])]
SourceName = Annotated[str, Meta(description="the name of a source", examples=["earthquakes"])]
Latitude = Annotated[
    float, Meta(ge=-90, le=90, description="degrees north, WGS 84", examples=[57.15])
]
Longitude = Annotated[
    float, Meta(ge=-180, le=180, description="degrees east, WGS 84", examples=[-2.11])
]
RequestedAt = Annotated[
    datetime, Meta(description="when the refresh was accepted", examples=[EXAMPLE_TIME])
]
FetchedAt = Annotated[
    datetime, Meta(description="when the batch was taken from the source", examples=[EXAMPLE_TIME])
]
BoundingBox = Annotated[
    tuple[Longitude, Latitude, Longitude, Latitude],
    Meta(
        description="[west, south, east, north] after RFC 7946 section 5;"
        " west is greater than east when the box crosses the antimeridian",
        examples=[[165.2, -60.9, -66.1, 71.3]],
    ),
]
NextCursor = Annotated[
    str | None,
    Meta(description="`cursor` of the next page; null on the last one", examples=["kwGkam9ic8zS"]),
]


class Place(Struct, frozen=True):
    """A point of the batch."""

    lat: Latitude
    lon: Longitude
    name: Annotated[str | None, Meta(description="its name, if it has one", examples=["Aberdeen"])]

    @classmethod
    def of(cls, point: Point) -> "Place":
        """Return the place of a point."""
        return cls(point.lat, point.lon, point.name)


class Summary(Struct, frozen=True):
    """What a batch of points comes to."""

    job_id: JobId
    source: SourceName
    requested_at: RequestedAt
    fetched_at: FetchedAt
    processed_at: Annotated[
        datetime, Meta(description="when the summary was stored", examples=[EXAMPLE_TIME])
    ]
    count: Annotated[int, Meta(ge=1, description="how many points the batch has", examples=[1707])]
    centroid: Annotated[
        tuple[Latitude, Longitude] | None,
        Meta(
            description="[lat, lon] of the centroid on the sphere;"
            " null when the points cancel each other out",
            examples=[[38.91, -121.47]],
        ),
    ]
    most_northerly: Annotated[Place, Meta(description="the most northerly point")]
    bbox: BoundingBox

    @classmethod
    def of(cls, stored: StoredSummary) -> "Summary":
        """Return a stored summary as it is shown."""
        summary, box = stored.summary, stored.summary.bbox
        centre = summary.centroid
        return cls(
            job_id=stored.job_id,
            source=stored.source,
            requested_at=stored.requested_at,
            fetched_at=stored.fetched_at,
            processed_at=stored.processed_at,
            count=summary.count,
            centroid=None if centre is None else (centre.lat, centre.lon),
            most_northerly=Place.of(summary.most_northerly),
            bbox=(box.west, box.south, box.east, box.north),
        )


class NoSummary(Struct, frozen=True, forbid_unknown_fields=True):
    """The source has no summary yet."""


class SummaryPage(Struct, frozen=True):
    """Summaries, the newest request first."""

    items: list[Summary]
    next: NextCursor


class PointGeometry(Struct, frozen=True, tag="Point", tag_field="type"):
    """A GeoJSON geometry."""

    coordinates: Annotated[
        tuple[Longitude, Latitude], Meta(description="[lon, lat]", examples=[[-2.11, 57.15]])
    ]


class FeatureProperties(Struct, frozen=True):
    """What is known of a point."""

    name: Annotated[str | None, Meta(examples=["Aberdeen"])]


class Feature(Struct, frozen=True, tag="Feature", tag_field="type"):
    """A point as a GeoJSON feature."""

    geometry: PointGeometry
    properties: FeatureProperties


class FeatureCollection(Struct, frozen=True, tag="FeatureCollection", tag_field="type"):
    """A batch as GeoJSON (RFC 7946)."""

    bbox: BoundingBox
    features: list[Feature]


class RefreshRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """What to refresh."""

    source: Annotated[
        str | None,
        Meta(description="the name of a source; the default source when absent", examples=["demo"]),
    ] = None


class RefreshAccepted(Struct, frozen=True, kw_only=True):
    """The job is stored and will end, whatever happens."""

    status: Literal["ok"] = "ok"
    job_id: JobId
    source: SourceName


class JobError(Struct, frozen=True):
    """Why a job failed."""

    code: Annotated[str, Meta(description="stable, for programs", examples=["timeout"])]
    detail: Annotated[
        str, Meta(description="for people", examples=["the source did not answer within 20 s"])
    ]


class JobLinks(Struct, frozen=True):
    """Where to go from a job."""

    summary: Annotated[
        str | None,
        Meta(
            description="the path of the job's summary; null unless it succeeded",
            examples=[f"/summaries/{EXAMPLE_ID}"],
        ),
    ]


class JobStatus(Struct, frozen=True):
    """How far a job has come."""

    job_id: JobId
    source: SourceName
    state: Annotated[
        State, Meta(description="`succeeded` is final; so is `failed`, unless it is retried")
    ]
    attempts: Annotated[int, Meta(ge=0, description="how often it was sent to the workers")]
    requested_at: RequestedAt
    fetched_at: FetchedAt | None
    finished_at: Annotated[
        datetime | None,
        Meta(description="when it succeeded or failed", examples=[EXAMPLE_TIME]),
    ]
    scheduled_for: Annotated[
        datetime | None,
        Meta(
            description="when its source's schedule asked for it; null if a caller did",
            examples=[None],
        ),
    ]
    error: Annotated[JobError | None, Meta(description="null unless it failed")]
    links: JobLinks

    @classmethod
    def of(cls, job: Job) -> "JobStatus":
        """Return a job as it is shown."""
        failure = job.failure
        return cls(
            job_id=job.id,
            source=job.source,
            state=job.state,
            attempts=job.attempts,
            requested_at=job.requested_at,
            fetched_at=job.fetched_at,
            finished_at=job.finished_at,
            scheduled_for=job.slot,
            error=None if failure is None else JobError(failure.code, failure.detail),
            links=JobLinks(f"/summaries/{job.id}" if job.state is State.SUCCEEDED else None),
        )


class FailedAttempt(Struct, frozen=True):
    """An attempt of a job that did not succeed."""

    number: Annotated[int, Meta(ge=1, description="counted from 1")]
    failed_at: Annotated[datetime, Meta(description="when it failed", examples=[EXAMPLE_TIME])]
    error: JobError


class JobDetails(JobStatus, frozen=True):
    """How far a job has come, and what became of its attempts."""

    failed_attempts: Annotated[
        list[FailedAttempt], Meta(description="those that failed so far, the first one first")
    ]

    @classmethod
    def with_attempts(cls, job: Job, attempts: Iterable[jobs.FailedAttempt]) -> "JobDetails":
        """Return a job with its failed attempts as it is shown."""
        failed = [
            FailedAttempt(it.number, it.failed_at, JobError(it.failure.code, it.failure.detail))
            for it in attempts
        ]
        return cls(**structs.asdict(JobStatus.of(job)), failed_attempts=failed)


class JobPage(Struct, frozen=True):
    """Jobs, the newest request first."""

    items: list[JobStatus]
    next: NextCursor


class DeadLetter(Struct, frozen=True):
    """A message that was given up."""

    id: Annotated[int, Meta(ge=1, description="in the order in which they were stored")]
    queue: Annotated[str, Meta(description="the stream", examples=["mousetrap:fetch"])]
    entry: Annotated[str, Meta(description="its entry's id", examples=["1764057600000-0"])]
    reason: Annotated[str, Meta(description="why it was given up, for people")]
    deliveries: Annotated[int, Meta(ge=0, description="how often it was handed to a worker")]
    job_id: Annotated[
        UUID | None, Meta(description="the job that it was about, if that could be told")
    ]
    buried_at: Annotated[datetime, Meta(description="when it was stored", examples=[EXAMPLE_TIME])]
    size: Annotated[int, Meta(ge=0, description="the bytes of the message")]
    body: Annotated[
        bytes,
        Meta(description="the message, at most its first 64 KiB, in base64", examples=["e30="]),
    ]

    @classmethod
    def of(cls, stored: StoredLetter) -> "DeadLetter":
        """Return a stored letter as it is shown."""
        letter = stored.letter
        return cls(
            id=stored.id,
            queue=letter.queue,
            entry=letter.entry_id,
            reason=letter.reason,
            deliveries=letter.deliveries,
            job_id=letter.job_id,
            buried_at=stored.buried_at,
            size=letter.size,
            body=letter.body,
        )


class DeadLetterPage(Struct, frozen=True):
    """Dead letters, the newest first."""

    items: list[DeadLetter]
    next: NextCursor


class SourceStatus(Struct, frozen=True):
    """A configured source."""

    name: SourceName
    kind: Annotated[str, Meta(description="how batches are taken from it", examples=["geojson"])]
    default: Annotated[bool, Meta(description="whether it is meant when none is named")]
    every: Annotated[
        str | None,
        Meta(description="its schedule; null when it is refreshed on request", examples=["5m"]),
    ]
    newest: Annotated[Summary | None, Meta(description="its newest summary; null before the first")]


class SourceList(Struct, frozen=True):
    """All configured sources, by name."""

    items: list[SourceStatus]


class Alive(Struct, frozen=True):
    """The process runs."""

    status: Literal["ok"] = "ok"


class Ready(Struct, frozen=True, kw_only=True):
    """The process can do its work."""

    status: Literal["ready"] = "ready"
    checks: Annotated[
        dict[str, str],
        Meta(description="every dependency", examples=[{"postgres": "ok", "redis": "ok"}]),
    ]


class Flaw(Struct, frozen=True):
    """One thing that is wrong with a request."""

    name: Annotated[str, Meta(description="of the field or parameter", examples=["limit"])]
    where: Annotated[str, Meta(description="query, path, header or body", examples=["query"])]
    message: Annotated[
        str, Meta(description="what it should be", examples=["Expected `int` <= 100"])
    ]


class Problem(Struct, frozen=True):
    """An error (RFC 9457)."""

    type: Annotated[
        str,
        Meta(
            description="stable, for programs; the list stands at the top of this page",
            examples=["urn:mousetrap:problem:unknown-source"],
        ),
    ]
    title: Annotated[str, Meta(description="the same for every problem of this type")]
    status: Annotated[int, Meta(ge=400, le=599, description="the HTTP status")]
    detail: Annotated[str, Meta(description="what happened here and what to do, for people")]
    errors: Annotated[list[Flaw] | UnsetType, Meta(description="with `invalid-request` only")] = (
        UNSET
    )
    checks: Annotated[
        dict[str, str] | UnsetType,
        Meta(description="with `not-ready` only: `ok` or what is wrong, by dependency"),
    ] = UNSET


SCHEMAS = (
    Alive,
    DeadLetterPage,
    FeatureCollection,
    JobDetails,
    JobPage,
    NoSummary,
    Problem,
    Ready,
    RefreshAccepted,
    RefreshRequest,
    SourceList,
    Summary,
    SummaryPage,
)
