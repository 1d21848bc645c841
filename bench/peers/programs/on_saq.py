"""The pipeline on saq, which sweeps jobs that exceed their timeout."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from saq.queue.redis import RedisQueue

from bench.peers.programs import async_rows, work

SAFE = {"timeout": work.LEASE, "retries": work.TRIES}
# By default it looks for stuck jobs once a minute.
TIMERS = {"sweep": max(1, work.LEASE // 2)}

fetching = RedisQueue.from_url(work.REDIS_URL, name=work.FETCH)
processing = RedisQueue.from_url(work.REDIS_URL, name=work.PROCESS)


async def fetch(_: Any, *, job: str) -> None:
    """Send a batch to the second stage."""
    points = await async_rows.fetch()
    await processing.enqueue("process", job=job, points=points, **SAFE)


async def process(ctx: Any, *, job: str, points: work.Points) -> None:
    """Store a batch."""
    await async_rows.store(ctx["pool"], job, points)


async def start(ctx: Any) -> None:
    """Open the connections of a worker."""
    ctx["pool"] = await async_rows.connect()


FETCH = {
    "queue": fetching,
    "functions": [fetch],
    "concurrency": work.CONCURRENCY,
    "timers": TIMERS,
}
PROCESS = {
    "queue": processing,
    "functions": [process],
    "concurrency": work.CONCURRENCY,
    "timers": TIMERS,
    "startup": start,
}


@asynccontextmanager
async def client() -> AsyncIterator[Callable[[str], Awaitable[None]]]:
    """Yield a function that sends a job."""

    async def send(job: str) -> None:
        await fetching.enqueue("fetch", job=job, **SAFE)

    yield send
    await fetching.disconnect()
