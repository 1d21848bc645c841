"""Stores outcomes of attempts: summary or failure and the job's state, atomically."""

from collections.abc import AsyncGenerator, Collection, Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, Protocol
from uuid import UUID

import msgspec

from mousetrap.concurrency.group_commit import GroupCommit
from mousetrap.geo.batch import Batch
from mousetrap.geo.changes import Changes
from mousetrap.geo.report import Report
from mousetrap.geo.summary import Summary
from mousetrap.jobs.job import Failure
from mousetrap.jobs.retry import Progress, RetryPolicy, judge
from mousetrap.jobs.state import State, predecessors
from mousetrap.store import batches
from mousetrap.store.batches import Part
from mousetrap.store.engine import Engine
from mousetrap.store.errors import UnknownJobError, UnstorableValueError
from mousetrap.store.summaries import DOCUMENT, encode
from mousetrap.store.text import storable

# An outcome is stored by one statement, hence in one transaction: a second outcome for the job
# waits for the first one at the job's row, or is stored after its group, then finds that the job
# has gone on and changes nothing.
_SUCCEED: Final = f"""
WITH given AS (
    SELECT * FROM unnest(
        $1::uuid[], $2::integer[], $3::timestamptz[], $4::text[], $5::text[], $6::text[],
        $7::text[], $11::text[], $12::text[], $13::text[], $14::text[]
    ) AS given (
        id, attempt, fetched_at, summary, latitudes, longitudes, names, ids, groups, vals, changes)
), mine AS (
    SELECT id, state, attempts_before FROM job WHERE id = ANY ($1) FOR NO KEY UPDATE
), ended AS (
    UPDATE job
    SET state = $8, attempts = greatest(attempts, given.attempt),
        fetched_at = least(greatest(given.fetched_at, requested_at), now()),
        finished_at = statement_timestamp(), error_code = NULL, error_detail = NULL
    FROM given JOIN mine USING (id)
    WHERE job.id = given.id AND mine.state = ANY ($9) AND mine.attempts_before < given.attempt
    RETURNING job.*
), summarised AS (
    INSERT INTO summary (job_id, sequence, source, requested_at, document, changes)
    SELECT id, sequence, source, requested_at, {DOCUMENT}, changes::json
    FROM ended JOIN given USING (id)
    ON CONFLICT (job_id) DO NOTHING
), kept AS (
    INSERT INTO batch_part (job_id, number, latitudes, longitudes, names, ids, groups, "values")
    SELECT id, 0, latitudes::json, longitudes::json, names::json, ids::json, groups::json,
        vals::json
    FROM ended JOIN given USING (id)
    WHERE latitudes IS NOT NULL
    ON CONFLICT (job_id, number) DO NOTHING
), followed AS (
    INSERT INTO follow_up (job_id, stage) SELECT id, stage FROM ended, unnest($10::text[]) AS stage
    ON CONFLICT (job_id, stage) DO NOTHING
)
SELECT id FROM ended
"""  # noqa: S608 - made of constants
# A group skips locked rows, so two groups cannot deadlock.
_SUCCEED_TOGETHER: Final = _SUCCEED.replace("NO KEY UPDATE", "NO KEY UPDATE SKIP LOCKED")

# The lock keeps a second delivery from storing the same parts. It waits, and comes late then.
_OPEN: Final = """
SELECT FROM job WHERE id = $1 AND state = ANY ($3) AND attempts_before < $2
FOR NO KEY UPDATE
"""
_PARTS_FIRST: Final = "SET CONSTRAINTS batch_part_job_id_fkey DEFERRED"
_KEPT_ALREADY: Final = (None,) * 6

_PROGRESS: Final = "SELECT state, attempts, attempts_before FROM job WHERE id = $1"

