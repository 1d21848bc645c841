"""`GET /jobs` and `GET /jobs/{id}`."""

from operator import attrgetter
from typing import Annotated
from uuid import UUID

from litestar import get
from litestar.params import PathParameter, QueryParameter

from mousetrap.api import pages
from mousetrap.api.errors import InvalidCursorError, InvalidRequestError, UnknownJobError
from mousetrap.api.problems import COMMON, responses
from mousetrap.api.schema import JobPage, JobStatus
from mousetrap.api.services import Injected
from mousetrap.jobs.state import State


@get(
    "/jobs/{job_id:uuid}",
    summary="How far a job has come",
    description="Asked often enough, it answers that the job `succeeded` or `failed`.",
    operation_id="get_job",
    tags=["jobs"],
    responses=responses(UnknownJobError, *COMMON),
)
async def show(
    services: Injected, job_id: Annotated[UUID, PathParameter(description="the job's id")]
) -> JobStatus:
    """Answer with one job."""
    job = await services.database.jobs.find(job_id)
    if job is None:
        raise UnknownJobError(f"There is no job {job_id}: POST /refresh answers with one.")
    return JobStatus.of(job)


@get(
    "/jobs",
    summary="All jobs, newest first",
    description="A page of the jobs, in the order of the requests, the newest first.",
    operation_id="list_jobs",
    tags=["jobs"],
    responses=responses(InvalidRequestError, InvalidCursorError, *COMMON),
)
async def index(
    services: Injected,
    # Litestar keeps the name `state` to itself.
    in_state: Annotated[
        State | None, QueryParameter(name="state", description="only jobs in this state")
    ] = None,
    source: pages.SourceFilter = None,
    cursor: pages.CursorText = None,
    limit: pages.Limit = 20,
) -> JobPage:
    """Answer with one page of jobs."""
    before = pages.decode("jobs", cursor)
    rows = await services.database.jobs.page(
        state=in_state, source=source, before=before, limit=limit + 1
    )
    page, following = pages.cut(rows, limit, "jobs", attrgetter("sequence"))
    return JobPage([JobStatus.of(job) for job in page], following)


HANDLERS = (show, index)
