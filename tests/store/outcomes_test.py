import asyncio
import json
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mousetrap.geo.bounds import BoundingBox
from mousetrap.geo.point import Point
from mousetrap.jobs.job import FailedAttempt, Failure
from mousetrap.jobs.state import State
from mousetrap.store.database import Database
from mousetrap.store.errors import DefectError, UnknownJobError
from mousetrap.store.notices import JOBS
from mousetrap.store.outcomes import Change
from support import samples
from support.batches import summarise
from support.postgres import DEADLINE, Connection
from support.samples import (
    BATCH,
    FAILURE,
    POINTS,
    POLICY,
    REPORT,
    SUMMARY,
    fail,
    submitted,
    succeed,
    succeeded,
)

COUNTS = """
SELECT (SELECT count(*) FROM summary WHERE job_id = $1),
       (SELECT count(*) FROM batch_part WHERE job_id = $1)
"""


class Notices:
    def __init__(self, side: Connection) -> None:
        self._side = side
        self._heard: list[Any] = []

    def hear(self, *notice: Any) -> None:
        self._heard.append(json.loads(notice[-1]))

    async def ends(self) -> list[dict[str, Any]]:
        """All earlier notices are there once an own notice has come back."""
        await self._side.execute("SELECT pg_notify($1, $2)", JOBS, '"last"')
        async with asyncio.timeout(DEADLINE):
            while "last" not in self._heard:
                await self._side.execute("SELECT")
        heard, self._heard = self._heard, []
        return [notice for notice in heard[:-1] if notice["state"] != State.QUEUED]


@pytest.fixture
async def notices(side: Connection) -> AsyncIterator[Notices]:
    notices = Notices(side)
    await side.add_listener(JOBS, notices.hear)
    yield notices
    await side.remove_listener(JOBS, notices.hear)


async def _end(database: Database, job_id: UUID, how: str) -> bool:
    """Return whether it did anything."""
    if how == "fail":
        return await fail(database, job_id) is Change.ENDED
    points = POINTS if how == "succeed" else POINTS[1:]
    attempt = 1 if how == "succeed" else 9
    change = await succeed(
        database, job_id, summary=summarise(points), points=points, attempt=attempt
    )
    return change is Change.ENDED


async def _state(database: Database, job_id: UUID) -> tuple[object, ...]:
    return (
        await database.jobs.find(job_id),
        await database.summaries.find(job_id),
        await samples.points(database, job_id),
    )


async def test_success_ends_the_job(database: Database) -> None:
    job = await submitted(database)
    assert await succeed(database, job.id) is Change.ENDED
    found = await database.jobs.find(job.id)
    assert found
    assert found.finished_at
    assert found == replace(
        job, state=State.SUCCEEDED, fetched_at=job.requested_at, finished_at=found.finished_at
    )
    assert found.requested_at < found.finished_at


async def test_failure_ends_the_job(database: Database, side: Connection) -> None:
    job = await submitted(database)
    assert await fail(database, job.id) is Change.ENDED
    found = await database.jobs.find(job.id)
    assert found
    assert found == replace(job, state=State.FAILED, finished_at=found.finished_at, failure=FAILURE)
    [attempt] = await database.jobs.failed_attempts(job.id)
    assert attempt == FailedAttempt(1, job.requested_at, FAILURE)
    assert tuple(await side.fetchrow(COUNTS, job.id) or ()) == (0, 0)


@pytest.mark.parametrize("behind", [timedelta(days=31), timedelta(days=-31)])
async def test_a_wrong_clock_of_a_worker_makes_no_job_old(
    database: Database, behind: timedelta
) -> None:
    failed, succeeded = await submitted(database), await submitted(database)
    at = datetime.now(UTC) - behind
    await database.outcomes.fail(
        failed.id, FAILURE, attempt=1, at=at, retryable=False, policy=POLICY
    )
    await database.outcomes.succeed(
        succeeded.id, attempt=1, fetched_at=at, summary=SUMMARY, batch=BATCH, report=REPORT
    )

    assert await database.retention.delete(older_than=86400, limit=10) == 0
    for job in (failed, succeeded):
        found = await database.jobs.find(job.id)
        assert found
        assert found.finished_at
        told = [it.failed_at for it in await database.jobs.failed_attempts(job.id)]
        told += [found.fetched_at] if found.fetched_at else []
        assert all(job.requested_at <= it <= found.finished_at for it in told)
        assert len(told) == 1


async def test_an_end_is_told_once(database: Database, notices: Notices) -> None:
    done = await submitted(database)
    failed = await submitted(database, "earthquakes")
    for _ in range(2):
        await succeed(database, done.id)
        await fail(database, failed.id)
    told = await notices.ends()
    assert [(it["job_id"], it["sequence"], it["source"], it["state"]) for it in told] == [
        (str(done.id), done.sequence, "demo", "succeeded"),
        (str(failed.id), failed.sequence, "earthquakes", "failed"),
    ]


