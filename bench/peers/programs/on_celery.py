"""The pipeline on Celery, with late acknowledgement on Redis as its documentation says."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from celery import Celery  # type: ignore[import-untyped]

from bench.peers.programs import rows, work

app = Celery("peers", broker=f"redis+socket://{work.SOCKET}?virtual_host={work.DATABASE}")
RETRIED = {"autoretry_for": (Exception,), "max_retries": work.TRIES - 1, "retry_backoff": True}
app.conf.update(
    broker_transport_options={
        "visibility_timeout": work.LEASE,
        # With the defaults, it looks for messages that are visible again every 100 seconds.
        "unacked_restore_interval": max(1, work.LEASE // 2),
        "unacked_restore_throttle": 1,
    },
    task_acks_late=True,
    task_ignore_result=True,
    task_reject_on_worker_lost=True,
    visibility_timeout=work.LEASE,
    worker_prefetch_multiplier=1,
)


@app.task(queue=work.FETCH, **RETRIED)  # type: ignore[untyped-decorator]
def fetch(job: str) -> None:
    """Send a batch to the second stage."""
    process.delay(job, rows.fetch())


@app.task(queue=work.PROCESS, **RETRIED)  # type: ignore[untyped-decorator]
def process(job: str, points: work.Points) -> None:
    """Store a batch."""
    rows.store(job, points)


@asynccontextmanager
async def client() -> AsyncIterator[Callable[[str], Awaitable[None]]]:
    """Yield a function that sends a job."""

    async def send(job: str) -> None:
        fetch.delay(job)

    yield send
