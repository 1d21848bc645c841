"""Jobs of a test, from their outcome to their end."""

from uuid import UUID

from mousetrap.jobs.job import Job
from mousetrap.jobs.state import State
from mousetrap.messages.schema import BatchFetched, FetchFailed
from mousetrap.store.database import Database
from support.samples import BATCH, FAILED_AT, FAILURE, FETCHED_AT, REPORT
from support.streams import until


def batch(job_id: UUID, *, attempt: int = 2) -> BatchFetched:
    return BatchFetched(job_id, FETCHED_AT, BATCH, attempt=attempt, report=REPORT)


def failure(job_id: UUID, *, attempt: int = 1, retryable: bool = False) -> FetchFailed:
    return FetchFailed(
        job_id, FAILED_AT, FAILURE.code, FAILURE.detail, retryable=retryable, attempt=attempt
    )


async def ended(database: Database, job_id: UUID) -> Job:
    """Wait for the end of a job."""

    async def found() -> Job | None:
        job = await database.jobs.find(job_id)
        assert job
        return None if job.state is State.QUEUED else job

    job = await until(found)
    assert job
    return job
