"""Accepts, finds and retries jobs."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from mousetrap.concurrency.group_commit import GroupCommit
from mousetrap.jobs.identity import new_id
from mousetrap.jobs.job import FailedAttempt, Failure, Job
from mousetrap.jobs.state import State, predecessors
from mousetrap.store import keyset, replication, spans
from mousetrap.store.engine import Engine
from mousetrap.store.errors import (
    AccessError,
    IdempotencyConflictError,
    IdempotencyKeyError,
    NotFailedError,
    OutcomeUnknownError,
    SchemaError,
    StoreUnavailableError,
    TooManyRetriesError,
    UnknownJobError,
)
from mousetrap.store.schema.tables import AttemptRow, JobRow
from mousetrap.store.text import is_storable

MAX_KEY_LENGTH: Final = 255
MAX_RETRIES: Final = 10
"""How often a person may retry a job."""
SHOWN_ATTEMPTS: Final = 100
"""The most failed attempts of a job that are shown."""

# The conflict is on the key, or on the id if the statement is retried.
_SUBMIT: Final = """
INSERT INTO job (id, source, idempotency_key, due_at)
SELECT $1::uuid, $2::text, $3::text, now() + $4::float8 * interval '1 second'
WHERE NOT EXISTS (SELECT FROM joined_key WHERE idempotency_key = $3)
ON CONFLICT DO NOTHING
RETURNING *
"""
# Jobs without a key, in order of arrival. They cannot conflict.
_SUBMIT_ALL: Final = """
INSERT INTO job (id, source, due_at)
SELECT id, source, now() + $1::float8 * interval '1 second'
FROM unnest($2::uuid[], $3::text[]) WITH ORDINALITY AS wanted (id, source, ordinal)
ORDER BY ordinal
ON CONFLICT DO NOTHING
RETURNING *
"""
_SUBMITTED: Final = f"""
SELECT *, {replication.AWAIT} FROM job
WHERE id = $1 OR idempotency_key = $2
OR id = (SELECT job_id FROM joined_key WHERE idempotency_key = $2)
"""  # noqa: S608 - made of constants

_RETRY: Final = """
UPDATE job
SET state = $1, attempts_before = attempts, attempts = attempts + 1, sent = true,
    retries = retries + 1,
    due_at = now() + $2::float8 * interval '1 second',
    fetched_at = NULL, finished_at = NULL, error_code = NULL, error_detail = NULL
