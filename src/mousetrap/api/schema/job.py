"""Jobs and refresh requests."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType, structs

from mousetrap.api.schema.feed import Feed
from mousetrap.api.schema.fields import (
    EXAMPLE_ID,
    EXAMPLE_TIME,
    FetchedAt,
    FinishedAt,
    JobId,
    NextCursor,
    RequestedAt,
    SourceName,
    Timestamp,
)
from mousetrap.jobs import job as jobs
from mousetrap.jobs.job import Job
from mousetrap.jobs.state import State


class RefreshRequest(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A request for a fresh summary."""

    source: Annotated[
        str | None,
        Meta(description="the name of a source; absent for the default one", examples=["demo"]),
    ] = None


class RefreshAccepted(Struct, frozen=True, kw_only=True):
    """The job is stored, and will succeed or fail."""

    status: Literal["ok"] = "ok"
    job_id: JobId
    source: SourceName
    coalesced: Annotated[
        bool | UnsetType,
        Meta(description="true when the request joined a job that nobody had begun"),
    ] = UNSET
    repeated: Annotated[
        bool | UnsetType,
        Meta(description="true when the `Idempotency-Key` was known: the job is an earlier one's"),
    ] = UNSET


class JobError(Struct, frozen=True):
    """The error of a failed job."""

    code: Annotated[str, Meta(description="stable, for programs", examples=["timeout"])]
    detail: Annotated[
        str, Meta(description="for people", examples=["the source did not answer within 20 s"])
    ]


class JobLinks(Struct, frozen=True):
    """The links of a job."""

    summary: Annotated[
        str | None,
        Meta(
            description="the path of the job's summary; null unless it succeeded",
            examples=[f"/summaries/{EXAMPLE_ID}"],
        ),
    ]


class JobDetailsLinks(JobLinks, frozen=True):
    """The links of a job, and where else to look."""

    log: Annotated[
        str | None,
        Meta(
            description="the address of its log lines; null unless `MOUSETRAP_LOG_LINK` is set",
            examples=[f"https://logs.example/search?q={EXAMPLE_ID}"],
        ),
    ]
    trace: Annotated[
        str | None,
        Meta(
            description="the address of its trace; null unless `MOUSETRAP_TRACE_LINK` is set",
            examples=[f"https://traces.example/trace/{EXAMPLE_ID.replace('-', '')}"],
        ),
    ]


@dataclass(frozen=True, slots=True)
class Addresses:
    """The path of the API on its host, and templates of the addresses of log lines and traces."""

    root: str
    log: str = ""
    trace: str = ""

    def of(self, job: Job, summary: str | None) -> JobDetailsLinks:
        """Return the links of a job; `summary` is the path of its summary."""
        return JobDetailsLinks(
            summary=summary,
            log=self.log.replace("{job_id}", str(job.id)) or None,
            trace=self.trace.replace("{trace_id}", job.id.hex) or None,
        )


class JobStatus(Struct, frozen=True):
    """The state of a job."""

    job_id: JobId
    source: SourceName
    state: Annotated[
        State, Meta(description="`succeeded` is final; so is `failed`, unless it is retried")
    ]
    attempts: Annotated[int, Meta(ge=0, description="the number of attempts so far")]
    requested_at: RequestedAt
    fetched_at: FetchedAt | None
    finished_at: FinishedAt | None
    scheduled_for: Annotated[
        Timestamp | None,
        Meta(
            description="its slot in the schedule of its source; null if a caller requested it",
            examples=[None],
        ),
    ]
    error: Annotated[JobError | None, Meta(description="null unless it failed")]
    links: JobLinks

    @classmethod
    def of(cls, job: Job, root: str) -> "JobStatus":
        """Return the body of a job; `root` is the path of the API on its host."""
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
            links=JobLinks(f"{root}/summaries/{job.id}" if job.state is State.SUCCEEDED else None),
        )


class FailedAttempt(Struct, frozen=True):
    """A failed attempt of a job."""

    number: Annotated[int, Meta(ge=1, description="counted from 1")]
    failed_at: Annotated[Timestamp, Meta(description="when it failed", examples=[EXAMPLE_TIME])]
    error: JobError


class JobDetails(JobStatus, frozen=True):
    """The state of a job, its failed attempts, and how its batch came about."""

    links: JobDetailsLinks
    failed_attempts: Annotated[
        list[FailedAttempt],
        Meta(description="the last failed attempts, at most 100, the oldest first"),
    ]
    next_attempt_at: Annotated[
        Timestamp | None,
        Meta(
            description="when the next attempt is due after one that failed; null while none waits",
            examples=[None],
        ),
    ]
    feed: Annotated[
        Feed | None,
        Meta(
            description="how its batch came about, as its summary has it; null unless it succeeded"
        ),
    ]

    @classmethod
    def with_attempts(
        cls,
        job: Job,
        attempts: Iterable[jobs.FailedAttempt],
        feed: Feed | None,
        addresses: Addresses,
    ) -> "JobDetails":
        """Return the body of a job with its failed attempts and its feed."""
        failed = [
            FailedAttempt(it.number, it.failed_at, JobError(it.failure.code, it.failure.detail))
            for it in attempts
        ]
        status = structs.asdict(JobStatus.of(job, addresses.root))
        return cls(
            **status | {"links": addresses.of(job, status["links"].summary)},
            failed_attempts=failed,
            next_attempt_at=job.next_attempt_at,
            feed=feed,
        )


class JobPage(Struct, frozen=True):
    """Jobs, the newest request first."""

    items: list[JobStatus]
    next: NextCursor
