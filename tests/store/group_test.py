"""Successes that are stored together end as if each had been alone."""

import asyncio
from collections.abc import Sequence
from typing import Any
from uuid import UUID, uuid4

import pytest

from mousetrap.geo.point import Point
from mousetrap.jobs.state import State
from mousetrap.store.database import Database
from mousetrap.store.errors import UnknownJobError, UnstorableValueError
from mousetrap.store.outcomes import Change, OutcomeStore
from support import samples
from support.batches import summarise
from support.postgres import Connection
from support.samples import BATCH, FETCHED_AT, REPORT, SUMMARY, holds, several, succeed

JOBS = 30


def _together(
    outcomes: OutcomeStore, job_ids: Sequence[UUID], *, attempt: int = 1
) -> "asyncio.Future[list[Any]]":
    return asyncio.gather(
        *(
            outcomes.succeed(
                job_id,
                attempt=attempt,
                fetched_at=FETCHED_AT,
                summary=SUMMARY,
                batch=BATCH,
                report=REPORT,
            )
            for job_id in job_ids
        ),
        return_exceptions=True,
    )


async def _succeeded(database: Database, job_ids: Sequence[UUID]) -> bool:
    jobs = [await database.jobs.find(job_id) for job_id in job_ids]
    return all(job is not None and job.state is State.SUCCEEDED for job in jobs)


async def test_each_of_a_group_has_its_own_summary_and_batch(database: Database) -> None:
    jobs = await several(database, JOBS)
    points = [(Point(number, 2 * number, f"place {number}"),) for number in range(JOBS)]
    changes = await asyncio.gather(
        *(
            succeed(database, job_id, summary=summarise(batch), points=batch)
            for job_id, batch in zip(jobs, points, strict=True)
        )
    )
    assert changes == [Change.ENDED] * JOBS
    ends = set()
    for job_id, batch in zip(jobs, points, strict=True):
        job, summary = await database.jobs.find(job_id), await database.summaries.find(job_id)
        text = await samples.points(database, job_id)
        assert job
        assert summary
        assert text
        assert holds(summary, summarise(batch))
        assert str(batch[0].name).encode() in text
        ends.add(job.finished_at)
    assert len(ends) < JOBS / 3  # the time of their transaction


async def test_of_two_successes_of_a_job_in_one_group_one_counts(database: Database) -> None:
    [job_id, other] = await several(database, 2)
    changes = await _together(database.outcomes, [job_id, other, job_id, job_id])
    assert sorted(changes) == sorted([Change.ENDED] * 2 + [Change.NONE] * 2)
    assert await _succeeded(database, [job_id, other])


async def test_groups_that_overlap_in_opposite_order_do_not_lock_each_other_out(
    database: Database,
) -> None:
    for _ in range(5):
        jobs = await several(database, JOBS)
        one, two = await asyncio.gather(
            _together(OutcomeStore(database.engine), jobs),
            _together(OutcomeStore(database.engine), jobs[::-1]),
        )
        assert [{*pair} for pair in zip(one, two[::-1], strict=True)] == [
            {Change.ENDED, Change.NONE}
        ] * JOBS
        assert await _succeeded(database, jobs)


async def test_who_cannot_be_stored_takes_nobody_along(database: Database) -> None:
    jobs = await several(database, 4)
    guilty, innocent, missing = jobs[0], jobs[1:], uuid4()
    failed, changes, [unknown] = await asyncio.gather(
        _together(database.outcomes, [guilty], attempt=2**31),
        _together(database.outcomes, innocent),
        _together(database.outcomes, [missing]),
    )
    assert [type(it) for it in failed] == [UnstorableValueError]
    assert changes == [Change.ENDED] * 3
    assert isinstance(unknown, UnknownJobError)
    assert await _succeeded(database, innocent)


async def test_nobody_waits_for_the_row_of_another(database: Database, side: Connection) -> None:
    locked, *free = await several(database, 5)
    async with asyncio.TaskGroup() as group, side.transaction():
        await side.execute("SELECT FROM job WHERE id = $1 FOR UPDATE", locked)
        waiting = group.create_task(succeed(database, locked))
        assert await _together(database.outcomes, free) == [Change.ENDED] * 4
        assert not waiting.done()
    assert waiting.result() is Change.ENDED


@pytest.mark.parametrize("late", [True, False])
async def test_a_success_of_an_earlier_round_changes_nothing_in_a_group_either(
    database: Database, side: Connection, *, late: bool
) -> None:
    jobs = await several(database, 3)
    await side.execute(
        "UPDATE job SET attempts = 4, attempts_before = $2 WHERE id = $1", jobs[1], 3 if late else 2
    )
    changes = await _together(database.outcomes, jobs, attempt=3)
    assert changes == [Change.ENDED, Change.NONE if late else Change.ENDED, Change.ENDED]
