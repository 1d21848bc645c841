"""The pipeline on arq, whose jobs stay in the queue until they have ended."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from arq import Retry, create_pool
from arq.connections import RedisSettings

from bench.peers.programs import async_rows, work

# With the default of 0.5 s and four jobs at once, eight jobs per second would be the limit.
POLL_DELAY = 0.05
REDIS = RedisSettings.from_dsn(work.REDIS_URL)


async def fetch(ctx: dict[str, Any], job: str) -> None:
    """Send a batch to the second stage."""
    try:
        points = await async_rows.fetch()
        await ctx["redis"].enqueue_job("process", job, points, _queue_name=work.PROCESS)
    except Exception as error:
        raise Retry(defer=ctx["job_try"]) from error


async def process(ctx: dict[str, Any], job: str, points: work.Points) -> None:
    """Store a batch."""
    try:
        await async_rows.store(ctx["pool"], job, points)
    except Exception as error:
        raise Retry(defer=ctx["job_try"]) from error


async def start(ctx: dict[str, Any]) -> None:
    """Open the connections of a worker."""
    ctx["pool"] = await async_rows.connect()


class Fetch:
    """The worker of the first stage. arq adds ten seconds of lease to the timeout of a job."""

    functions = (fetch,)
    queue_name = work.FETCH
    redis_settings = REDIS
    job_timeout = work.LEASE
    max_jobs = work.CONCURRENCY
    poll_delay = POLL_DELAY
    max_tries = work.TRIES


class Process:
    """The worker of the second stage."""

    functions = (process,)
    queue_name = work.PROCESS
    redis_settings = REDIS
    on_startup = start
    job_timeout = work.LEASE
    max_jobs = work.CONCURRENCY
    poll_delay = POLL_DELAY
    max_tries = work.TRIES


@asynccontextmanager
async def client() -> AsyncIterator[Callable[[str], Awaitable[None]]]:
    """Yield a function that sends a job."""
    pool = await create_pool(REDIS)

    async def send(job: str) -> None:
        await pool.enqueue_job("fetch", job, _queue_name=work.FETCH)

    yield send
    await pool.aclose()
