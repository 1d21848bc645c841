"""Jobs: how they are accepted and found."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID, uuid4

from mousetrap.jobs.job import Failure, Job
from mousetrap.jobs.state import State
from mousetrap.store.errors import (
    IdempotencyConflictError,
    IdempotencyKeyError,
    StoreUnavailableError,
)
from mousetrap.store.tables import JobRow
from mousetrap.store.text import is_storable

MAX_KEY_LENGTH: Final = 255

# Any conflict will do: on the key, or on the id if the statement is sent a second time.
_SUBMIT: Final = """
INSERT INTO job (id, source, idempotency_key) VALUES ({}, {}, {})
ON CONFLICT DO NOTHING
RETURNING *
"""
_SUBMITTED: Final = "SELECT * FROM job WHERE id = {} OR idempotency_key = {}"


@dataclass(frozen=True, slots=True)
class Submission:
    """A job, and whether it was created by this call or is the one of an earlier call."""

    job: Job
    created: bool


class JobStore:
    """The jobs of the open database. Every method raises StoreUnavailableError or SchemaError."""

    async def submit(self, source: str, idempotency_key: str | None = None) -> Submission:
        """Accept a job; it is committed when this returns.

        A repeated key answers with the job that it was first used for. Raises
        IdempotencyConflictError when that is a job for another source, and IdempotencyKeyError
        for a key that is empty, longer than 255 characters, or holds NUL or lone surrogates.
        """
        if idempotency_key is not None:
            _check(idempotency_key)
        job_id = uuid4()
        rows = await JobRow.raw(_SUBMIT, job_id, source, idempotency_key)
        if not rows:
            rows = await JobRow.raw(_SUBMITTED, job_id, idempotency_key)
        if not rows:
            raise StoreUnavailableError(
                "the job of this idempotency key was deleted meanwhile: try again"
            )
        job = _job(rows[0])
        if job.source != source:
            raise IdempotencyConflictError(
                f"the idempotency key belongs to job {job.id} for source {job.source!r}: "
                f"use another key for {source!r}"
            )
        return Submission(job, created=job.id == job_id)

    async def find(self, job_id: UUID) -> Job | None:
        """Return a job, if there is one with this id."""
        rows = await JobRow.select().where(JobRow.id == job_id)
        return _job(rows[0]) if rows else None

    async def page(
        self,
        *,
        state: State | None = None,
        source: str | None = None,
        before: int | None = None,
        limit: int,
    ) -> list[Job]:
        """Return at most `limit` jobs, newest first, of those in a state and for a source.

        The next page is the one `before` the sequence of the last job of this one; jobs that are
        accepted in between do not move it.
        """
        query = JobRow.select().order_by(JobRow.sequence, ascending=False).limit(limit)
        if state is not None:
            query = query.where(JobRow.state == state.value)
        if source is not None:
            query = query.where(JobRow.source == source)
        if before is not None:
            query = query.where(JobRow.sequence < before)
        return [_job(row) for row in await query]


def _check(idempotency_key: str) -> None:
    if not 1 <= len(idempotency_key) <= MAX_KEY_LENGTH or not is_storable(idempotency_key):
        raise IdempotencyKeyError(
            f"an idempotency key has 1 to {MAX_KEY_LENGTH} characters, none of them NUL: "
            "use another one"
        )


def _job(row: Mapping[str, Any]) -> Job:
    code = row["error_code"]
    return Job(
        id=row["id"],
        sequence=row["sequence"],
        source=row["source"],
        state=State(row["state"]),
        attempts=row["attempts"],
        requested_at=row["requested_at"],
        fetched_at=row["fetched_at"],
        finished_at=row["finished_at"],
        failure=None if code is None else Failure(code, row["error_detail"] or ""),
    )
