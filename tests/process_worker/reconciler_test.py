"""Messages sent again, and those that are not, between a real queue and a real database."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest
from redis.asyncio import Redis

from mousetrap.jobs.job import Job
from mousetrap.jobs.retry import RetryPolicy
from mousetrap.jobs.state import State
from mousetrap.messages.dead_letter import DeadLetter
from mousetrap.messages.schema import FetchRequested
from mousetrap.process_worker import reconciler as module
from mousetrap.process_worker.metrics import ProcessMetrics
from mousetrap.process_worker.reconciler import LOST, Reconciler
from mousetrap.queue.dispatcher import Dispatcher
from mousetrap.queue.errors import QueueUnavailableError
from mousetrap.queue.inspector import Attempt, Inspector
from mousetrap.queue.pieces import PieceStore
from mousetrap.queue.publisher import Publisher
from mousetrap.queue.stages import FETCH, PROCESS
from mousetrap.queue.streams import GROUP, WAITING
from mousetrap.runtime.supervision import every, supervise
from mousetrap.store.database import Database
from mousetrap.telemetry.health import Health
from support.jobs import batch
from support.large import in_pieces
from support.postgres import Connection
from support.samples import BATCH, fail, submitted, succeed
from support.streams import Stream, sent, until

POLICY = RetryPolicy(attempts=3, first_delay=0.01, lease=60.0)


@pytest.fixture
async def inspector(redis_url: str) -> AsyncIterator[Inspector]:
    async with Inspector(redis_url) as found:
        yield found


@pytest.fixture
def reconciler(database: Database, publisher: Publisher, inspector: Inspector) -> Reconciler:
    return Reconciler(
        database, Dispatcher(publisher), inspector, POLICY, ProcessMetrics(), period=1.0
    )


async def accept(database: Database, publisher: Publisher) -> Job:
    job = await submitted(database)
    await publisher.send(FetchRequested(job.id, job.source))
    return job


async def all_due(side: Connection) -> None:
    await side.execute("UPDATE job SET due_at = now()")


@pytest.mark.parametrize(
    ("step", "attempt", "early"),
    [
        (120, 1, True),  # two minutes back
        (3600, 1, True),
        (3600, 3, True),
        (4, 1, True),
        (0, 1, False),
        (0, 2, False),
        (0, 3, False),
    ],
)
async def test_a_job_waits_no_longer_for_the_clock_of_postgres_than_a_first_attempt_does(  # noqa: PLR0913, PLR0917
    database: Database,
    publisher: Publisher,
    inspector: Inspector,
    side: Connection,
    events: list[Any],
    step: int,
    attempt: int,
    early: bool,  # noqa: FBT001
) -> None:
    """The clock was set back by so many seconds, or was ahead for a while."""
    metrics = ProcessMetrics()
    reconciler = Reconciler(database, Dispatcher(publisher), inspector, POLICY, metrics, period=1.0)
    job = await accept(database, publisher)
    wait = step + POLICY.longest[attempt - 1]
    await side.execute(
        "UPDATE job SET attempts = $1, due_at = now() + $2 * interval '1 second'", attempt, wait
    )

    await reconciler.reconcile()

    left = await side.fetchval(
        "SELECT extract(epoch FROM due_at - now())::float8 FROM job WHERE id = $1", job.id
    )
    most = POLICY.lease if early else wait
    assert most - 30 < left <= most
    found = metrics.registry.get_sample_value("mousetrap_reconciler_jobs_pulled_in_total")
    assert found == early
    told = [it["jobs"] for it in events if it["event"].startswith("jobs waited too long")]
    assert told == [1] * early


async def test_a_message_that_is_lost_while_the_clock_of_postgres_is_set_back_is_sent_again(
    database: Database, publisher: Publisher, inspector: Inspector, raw: Redis, side: Connection
) -> None:
    policy = RetryPolicy(attempts=3, first_delay=0.01, lease=0.1)
    dispatcher = Dispatcher(publisher)
    reconciler = Reconciler(database, dispatcher, inspector, policy, ProcessMetrics(), period=1.0)
    job = await accept(database, publisher)
    await raw.flushdb()
    await side.execute("UPDATE job SET due_at = due_at + interval '2 minutes'")

    async def sent_again() -> bool:
        await reconciler.reconcile()
        return await requests(raw) == [(job.id, 2)]

    await until(sent_again)


async def test_a_step_of_the_clock_of_postgres_is_told(
    reconciler: Reconciler, monkeypatch: pytest.MonkeyPatch, events: list[Any]
) -> None:
    await reconciler.reconcile()
    ahead = time.monotonic() - 60
    # As if Postgres were a minute ahead since then.
    monkeypatch.setattr("mousetrap.process_worker.reconciler.time.monotonic", lambda: ahead)

    await reconciler.reconcile()

    assert [it["server"] for it in events if it["event"].startswith("the clock of a server")] == [
        "postgres"
    ]


async def requests(raw: Redis) -> list[tuple[UUID, int]]:
    return [(message.job_id, message.attempt) for message in await sent(raw, FETCH)]


async def test_a_job_whose_message_is_lost_is_sent_again(
    reconciler: Reconciler, database: Database, publisher: Publisher, raw: Redis, side: Connection
) -> None:
    job = await accept(database, publisher)
    await raw.flushdb()
    await all_due(side)

    await reconciler.reconcile()
    await reconciler.reconcile()

    assert await requests(raw) == [(job.id, 2)]
    [attempt] = await database.jobs.failed_attempts(job.id)
    assert (attempt.number, attempt.failure) == (1, LOST)


@pytest.mark.parametrize("left", [0, 1])
@pytest.mark.parametrize("in_hand", [0, 2])
async def test_jobs_whose_messages_somebody_trimmed_are_sent_again(  # noqa: PLR0913, PLR0917
    reconciler: Reconciler,
    database: Database,
    publisher: Publisher,
    raw: Redis,
    side: Connection,
    redis_url: str,
    left: int,
    in_hand: int,
) -> None:
    """A user who may add to a stream may trim it too: Redis cannot forbid an argument of XADD."""
    jobs = [await accept(database, publisher) for _ in range(5)]
    await raw.xgroup_create(FETCH.key, GROUP, "0")
    if in_hand:
        await raw.xreadgroup(GROUP, "dead", {FETCH.key: ">"}, count=in_hand)
    await raw.xadd(FETCH.key, {"not": "a message"}, maxlen=left, approximate=False)

    async def fetch(_: FetchRequested) -> None:
        raise AssertionError  # there is none left

    async def bury(_: DeadLetter) -> None:
        """Nothing is to be told here."""

    stream = Stream(redis_url, raw)
    async with stream.worker(fetch, concurrency=1, lease=0.2, bury=bury):
        await stream.emptied()
    await all_due(side)

    await reconciler.reconcile()

    assert sorted(await requests(raw)) == sorted((job.id, 2) for job in jobs)


@pytest.mark.parametrize("large", [False, True])
async def test_a_batch_that_a_worker_of_the_version_before_gave_up_costs_an_attempt(  # noqa: PLR0913, PLR0917
    reconciler: Reconciler,
    database: Database,
    publisher: Publisher,
    pieces: PieceStore,
    raw: Redis,
    side: Connection,
    large: bool,  # noqa: FBT001
) -> None:
    job = await submitted(database)
    message = await in_pieces(pieces, job.id, [BATCH]) if large else batch(job.id, attempt=1)
    await publisher.send(message)
    # It reads no batch of this version, and finds no job in it that it would fail.
    await raw.xtrim(PROCESS.key, maxlen=0)
    await all_due(side)

    await reconciler.reconcile()

    assert await requests(raw) == [(job.id, 2)]


async def test_a_job_whose_lease_runs_is_left_alone(
    reconciler: Reconciler, database: Database, publisher: Publisher, raw: Redis
) -> None:
    await accept(database, publisher)
    await raw.flushdb()

    await reconciler.reconcile()

    assert await requests(raw) == []


async def test_a_backlog_is_never_sent_twice(
    reconciler: Reconciler, database: Database, publisher: Publisher, raw: Redis, side: Connection
) -> None:
    jobs = [await accept(database, publisher) for _ in range(20)]
    for _ in range(3):
        await all_due(side)
        await reconciler.reconcile()

    assert await requests(raw) == [(job.id, 1) for job in jobs]


async def test_what_a_worker_has_in_hand_is_left_alone(
    reconciler: Reconciler, database: Database, publisher: Publisher, raw: Redis, side: Connection
) -> None:
    await accept(database, publisher)
    await raw.xgroup_create(FETCH.key, GROUP, "0")
    await raw.xreadgroup(GROUP, "somebody", {FETCH.key: ">"})
    await accept(database, publisher)
    await all_due(side)

    await reconciler.reconcile()

    assert len(await requests(raw)) == 2


async def test_a_job_whose_batch_waits_to_be_processed_is_left_alone(
    reconciler: Reconciler, database: Database, publisher: Publisher, raw: Redis, side: Connection
) -> None:
    job = await submitted(database)
    await side.execute("UPDATE job SET attempts = 2")
    await publisher.send(batch(job.id))
    await all_due(side)

    await reconciler.reconcile()

    assert await requests(raw) == []
    assert await raw.xlen(PROCESS.key) == 1


async def test_of_a_job_that_waits_and_one_that_is_lost_the_lost_one_is_sent(
    reconciler: Reconciler, database: Database, publisher: Publisher, raw: Redis, side: Connection
) -> None:
    waiting, lost = await accept(database, publisher), await submitted(database)
    await all_due(side)

    await reconciler.reconcile()

    assert await requests(raw) == [(waiting.id, 1), (lost.id, 2)]


async def test_an_entry_that_somebody_deleted_is_lost_once_those_before_it_are_done(
    reconciler: Reconciler, database: Database, publisher: Publisher, raw: Redis, side: Connection
) -> None:
    job = await accept(database, publisher)
    await raw.delete(FETCH.key)
    await all_due(side)

    await reconciler.reconcile()

    assert await requests(raw) == [(job.id, 2)]


async def test_a_failed_attempt_is_followed_by_another_when_its_time_has_come(
    reconciler: Reconciler, database: Database, raw: Redis, side: Connection
) -> None:
    job = await submitted(database)
    await fail(database, job.id, retryable=True)
    await all_due(side)

    await reconciler.reconcile()

    assert await requests(raw) == [(job.id, 2)]
    assert len(await database.jobs.failed_attempts(job.id)) == 1


async def test_a_job_that_is_lost_again_and_again_fails_in_the_end(
    reconciler: Reconciler, database: Database, raw: Redis, side: Connection
) -> None:
    job = await submitted(database)
    for _ in range(POLICY.attempts):
        await all_due(side)
        await reconciler.reconcile()
        await raw.flushdb()

    found = await database.jobs.find(job.id)
    assert found
    assert (found.state, found.failure, found.attempts) == (State.FAILED, LOST, POLICY.attempts)
    numbers = [it.number for it in await database.jobs.failed_attempts(job.id)]
    assert numbers == [1, 2, 3]


async def test_many_replicas_send_every_lost_job_once(
    database: Database, publisher: Publisher, inspector: Inspector, raw: Redis, side: Connection
) -> None:
    jobs = [await submitted(database) for _ in range(50)]
    await all_due(side)
    replicas = [
        Reconciler(database, Dispatcher(publisher), inspector, POLICY, ProcessMetrics(), period=1.0)
        for _ in range(4)
    ]

    await asyncio.gather(*(replica.reconcile() for replica in replicas))

    assert sorted(await requests(raw)) == sorted((job.id, 2) for job in jobs)


async def test_a_long_outage_ends_without_a_flood(
    reconciler: Reconciler,
    database: Database,
    raw: Redis,
    side: Connection,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "ENOUGH", 8)
    monkeypatch.setattr(module, "TRICKLE", 1)
    for _ in range(20):
        await submitted(database)
    await all_due(side)

    lengths = []
    for _ in range(4):
        await reconciler.reconcile()
        lengths.append(len(await requests(raw)))

    assert lengths == [8, 9, 10, 11]


async def test_nothing_is_counted_while_the_queue_cannot_be_asked(
    database: Database, side: Connection
) -> None:
    job = await submitted(database)
    await all_due(side)
    async with Publisher("unix:///nowhere") as publisher, Inspector("unix:///nowhere") as inspector:
        reconciler = Reconciler(
            database, Dispatcher(publisher), inspector, POLICY, ProcessMetrics(), period=1.0
        )
        with pytest.raises(QueueUnavailableError):
            await reconciler.reconcile()

    assert await database.jobs.find(job.id) == job
    assert await database.jobs.failed_attempts(job.id) == []


async def test_a_message_that_could_not_be_sent_uses_up_no_attempt(
    reconciler: Reconciler, database: Database, inspector: Inspector, raw: Redis, side: Connection
) -> None:
    jobs = [await submitted(database) for _ in range(3)]
    await all_due(side)
    async with Publisher("unix:///nowhere") as nowhere:
        cut_off = Reconciler(
            database, Dispatcher(nowhere), inspector, POLICY, ProcessMetrics(), period=1.0
        )
        for _ in range(2 * POLICY.attempts):
            with pytest.raises(QueueUnavailableError):
                await cut_off.reconcile()

    await reconciler.reconcile()

    assert sorted(await requests(raw)) == sorted((job.id, 2) for job in jobs)


async def test_the_index_forgets_what_is_gone(
    database: Database, publisher: Publisher, inspector: Inspector, raw: Redis
) -> None:
    for _ in range(5):
        await accept(database, publisher)
    assert await raw.zcard(WAITING) == 5
    await raw.delete(FETCH.key)

    backlog = await inspector.look_for([])

    assert (backlog.messages, backlog.waiting) == (0, frozenset())
    assert await raw.zcard(WAITING) == 0


async def test_the_index_knows_an_attempt_from_another(
    database: Database, publisher: Publisher, inspector: Inspector
) -> None:
    job = await accept(database, publisher)

    backlog = await inspector.look_for([Attempt(job.id, 1), Attempt(job.id, 2)])

    assert (backlog.messages, backlog.waiting) == (1, frozenset({Attempt(job.id, 1)}))


async def test_goes_on_through_outages_and_after_surprises(events: list[Any]) -> None:
    troubles: list[Exception] = [QueueUnavailableError("away"), ZeroDivisionError()]
    over = asyncio.Event()

    async def step() -> None:
        if troubles:
            raise troubles.pop(0)
        over.set()

    watcher = every(0.01, "reconciler", "sending jobs again", step)
    health, outages = Health({}), (QueueUnavailableError,)
    running = asyncio.create_task(
        supervise(watcher, health, expected=(Exception,), outages=outages)
    )
    async with asyncio.timeout(10):
        await over.wait()
    running.cancel()

    assert [it["log_level"] for it in events][:2] == ["warning", "error"]


async def test_a_job_that_has_ended_is_left_alone(
    reconciler: Reconciler, database: Database, raw: Redis, side: Connection
) -> None:
    job = await submitted(database)
    await succeed(database, job.id)
    await all_due(side)

    await reconciler.reconcile()

    assert await requests(raw) == []
