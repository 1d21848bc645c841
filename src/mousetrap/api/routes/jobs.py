"""`GET /jobs`, `GET /jobs/{id}` and `POST /jobs/{id}/retry`."""

from operator import attrgetter
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Request, Response, get, post
from litestar.params import PathParameter, QueryParameter
from msgspec import Struct

from mousetrap.api.http import paging
from mousetrap.api.http.errors import (
    BacklogFullError,
    ForeignOriginError,
    InvalidCursorError,
    InvalidRequestError,
    NotFailedError,
    NothingHereError,
    OutcomeUnknownError,
    SourceBacklogFullError,
    TooManyRetriesError,
    UnknownJobError,
    UnknownSourceError,
)
from mousetrap.api.http.problems import COMMON, responses
from mousetrap.api.routes.refresh import LOCATION, accepted
from mousetrap.api.schema.feed import Feed
from mousetrap.api.schema.job import JobDetails, JobPage, JobStatus, RefreshAccepted
from mousetrap.api.schema.problem import Flaw
from mousetrap.api.services import Injected, Services
from mousetrap.jobs.job import Job
from mousetrap.jobs.state import State
from mousetrap.store import errors as store_errors
from mousetrap.store.jobs import MAX_RETRIES, SHOWN_ATTEMPTS

JobId = Annotated[UUID, PathParameter(description="the job's id")]


@get(
    "/jobs/{job_id:uuid}",
    summary="The state of a job",
    description="Poll it until the job has `succeeded` or `failed`.",
    response_description=f"The job and its last {SHOWN_ATTEMPTS} failed attempts",
    operation_id="get_job",
    tags=["jobs"],
    responses=responses(UnknownJobError, NothingHereError, *COMMON),
)
async def show(services: Injected, job_id: JobId) -> JobDetails:
    """Answer with one job, its failed attempts and its feed."""
    with services.database.together():
        job = await services.database.jobs.find(job_id)
        if job is None:
            raise _unknown(job_id)
        services.cache.observe(job)
        attempts = await services.database.jobs.failed_attempts(job_id)
        feed = await _feed(services, job)
    return JobDetails.with_attempts(job, attempts, feed, services.addresses)


async def _feed(services: Services, job: Job) -> Feed | None:
    if job.state is not State.SUCCEEDED:
        return None
    stored = await services.database.summaries.find(job.id)
    return _read(stored.document).feed if stored else None


class _Document(Struct):
    """The member of a summary that its job has; a summary of an earlier version lacks it."""

    feed: Feed | None = None


_read = msgspec.json.Decoder(_Document).decode


@post(
    "/jobs/{job_id:uuid}/retry",
    status_code=202,
    summary="Retry a failed job",
    description="Puts the job back into the queue, with as many further attempts as a new job has,"
    f" at most {MAX_RETRIES} times. The job must have failed: `GET /jobs?state=failed` has such"
    " jobs. It keeps its place in the order of the requests.",
    response_description="The job is queued again",
    operation_id="retry_job",
    tags=["jobs"],
    responses=responses(
        ForeignOriginError,
        UnknownJobError,
        NothingHereError,
        NotFailedError,
        TooManyRetriesError,
        BacklogFullError,
        SourceBacklogFullError,
        OutcomeUnknownError,
        *COMMON,
    ),
    response_headers=[LOCATION],
)
async def retry(services: Injected, job_id: JobId) -> Response[RefreshAccepted]:
    """Commit another round of attempts, then dispatch the job."""
    job = await services.database.jobs.find(job_id)
    if job is None:
        raise _unknown(job_id)
    services.admission.check(job.source)
    try:
        job = await services.database.jobs.retry(job_id)
    except store_errors.UnknownJobError:
        raise _unknown(job_id) from None
    except store_errors.NotFailedError as error:
        raise NotFailedError(f"{error}.") from None
    except store_errors.TooManyRetriesError as error:
        raise TooManyRetriesError(f"{error}.") from None
    await services.dispatch(job)
    return accepted(job)


def _unknown(job_id: UUID) -> UnknownJobError:
    return UnknownJobError(f"There is no job {job_id}: POST /refresh returns one.")


@get(
    "/jobs",
    summary="All jobs, newest first",
    description="A page of the jobs, in the order of the requests, the newest first.",
    response_description="A page of jobs",
    operation_id="list_jobs",
    tags=["jobs"],
    responses=responses(InvalidCursorError, UnknownSourceError, *COMMON),
    response_headers=[paging.LINK],
)
async def index(  # noqa: PLR0913, PLR0917 - one for each query parameter
    request: Request[Any, Any, Any],
    services: Injected,
    # Litestar reserves the name `state`.
    in_state: Annotated[
        State | None, QueryParameter(name="state", description="only jobs in this state")
    ] = None,
    source: paging.SourceFilter = None,
    since: paging.Since = None,
    until: paging.Until = None,
    cursor: Annotated[str | None, paging.cursor("jobs")] = None,
    limit: paging.Limit = 20,
) -> Response[JobPage]:
    """Answer with one page of jobs."""
    if "null" in map(str.lower, request.query_params.getall("state", [])):
        # msgspec converts it to None, which would list all jobs.
        raise InvalidRequestError(
            flaws=(
                Flaw(
                    "state",
                    "query",
                    f"Invalid enum value 'null': expected one of {', '.join(State)}",
                ),
            )
        )
    services.check_possible(source)
    before = paging.decode("jobs", cursor)
    rows = await services.database.jobs.page(
        state=in_state,
        source=source,
        since=paging.instant("since", since),
        until=paging.instant("until", until),
        before=before,
        limit=limit + 1,
    )
    if not rows and before is None:
        await services.check_listed(source)
    page, following = paging.cut(rows, limit, "jobs", attrgetter("sequence"))
    for job in page:
        services.cache.observe(job)
    body = JobPage([JobStatus.of(job, services.addresses.root) for job in page], following)
    return Response(body, headers=paging.links(request, following))


HANDLERS = (show, retry, index)
