"""The metrics of the process worker about jobs, between a real queue and a real database."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import msgspec
import pytest
from redis.asyncio import Redis

from mousetrap.jobs.retry import RetryPolicy
from mousetrap.messages.dead_letter import DeadLetter
from mousetrap.process_worker.housekeeper import Housekeeper
from mousetrap.process_worker.metrics import ProcessMetrics
from mousetrap.process_worker.processor import Processor
from mousetrap.process_worker.reconciler import Reconciler
from mousetrap.queue.broker import StreamBroker
from mousetrap.queue.dispatcher import Dispatcher
from mousetrap.queue.inspector import Inspector
from mousetrap.queue.pieces import PieceStore
from mousetrap.queue.publisher import Publisher
from mousetrap.queue.stages import FETCH
from mousetrap.store.database import Database
from mousetrap.store.metrics import PoolMetrics
from support.jobs import batch, failure
from support.postgres import Connection
from support.samples import submitted
from support.streams import sent, until

POLICY = RetryPolicy(attempts=2, first_delay=0.01, lease=60.0)


@pytest.fixture
def metrics() -> ProcessMetrics:
    return ProcessMetrics()


def value(metrics: ProcessMetrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(name, labels)


async def test_a_job_that_succeeds_shows_how_long_each_stage_took(
    database: Database, metrics: ProcessMetrics, pieces: PieceStore
) -> None:
    job = await submitted(database)
    now = datetime.now(UTC)
    outcome = msgspec.structs.replace(
        batch(job.id),
        requested_at=now - timedelta(seconds=30),
        fetched_at=now - timedelta(seconds=10),
    )

    await Processor(database, pieces, POLICY, metrics).process(outcome)

    for stage, seconds in {"fetch": 20, "process": 10, "total": 30}.items():
        found = value(metrics, "mousetrap_job_stage_seconds_sum", stage=stage)
        assert found == pytest.approx(seconds, abs=5)


async def test_a_clock_that_is_ahead_makes_no_negative_duration(metrics: ProcessMetrics) -> None:
    ahead = datetime.now(UTC) + timedelta(hours=1)
    outcome = msgspec.structs.replace(batch(UUID(int=1)), fetched_at=ahead)

    metrics.succeeded(outcome, datetime.now(UTC))

    assert value(metrics, "mousetrap_job_stage_seconds_sum", stage="process") == 0
    assert value(metrics, "mousetrap_job_stage_seconds_count", stage="total") == 0


async def test_counts_what_came_of_attempts(
    database: Database, metrics: ProcessMetrics, pieces: PieceStore
) -> None:
    processor = Processor(database, pieces, POLICY, metrics)
    good, bad = await submitted(database), await submitted(database)
    for outcome in (
        batch(good.id),
        batch(good.id),
        failure(bad.id, retryable=True),
        failure(bad.id, attempt=2, retryable=True),
    ):
        await processor.process(outcome)

    for result in ("succeeded", "late", "waits", "failed"):
        assert value(metrics, "mousetrap_attempts_total", result=result) == 1


async def test_counts_what_is_lost_and_sent_again(
    database: Database,
    publisher: Publisher,
    redis_url: str,
    side: Connection,
    metrics: ProcessMetrics,
) -> None:
    for _ in range(2):
        await submitted(database)
    await side.execute("UPDATE job SET due_at = now()")
    async with Inspector(redis_url) as inspector:
        reconciler = Reconciler(
            database, Dispatcher(publisher), inspector, POLICY, metrics, period=1.0
        )
        await reconciler.reconcile()

    assert value(metrics, "mousetrap_reconciler_messages_lost_total") == 2
    assert value(metrics, "mousetrap_reconciler_jobs_sent_total") == 2
    assert value(metrics, "mousetrap_reconciler_last_success_timestamp_seconds")


async def test_a_job_that_is_sent_again_still_knows_when_it_was_requested(
    database: Database, publisher: Publisher, redis_url: str, raw: Redis, side: Connection
) -> None:
    job = await submitted(database)
    await side.execute("UPDATE job SET due_at = now()")
    async with Inspector(redis_url) as inspector:
        reconciler = Reconciler(
            database, Dispatcher(publisher), inspector, POLICY, ProcessMetrics(), period=1.0
        )
        await reconciler.reconcile()

    [request] = await sent(raw, FETCH)
    assert request.requested_at == job.requested_at


async def test_counts_schedules_and_dead_letters(
    database: Database, publisher: Publisher, redis_url: str, metrics: ProcessMetrics
) -> None:
    broker = StreamBroker(redis_url, FETCH)
    await broker.bury(DeadLetter(FETCH.key, "1-1", b"poison", "not a message", None, 3))
    await broker.shutdown()
    async with Inspector(redis_url) as inspector:
        housekeeper = Housekeeper(
            database,
            Dispatcher(publisher),
            inspector,
            metrics,
            schedules={"demo": 3600.0},
            period=1.0,
            retention=0.0,
        )
        await housekeeper.schedule()
        await housekeeper.collect()

    assert value(metrics, "mousetrap_jobs_scheduled_total", source="demo") == 1
    assert value(metrics, "mousetrap_dead_letters_stored_total") == 1


async def test_shows_the_pool(database: Database, metrics: ProcessMetrics) -> None:
    PoolMetrics(database, metrics.registry)

    async def is_idle() -> bool:
        return value(metrics, "mousetrap_pool_connections", state="idle") == 1

    await database.ping()
    await until(is_idle)  # it goes back after the answer
    async with database.leases.due(1):
        assert value(metrics, "mousetrap_pool_connections", state="in-use") == 1
