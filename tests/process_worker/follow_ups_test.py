"""Which follow-ups are sent, and which are left alone, between a real queue and Postgres."""

import asyncio
from collections.abc import AsyncIterator
from typing import Final
from uuid import UUID

import pytest
from redis.asyncio import Redis

from mousetrap.follow_up.follower import Follower
from mousetrap.jobs.retry import RetryPolicy
from mousetrap.messages.schema import FetchRequested, SummaryStored
from mousetrap.process_worker import follow_ups as module
from mousetrap.process_worker.follow_ups import FollowUps
from mousetrap.process_worker.metrics import ProcessMetrics
from mousetrap.process_worker.processor import Processor
from mousetrap.queue.dispatcher import Dispatcher
from mousetrap.queue.errors import QueueUnavailableError
from mousetrap.queue.inspector import Attempt, Inspector
from mousetrap.queue.pieces import PieceStore
from mousetrap.queue.publisher import Publisher
from mousetrap.queue.stages import FETCH, STAGES, following
from mousetrap.queue.streams import WAITING
from mousetrap.store.database import Database
from support.jobs import batch
from support.postgres import Connection
from support.samples import SUMMARY, document, submitted, succeeded
from support.streams import sent

ALERT: Final = following("alert")
POLICY: Final = RetryPolicy(attempts=3, first_delay=0.01, lease=60.0)


@pytest.fixture
async def database(migrated_dsn: str) -> AsyncIterator[Database]:
    async with Database(migrated_dsn, followed_by=[ALERT.name]) as found:
        yield found


@pytest.fixture
async def publisher(redis_url: str) -> AsyncIterator[Publisher]:
    async with Publisher(redis_url, stages=(*STAGES, ALERT)) as found:
        yield found


@pytest.fixture
async def inspector(redis_url: str) -> AsyncIterator[Inspector]:
    async with Inspector(redis_url) as found:
        yield found


@pytest.fixture
def metrics() -> ProcessMetrics:
    return ProcessMetrics()


@pytest.fixture
def follow_ups(
    database: Database, publisher: Publisher, inspector: Inspector, metrics: ProcessMetrics
) -> FollowUps:
    dispatcher = Dispatcher(publisher)
    return FollowUps(database, dispatcher, inspector, POLICY, metrics, stages=[ALERT], period=1.0)


async def all_due(side: Connection) -> None:
    await side.execute("UPDATE follow_up SET due_at = now()")


async def messages(raw: Redis) -> list[tuple[UUID, int]]:
    return [(message.job_id, message.attempt) for message in await sent(raw, ALERT)]


def count(metrics: ProcessMetrics, state: str) -> float | None:
    labels = {"stage": ALERT.name, "state": state}
    return metrics.registry.get_sample_value("mousetrap_follow_ups", labels)


async def test_a_summary_is_sent_on_once(
    follow_ups: FollowUps,
    database: Database,
    raw: Redis,
    metrics: ProcessMetrics,
    pieces: PieceStore,
) -> None:
    job = await submitted(database)
    await Processor(database, pieces, POLICY, metrics).process(batch(job.id))

    await asyncio.gather(*(follow_ups.send_due() for _ in range(3)))

    [message] = await sent(raw, ALERT)
    assert (message.job_id, message.stage, message.source) == (job.id, ALERT.name, job.source)
    assert document(SUMMARY).items() <= message.summary.items()
    assert count(metrics, "queued") == 1


async def test_one_that_waits_in_its_stream_is_never_sent_twice(
    follow_ups: FollowUps, database: Database, raw: Redis, side: Connection
) -> None:
    jobs = [await succeeded(database) for _ in range(20)]
    for _ in range(3):
        await follow_ups.send_due()
        await all_due(side)

    assert sorted(await messages(raw)) == sorted((job.id, 1) for job in jobs)


async def test_after_a_flush_it_is_sent_again_and_is_not_charged_with_it(
    follow_ups: FollowUps, database: Database, raw: Redis, side: Connection
) -> None:
    job = await succeeded(database)
    for number in range(1, 2 * POLICY.attempts):
        await follow_ups.send_due()
        assert await messages(raw) == [(job.id, number)]
        await raw.flushdb()
        await all_due(side)

    row = await side.fetchrow("SELECT state, failures FROM follow_up")
    assert row
    assert (row["state"], row["failures"]) == ("queued", 0)


async def test_one_whose_sender_died_after_the_commit_is_sent_again(
    follow_ups: FollowUps, database: Database, raw: Redis, side: Connection
) -> None:
    job = await succeeded(database)
    await side.execute("UPDATE follow_up SET sent = true")

    await follow_ups.send_due()

    assert await messages(raw) == [(job.id, 2)]