WHERE id = $3 AND state = ANY ($4) AND retries < $5
RETURNING *
"""

_RETRIED: Final = f"""
SELECT *, {replication.AWAIT} FROM job WHERE id = $1 AND attempts_before = $2 AND state = $3
"""  # noqa: S608 - made of constants

_CHANGES: Final = """
SELECT * FROM job
WHERE (changed_at, id) > ($1, $2) AND ($3::text IS NULL OR source = $3)
ORDER BY changed_at, id
LIMIT $4
"""

_CHANGES_OF: Final = "SELECT * FROM job WHERE id = ANY ($1)"

# As `_NEWEST_OF_ALL` of summaries: each source costs one entry of the index.
_NEWEST_OF_ALL: Final = """
SELECT nearest.*
FROM unnest($1::text[]) AS wanted (wanted)
CROSS JOIN LATERAL (
    SELECT * FROM job WHERE source <= wanted ORDER BY source DESC, sequence DESC LIMIT 1
) AS nearest
WHERE source = wanted
"""

# Rows beyond the limit are not counted.
_BACKLOG: Final = """
SELECT source, count(*) AS jobs FROM (SELECT source FROM job WHERE state = $1 LIMIT $2) AS queued
GROUP BY source
"""


@dataclass(frozen=True, slots=True)
class Submission:
    """A job, whether this call created it, and whether the request was coalesced with it.

    A request is `repeated` if its idempotency key was known.
    """

    job: Job
    created: bool
    coalesced: bool = False
    repeated: bool = False


@dataclass(frozen=True, slots=True)
class JobChange:
    """A job after a change of its state or attempts, and the time (aware) of the change.

    The time is by the clock of Postgres. Changes may be committed in another order.
    """

    job: Job
    changed_at: datetime


class JobStore:
    """The jobs of the open database. Every method raises StoreUnavailableError or SchemaError.

    The reconciler looks for the message of an accepted job after `lease` seconds.
    """

    def __init__(self, engine: Engine, lease: float) -> None:
        self._engine = engine
        self._lease = lease
        self._keyless = GroupCommit(self._submit_all)

    async def submit(self, source: str, idempotency_key: str | None = None) -> Submission:
        """Accept a job; committed on return.

        A repeated key answers with the job that it was first used for. Raises
        IdempotencyConflictError when that is a job for another source, IdempotencyKeyError for a
        key that is empty, longer than 255 characters, or holds NUL or lone surrogates, and
        OutcomeUnknownError when the job may have been accepted.
        """
        check_key(idempotency_key)
        job_id = new_id()
        with known_as(job_id):
            rows = await self._submit(job_id, source, idempotency_key)
            if not rows:
                rows = await self._engine.fetch(_SUBMITTED, job_id, idempotency_key)
        if not rows:
            raise StoreUnavailableError(
                "the job of this idempotency key was deleted meanwhile: try again"
            )
        job = check_source(job_of(rows[0]), source)
        created = job.id == job_id
        return Submission(job, created=created, repeated=not created)

    async def _submit(
        self, job_id: UUID, source: str, idempotency_key: str | None
    ) -> Sequence[Mapping[str, Any]]:
        """Return the row, or none if there was one already.

        A key may have to wait for who uses the same one elsewhere. That nobody waits with it, it
        is inserted alone.
        """
        if idempotency_key is not None:
            return await self._engine.fetch(_SUBMIT, job_id, source, idempotency_key, self._lease)
        async with self._engine.guard():
            return await self._keyless.submit((job_id, source))

    async def _submit_all(
        self, wanted: Sequence[tuple[UUID, str]]
    ) -> list[Sequence[Mapping[str, Any]]]:
        ids, sources = zip(*wanted, strict=True)
        rows = await self._engine.fetch(_SUBMIT_ALL, self._lease, ids, sources)
        inserted = {row["id"]: [row] for row in rows}
        return [inserted.get(job_id, []) for job_id in ids]

    async def find(self, job_id: UUID) -> Job | None:
        """Return a job, if there is one with this id."""
        rows = await self._engine.run(JobRow.select().where(JobRow.id == job_id))
        return job_of(rows[0]) if rows else None

    async def newest_of_all(self, sources: Collection[str]) -> dict[str, Job]:
        """Return the job of each of the sources that was requested last, if it has one."""
        rows = await self._engine.fetch(_NEWEST_OF_ALL, list(set(sources)))
        return {row["source"]: job_of(row) for row in rows}

    async def failed_attempts(self, job_id: UUID) -> list[FailedAttempt]:
        """Return the last SHOWN_ATTEMPTS attempts of a job that failed, the first one first."""
        query = (
            AttemptRow.select()
            .where(AttemptRow.job_id == job_id)
            .order_by(AttemptRow.number, ascending=False)
            .limit(SHOWN_ATTEMPTS)
        )
        return [
            FailedAttempt(
                row["number"], row["failed_at"], Failure(row["error_code"], row["error_detail"])
            )
            for row in reversed(await self._engine.run(query))
        ]

    async def retry(self, job_id: UUID) -> Job:
        """Begin another round of attempts of a failed job; committed on return.

        Raises UnknownJobError, NotFailedError when the job is in any other state,
        TooManyRetriesError when it was retried MAX_RETRIES times, and OutcomeUnknownError when it
        may have been retried.
        """
        failed = sorted(predecessors(State.QUEUED))
        arguments = (State.QUEUED.value, self._lease, job_id, failed, MAX_RETRIES)
        before = await self.find(job_id)
        try:
            with known_as(job_id):
                rows = await self._engine.fetch_once(_RETRY, *arguments)
        except OutcomeUnknownError as unknown:
            # Where it was done it would be refused now, since the job is no longer failed.
            attempts = before.attempts if before else 0
            try:
                rows = await self._engine.fetch(_RETRIED, job_id, attempts, State.QUEUED.value)
                rows = rows or await self._engine.fetch_once(_RETRY, *arguments)
            except StoreUnavailableError:
                raise unknown from None
        if rows:
            return job_of(rows[0])
        job = await self.find(job_id)
        if job is None:
            raise UnknownJobError(f"there is no job {job_id}")
        if job.state in failed:
            raise TooManyRetriesError(
                f"job {job_id} was retried {MAX_RETRIES} times: correct what fails, then request"
                " another job"
            )
        raise NotFailedError(f"job {job_id} is {job.state}: only a failed job can be retried")

    async def backlog(self, limit: int) -> dict[str, int]:
        """Return how many jobs of each source are queued, counting no further than `limit`."""
        rows = await self._engine.fetch(_BACKLOG, State.QUEUED.value, limit)
        return {row["source"]: row["jobs"] for row in rows}

    async def page(  # noqa: PLR0913 - one for each filter
        self,
        *,
        state: State | None = None,
        source: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        before: int | None = None,
        limit: int,
    ) -> list[Job]:
        """Return at most `limit` jobs, newest first, in a state, of a source and a span of time.

        The span is of the times (aware) at which they were requested: from `since` up to, but not
        including, `until`. The next page is the one `before` the sequence of the last job of this
        one; jobs that are accepted in between do not move it.
        """
        wanted: dict[str, str] = {}
        if state is not None:
            wanted["state"] = state.value
        if source is not None:
            wanted["source"] = source
        # The more selective of the two filters: most jobs have succeeded.
        first = "source" if state is State.SUCCEEDED else "state"
        column = first if first in wanted else next(iter(wanted), None)
        query, arguments = keyset.page(
            "SELECT * FROM job",
            within=None if column is None else (column, wanted.pop(column)),
            between=await spans.sequences(self._engine, spans.OF_JOBS, since, until, before),
            filters=[
                *((name, "=", value) for name, value in wanted.items()),
                ("requested_at", ">=", since),
                ("requested_at", "<", until),
            ],
            limit=limit,
        )
        return [job_of(row) for row in await self._engine.fetch(query, *arguments)]

    async def changes_of(self, job_ids: Collection[UUID]) -> dict[UUID, JobChange]:
        """Return the last change of each of these jobs, as far as they exist."""
        rows = await self._engine.fetch(_CHANGES_OF, list(job_ids))
        return {row["id"]: _change_of(row) for row in rows}

    async def changes(
        self, after: tuple[datetime, UUID], *, source: str | None = None, limit: int
    ) -> list[JobChange]:
        """Return at most `limit` jobs by the time of their last change, for a source if given.

        They follow upon `after`, the time and id of the last one of the page before.
        """
        rows = await self._engine.fetch(_CHANGES, *after, source, limit)
        return [_change_of(row) for row in rows]


@contextmanager
def known_as(job_id: UUID) -> Iterator[None]:
    """Raise OutcomeUnknownError with the id of a job in place of an error that leaves it open."""
    try:
        yield
    except StoreUnavailableError as error:
        if not error.sent or isinstance(error, SchemaError | AccessError):
            raise
        raise OutcomeUnknownError(str(error), job_id) from error


def _change_of(row: Mapping[str, Any]) -> JobChange:
    return JobChange(job_of(row), row["changed_at"])


def check_source(job: Job, source: str) -> Job:
    """Return the job of a key; raises IdempotencyConflictError when it is for another source."""
    if job.source != source:
        raise IdempotencyConflictError(
            f"the idempotency key belongs to job {job.id} for source {job.source!r}: "
            f"use another key for {source!r}"
        )
    return job


def check_key(idempotency_key: str | None) -> None:
    """Raise IdempotencyKeyError for a text that cannot be a key."""
    if idempotency_key is None:
        return
    if not 1 <= len(idempotency_key) <= MAX_KEY_LENGTH or not is_storable(idempotency_key):
        raise IdempotencyKeyError(
            f"an idempotency key has 1 to {MAX_KEY_LENGTH} characters, none of them NUL: "
            "use another one"
        )


def job_of(row: Mapping[str, Any]) -> Job:
    """Return the job of a row with all columns."""
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
        slot=row["slot"],
        next_attempt_at=row["due_at"] if row["state"] == State.QUEUED and not row["sent"] else None,
    )
