"""The pipeline on plain taskiq, with the broker of taskiq-redis that acknowledges."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from asyncpg import Pool, Record
from taskiq import Context, SimpleRetryMiddleware, TaskiqDepends, TaskiqEvents, TaskiqState
from taskiq_redis import RedisStreamBroker

from bench.peers.programs import async_rows, work

# Stands for the context of the message in hand.
CONTEXT: Context = TaskiqDepends()


def _broker(stage: str) -> RedisStreamBroker:
    broker = RedisStreamBroker(
        work.REDIS_URL,
        queue_name=stage,
        idle_timeout=work.LEASE * 1000,
        unacknowledged_lock_timeout=work.LEASE,
    )
    return broker.with_middlewares(
        SimpleRetryMiddleware(default_retry_count=work.TRIES, default_retry_label=True)
    )


fetching = _broker(work.FETCH)
processing = _broker(work.PROCESS)


@fetching.task
async def fetch(job: str) -> None:
    """Send a batch to the second stage."""
    await process.kiq(job, await async_rows.fetch())


@processing.task
async def process(job: str, points: work.Points, context: Context = CONTEXT) -> None:
    """Store a batch."""
    pool: Pool[Record] = context.state.pool
    await async_rows.store(pool, job, points)


@fetching.on_event(TaskiqEvents.WORKER_STARTUP)
async def _open_next(_: TaskiqState) -> None:
    await processing.startup()


@processing.on_event(TaskiqEvents.WORKER_STARTUP)
async def _connect(state: TaskiqState) -> None:
    state.pool = await async_rows.connect()


@asynccontextmanager
async def client() -> AsyncIterator[Callable[[str], Awaitable[None]]]:
    """Yield a function that sends a job."""
    await fetching.startup()

    async def send(job: str) -> None:
        await fetch.kiq(job)

    yield send
    await fetching.shutdown()