# Times of other machines are for people, and bounded to what is plausible by the clock of Postgres:
# what is old, and may be deleted, is decided by that clock alone.
#
# Whether there is a delay tells what is next. The next attempt is counted at once: what is still
# to come of this one is late.
_FAIL: Final = """
WITH failed AS (
    UPDATE job
    SET state = CASE WHEN $3::float8 IS NULL THEN $7 ELSE state END,
        finished_at = CASE WHEN $3::float8 IS NULL THEN now() END,
        error_code = CASE WHEN $3::float8 IS NULL THEN $5::text END,
        error_detail = CASE WHEN $3::float8 IS NULL THEN $6::text END,
        attempts = attempts + ($3::float8 IS NOT NULL)::integer,
        sent = sent AND $3::float8 IS NULL,
        due_at = coalesce(now() + $3::float8 * interval '1 second', due_at)
    WHERE id = $1 AND state = ANY ($8) AND attempts = $2::integer
    RETURNING id, requested_at
), attempted AS (
    INSERT INTO attempt (job_id, number, failed_at, error_code, error_detail)
    SELECT id, $2::integer, least(greatest($4::timestamptz, requested_at), now()),
        $5::text, $6::text
    FROM failed
    ON CONFLICT (job_id, number) DO NOTHING
)
SELECT id FROM failed
"""

MAX_GROUP: Final = 4 * 1024 * 1024
"""The most characters of batches that are stored together."""


PATIENCE: Final = 120.0
"""Seconds that storing a batch which arrives in parts may take."""


class LargeBatch(Protocol):
    """A batch that arrives in parts, and of which the rest is known once all have arrived."""

    report: Report

    def parts(self) -> AsyncGenerator[Sequence[Part]]:
        """Yield the next parts, at least one at a time; they are not asked for again."""

    async def changes(self) -> Changes | None:
        """Return what has changed, if the source asks for it; the parts are stored by then."""

    def summary(self) -> Summary:
        """Return the summary of all parts; they have been yielded by then."""


class Change(StrEnum):
    """The effect of an outcome on its job."""

    ENDED = "ended"
    WAITS = "waits for another attempt"
    NONE = "changed nothing: it came late"


@dataclass(frozen=True, slots=True)
class _Success:
    job_id: UUID
    attempt: int
    fetched_at: datetime
    summary: str
    columns: tuple[str | None, ...]  # of the first part, unless all parts are kept already
    changes: str | None

    @property
    def weight(self) -> int:
        """The characters of what grows with the batch."""
        return sum(map(len, filter(None, (*self.columns, self.changes))))