@pytest.mark.parametrize(
    ("attempt", "sent", "failures", "wait", "early"),
    [
        (1, False, 0, 120, True),  # new when the clock was set two minutes back
        (1, True, 0, 60 + 120, True),
        (2, True, 0, 120, False),
        (2, True, 1, 120 + 120, True),
        (2, False, 1, 300, False),  # its stage chose the delay
        (2, False, 1, 300 + 120, True),
    ],
)
async def test_one_waits_no_longer_for_the_clock_of_postgres_than_a_first_attempt_does(  # noqa: PLR0913, PLR0917
    follow_ups: FollowUps,
    database: Database,
    side: Connection,
    attempt: int,
    sent: bool,  # noqa: FBT001
    failures: int,
    wait: int,
    early: bool,  # noqa: FBT001
) -> None:
    await succeeded(database)
    await side.execute(
        "UPDATE follow_up SET attempts = $1, sent = $2, failures = $3,"
        " due_at = now() + $4 * interval '1 second'",
        *(attempt, sent, failures, wait),
    )

    await follow_ups.send_due()

    left = await side.fetchval("SELECT extract(epoch FROM due_at - now())::float8 FROM follow_up")
    most = POLICY.lease if early else wait
    assert most - 30 < left <= most


async def test_what_could_not_be_sent_is_sent_when_the_queue_is_back(
    follow_ups: FollowUps, database: Database, inspector: Inspector, raw: Redis
) -> None:
    jobs = [await succeeded(database) for _ in range(3)]
    async with Publisher("unix:///nowhere", stages=[ALERT]) as nowhere:
        cut_off = FollowUps(
            database,
            Dispatcher(nowhere),
            inspector,
            POLICY,
            ProcessMetrics(),
            stages=[ALERT],
            period=1.0,
        )
        with pytest.raises(QueueUnavailableError):
            await cut_off.send_due()

    await follow_ups.send_due()

    assert sorted(await messages(raw)) == sorted((job.id, 1) for job in jobs)


async def test_a_stream_that_nobody_reads_does_not_grow_without_bound(
    follow_ups: FollowUps, database: Database, raw: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ENOUGH", 4)
    for _ in range(10):
        await succeeded(database)

    for _ in range(3):
        await follow_ups.send_due()

    assert await raw.xlen(ALERT.key) == 4


async def test_a_stuck_stage_does_not_hide_what_jobs_have_lost(
    follow_ups: FollowUps,
    database: Database,
    publisher: Publisher,
    inspector: Inspector,
    raw: Redis,
) -> None:
    await succeeded(database)
    await follow_ups.send_due()
    job = await submitted(database)
    await publisher.send(FetchRequested(job.id, job.source))
    await raw.delete(FETCH.key)

    backlog = await inspector.look_for([Attempt(job.id, 1)])

    assert (backlog.messages, backlog.waiting) == (0, frozenset())


async def test_one_that_failed_is_sent_again_until_its_attempts_are_over(
    follow_ups: FollowUps,
    database: Database,
    raw: Redis,
    side: Connection,
    metrics: ProcessMetrics,
) -> None:
    job = await succeeded(database)
    tried = []

    async def fail(message: SummaryStored) -> None:
        tried.append(message.attempt)
        raise ConnectionError("the webhook is away")

    follower = Follower(database, ALERT.name, POLICY, fail)
    for _ in range(POLICY.attempts + 1):
        await all_due(side)
        await follow_ups.send_due()
        for message in await sent(raw, ALERT):
            await follower.handle(message)
        await raw.delete(ALERT.key, ALERT.waiting)

    assert tried == [1, 2, 3]
    row = await side.fetchrow("SELECT * FROM follow_up")
    assert row
    assert (row["job_id"], row["state"], row["error_code"]) == (job.id, "failed", "ConnectionError")
    assert row["error_detail"] == "the webhook is away"
    assert (count(metrics, "queued"), count(metrics, "failed")) == (0, 1)


async def test_one_that_is_done_is_left_alone(
    follow_ups: FollowUps, database: Database, raw: Redis, side: Connection
) -> None:
    job = await succeeded(database)
    await database.follow_ups.done(job.id, ALERT.name)
    await all_due(side)

    await follow_ups.send_due()

    assert await messages(raw) == []


async def test_its_attempts_are_recorded_beside_those_of_jobs(
    follow_ups: FollowUps, database: Database, raw: Redis
) -> None:
    job = await succeeded(database)

    await follow_ups.send_due()

    assert await raw.zrange(ALERT.waiting, 0, -1) == [f"{job.id}/alert/1".encode()]
    assert await raw.zcard(WAITING) == 0


def test_without_such_a_stage_nothing_runs(
    database: Database, publisher: Publisher, inspector: Inspector, metrics: ProcessMetrics
) -> None:
    dispatcher = Dispatcher(publisher)
    none = FollowUps(database, dispatcher, inspector, POLICY, metrics, stages=[], period=1.0)

    assert none.watchers() == ()