async def test_what_comes_after_the_end_changes_nothing(
    database: Database, notices: Notices
) -> None:
    for order in permutations(["succeed", "fail", "other success"]):
        job = await submitted(database)
        assert await _end(database, job.id, order[0])
        before = await _state(database, job.id)
        assert len(await notices.ends()) == 1
        for step in order:
            assert not await _end(database, job.id, step)
        assert await _state(database, job.id) == before
        assert await notices.ends() == []


steps = st.lists(st.sampled_from(["succeed", "other success", "fail"]), min_size=1, max_size=4)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(waves=st.lists(steps, min_size=1, max_size=3))
async def test_whatever_happens_a_job_ends_once(
    database: Database, side: Connection, notices: Notices, waves: list[list[str]]
) -> None:
    """The steps of a wave run at once, the waves one after the other."""
    job = await submitted(database)
    results: list[tuple[str, bool]] = []
    for wave in waves:
        ended = await asyncio.gather(*(_end(database, job.id, step) for step in wave))
        results += zip(wave, ended, strict=True)
    [winner] = [step for step, changed in results if changed]
    assert winner in waves[0]
    found = await database.jobs.find(job.id)
    assert found
    expected = 0 if winner == "fail" else 1
    assert found.state is (State.SUCCEEDED if expected else State.FAILED)
    assert (found.failure is None) == bool(expected)
    assert tuple(await side.fetchrow(COUNTS, job.id) or ()) == (expected, expected)
    assert [notice["state"] for notice in await notices.ends()] == [found.state]


async def test_all_or_nothing(database: Database, side: Connection, notices: Notices) -> None:
    job = await submitted(database)
    broken = replace(SUMMARY, bbox=BoundingBox(-500, 0, 0, 0))
    with pytest.raises(DefectError, match="CheckViolationError"):
        await succeed(database, job.id, summary=broken)
    assert await database.jobs.find(job.id) == job
    assert tuple(await side.fetchrow(COUNTS, job.id) or ()) == (0, 0)
    assert await notices.ends() == []
    assert await succeed(database, job.id) is Change.ENDED


async def test_a_job_that_nobody_submitted_is_unknown(database: Database, side: Connection) -> None:
    await succeeded(database)
    stranger = uuid4()
    for call in (succeed(database, stranger), fail(database, stranger)):
        with pytest.raises(UnknownJobError, match=str(stranger)):
            await call
    assert await side.fetchval("SELECT count(*) FROM job") == 1


async def test_attempts_never_go_back(database: Database, side: Connection) -> None:
    for known, attempt, expected in ((1, 3, 3), (3, 1, 3), (2, 2, 2)):
        job = await submitted(database)
        await side.execute("UPDATE job SET attempts = $1 WHERE id = $2", known, job.id)
        await succeed(database, job.id, attempt=attempt)
        found = await database.jobs.find(job.id)
        assert found
        assert found.attempts == expected


async def test_what_postgres_cannot_hold_is_replaced(database: Database) -> None:
    for name, stored in (("a\0b", "a\ufffdb"), ("\ud83d", "\ufffd"), ("🐭{}'\"\\", "🐭{}'\"\\")):
        points = (Point(1.0, 2.0, name),)
        job, failed = await submitted(database), await submitted(database)
        await succeed(database, job.id, summary=summarise(points), points=points)
        await fail(database, failed.id, Failure(f"code {name}", f"detail {name}"))
        summary = await database.summaries.find(job.id)
        assert summary
        assert json.loads(summary.document)["most_northerly"]["name"] == stored
        text = await samples.points(database, job.id)
        assert text
        assert json.loads(text)["features"][0]["properties"] == {"name": stored}
        found = await database.jobs.find(failed.id)
        assert found
        assert found.failure == Failure(f"code {stored}", f"detail {stored}")


async def test_a_large_batch_is_stored_while_other_calls_go_on(database: Database) -> None:
    points = [Point(n % 180 - 90 + 1 / 3, n % 360 - 180 + 1 / 3, f"№ {n}") for n in range(100_000)]
    job = await submitted(database)
    large = asyncio.create_task(succeed(database, job.id, summary=summarise(points), points=points))
    longest = 0.0
    while not large.done():
        begin = time.monotonic()
        await database.jobs.find(job.id)
        longest = max(longest, time.monotonic() - begin)
    assert await large
    assert longest < 2
    text = await samples.points(database, job.id)
    assert text
    features = json.loads(text)["features"]
    assert len(features) == 100_000
    assert features[-1]["geometry"]["coordinates"] == [points[-1].lon, points[-1].lat]


async def test_the_batch_of_a_deleted_job_goes_with_it(
    database: Database, side: Connection
) -> None:
    job: UUID = (await succeeded(database)).id
    await side.execute("DELETE FROM job WHERE id = $1", job)
    assert tuple(await side.fetchrow(COUNTS, job) or ()) == (0, 0)