class OutcomeStore:
    """The outcomes of attempts, for the process worker alone.

    Every method may be called any number of times, in any order, by any number of processes. The
    first success that is committed ends its job, whichever attempt of the round it is of; a failure
    counts for the newest attempt only, and once. A later outcome, or one of an earlier round,
    changes nothing. Successes at the same time are stored together, in one transaction. All methods
    raise UnknownJobError, StoreUnavailableError or SchemaError, and `succeed_with` the errors of
    its batch. In names, codes and details U+FFFD stands for NUL and lone surrogates, which Postgres
    does not take.

    A summary is stored together with a follow-up for each of the stages `followed_by`.
    """

    def __init__(self, engine: Engine, followed_by: Collection[str] = ()) -> None:
        self._engine = engine
        self._followed_by = list(followed_by)
        self._successes = GroupCommit(self._succeed, weight=MAX_GROUP)

    async def succeed(  # noqa: PLR0913 - each is a plain fact about the attempt
        self,
        job_id: UUID,
        *,
        attempt: int,
        fetched_at: datetime,
        summary: Summary,
        batch: Batch,
        report: Report,
        changes: Changes | None = None,
    ) -> Change:
        """Store the summary of a job, the batch that it is of, and how that came about.

        So are its `changes`, if the source asks for them.
        """
        parts = batches.parts(batch)
        document, listed = encode(summary, report, changes), _listed(changes)
        first = next(parts).columns
        success = _Success(job_id, attempt, fetched_at, document, first, listed)
        if len(batch) > batches.PART:
            ended = await self._succeed_in_parts(success, parts)
        else:
            # A group leaves out what is late, is locked, or has a value that Postgres refuses.
            ended = await self._successes.submit(success, weight=success.weight) or bool(
                await self._engine.fetch(_SUCCEED, *self._arguments([success]))
            )
        return await self._change(job_id, ended=ended)

    async def succeed_with(
        self, job_id: UUID, *, attempt: int, fetched_at: datetime, arriving: LargeBatch
    ) -> Change:
        """Store the summary of a job and its batch, which arrives in parts that are stored at once.

        All is stored or nothing, in one transaction, however long that takes within PATIENCE
        seconds. Nothing of the batch is asked for when the outcome comes late. Raises what the
        batch raises, too.
        """
        ended = False
        async with self._engine.atomically(deadline=PATIENCE):
            if await self._engine.fetch(_OPEN, job_id, attempt, _before(State.SUCCEEDED)):
                await self._engine.fetch(_PARTS_FIRST)
                count = 0
                async with aclosing(arriving.parts()) as found:
                    async for parts in found:
                        await batches.keep(self._engine, job_id, count, parts)
                        count += len(parts)
                changes = await arriving.changes()
                document = encode(arriving.summary(), arriving.report, changes)
                success = _Success(
                    job_id, attempt, fetched_at, document, _KEPT_ALREADY, _listed(changes)
                )
                # Last, since a change of a job must not wait for its commit.
                ended = bool(await self._engine.fetch(_SUCCEED, *self._arguments([success])))
        return await self._change(job_id, ended=ended)

    async def _change(self, job_id: UUID, *, ended: bool) -> Change:
        if ended:
            return Change.ENDED
        await self._progress(job_id)
        return Change.NONE

    async def fail(  # noqa: PLR0913 - each is a plain fact about the attempt
        self,
        job_id: UUID,
        failure: Failure,
        *,
        attempt: int,
        at: datetime,
        retryable: bool,
        policy: RetryPolicy,
    ) -> Change:
        """Store why an attempt failed; the job fails with it unless `policy` grants another one."""
        progress = await self._progress(job_id)
        verdict = judge(progress, attempt, policy, retryable=retryable)
        if verdict is None or not await self._engine.fetch(
            _FAIL,
            job_id,
            verdict.attempt,
            verdict.delay,
            at,
            storable(failure.code),
            storable(failure.detail),
            State.FAILED.value,
            _before(State.FAILED),
        ):
            return Change.NONE
        return Change.ENDED if verdict.delay is None else Change.WAITS

    async def _succeed(self, successes: Sequence[_Success]) -> list[bool]:
        """Store those that can be, of each job the first; return which ones were."""
        chosen = {it.job_id: it for it in reversed(successes)}
        try:
            arguments = self._arguments(list(chosen.values()))
            rows = await self._engine.fetch(_SUCCEED_TOGETHER, *arguments)
        except UnstorableValueError:
            return [False] * len(successes)
        ended = {row["id"] for row in rows}
        return [it.job_id in ended and chosen[it.job_id] is it for it in successes]

    async def _succeed_in_parts(self, success: _Success, others: Iterable[Part]) -> bool:
        """Store a batch too large for a group; return whether it was, whole or not at all."""
        async with self._engine.atomically():
            if not await self._engine.fetch(_SUCCEED, *self._arguments([success])):
                return False
            for number, part in enumerate(others, start=1):
                await batches.keep(self._engine, success.job_id, number, [part])
        return True

    def _arguments(self, successes: Sequence[_Success]) -> tuple[Any, ...]:
        columns = [list(column) for column in zip(*(it.columns for it in successes), strict=True)]
        return (
            [it.job_id for it in successes],
            [it.attempt for it in successes],
            [it.fetched_at for it in successes],
            [it.summary for it in successes],
            *columns[:3],
            State.SUCCEEDED.value,
            _before(State.SUCCEEDED),
            self._followed_by,
            *columns[3:],
            [it.changes for it in successes],
        )

    async def _progress(self, job_id: UUID) -> Progress:
        rows = await self._engine.fetch(_PROGRESS, job_id)
        if not rows:
            raise UnknownJobError(
                f"there is no job {job_id}: it was deleted, or belongs to another database"
            )
        [row] = rows
        return Progress(State(row["state"]), row["attempts"], row["attempts_before"])


def _listed(changes: Changes | None) -> str | None:
    """Return the ids of what changed as JSON; they are storable, as those of a part are."""
    if changes is None or changes.since is None:
        return None
    return msgspec.json.encode({"new": changes.new_ids, "gone": changes.gone_ids}).decode()


def _before(state: State) -> list[str]:
    return sorted(predecessors(state))
