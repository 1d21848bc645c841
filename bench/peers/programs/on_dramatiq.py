"""The pipeline on dramatiq, whose messages are acknowledged once they are processed."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import dramatiq
from dramatiq.brokers.redis import RedisBroker

from bench.peers.programs import rows, work

broker = RedisBroker(  # type: ignore[no-untyped-call]
    url=work.REDIS_URL,
    heartbeat_timeout=work.LEASE * 1000,
    # By default one command in 1,000 looks for dead workers, which is rare on an idle queue.
    maintenance_chance=1_000_000,
)
dramatiq.set_broker(broker)


@dramatiq.actor(queue_name=work.FETCH)
def fetch(job: str) -> None:
    """Send a batch to the second stage."""
    process.send(job, rows.fetch())


@dramatiq.actor(queue_name=work.PROCESS)
def process(job: str, points: work.Points) -> None:
    """Store a batch."""
    rows.store(job, points)


@asynccontextmanager
async def client() -> AsyncIterator[Callable[[str], Awaitable[None]]]:
    """Yield a function that sends a job."""

    async def send(job: str) -> None:
        fetch.send(job)

    yield send
