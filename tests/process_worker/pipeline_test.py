"""Both workers at once, told everything twice and in any order."""

import asyncio
import json
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from redis.asyncio import Redis

from mousetrap.jobs.state import State
from mousetrap.messages.schema import FetchRequested, Message
from mousetrap.queue.publisher import Publisher
from mousetrap.store.database import Database
from mousetrap.store.notices import JOBS
from support import processes
from support.jobs import batch, failure
from support.postgres import Connection
from support.streams import backlog, dead, until

SOURCES = """
default = "demo"

[sources.demo]
kind = "faker"
count = 5

[sources.away]
kind = "geojson"
url = "http://127.0.0.1:9/feed"
allow_private = true
min_interval = 0
probe_interval = 0.1
"""
ENDS = """
SELECT job.id, state, error_code, count(summary.job_id) AS summaries,
    count(batch_part.job_id) AS batches
FROM job
LEFT JOIN summary ON summary.job_id = job.id
LEFT JOIN batch_part ON batch_part.job_id = job.id
GROUP BY job.id
"""


class Ends(list[UUID]):
    """The jobs that Postgres told to have ended."""

    def hear(self, *notice: Any) -> None:
        told = json.loads(notice[-1])
        if told["state"] != State.QUEUED:
            self.append(UUID(told["job_id"]))


@pytest.fixture
async def workers(
    migrated_dsn: str, redis_url: str, tmp_path: Path
) -> AsyncIterator[list[processes.Process]]:
    (tmp_path / "sources.toml").write_text(SOURCES)
    common: dict[str, str | None] = {"redis_url": redis_url, "lease": "2", "health_port": "0"}
    fetching = common | {"sources_file": str(tmp_path / "sources.toml")}
    processing = fetching | {
        "postgres_dsn": migrated_dsn,
        "reconcile_period": "0.1",
        "max_attempts": "2",
        "retry_delay": "0.1",
    }
    async with AsyncExitStack() as stack:
        yield [
            await stack.enter_async_context(processes.running(module, settings=settings))
            for module, settings in (
                ("fetch_worker", fetching),
                ("process_worker", processing),
                ("process_worker", processing),
            )
        ]


async def test_every_job_ends_exactly_once(
    workers: list[processes.Process],
    database: Database,
    publisher: Publisher,
    raw: Redis,
    side: Connection,
) -> None:
    notices = Ends()
    await side.add_listener(JOBS, notices.hear)
    order = random.Random(2026)  # noqa: S311 - the same order in every run
    sources = order.choices(["demo", "away", "nowhere"], weights=[8, 1, 1], k=50)
    jobs = [(await database.jobs.submit(source)).job for source in sources]
    messages: list[Message] = []
    for job in jobs:
        messages += [FetchRequested(job.id, job.source)] * 2
    for job in jobs[::5]:
        messages += [batch(job.id), failure(job.id)]
    order.shuffle(messages)

    async with asyncio.TaskGroup() as group:
        for message in messages:
            group.create_task(publisher.send(message))

    async def done() -> bool:
        return len(notices) >= len(jobs) and await backlog(raw) == 0

    def stored() -> list[UUID]:
        ends = (line for it in workers for line in it.all_logged("outcome received", job="ended"))
        return [UUID(line["job_id"]) for line in ends]

    async def told() -> bool:
        return len(jobs) <= len(stored())

    await until(done)
    rows = {row["id"]: row for row in await side.fetch(ENDS)}
    await until(told)
    assert sorted(rows) == sorted(notices) == sorted(stored()) == sorted(job.id for job in jobs)
    for row in rows.values():
        assert row["state"] in {"succeeded", "failed"}
        succeeded = row["state"] == "succeeded"
        assert (row["summaries"], row["batches"]) == (succeeded, succeeded)
        assert (row["error_code"] is None) == succeeded
    for job in set(jobs) - set(jobs[::5]):
        expected: dict[str, set[str | None]] = {
            "demo": {None},
            "away": {"unreachable", "circuit-open"},
            "nowhere": {"unknown-source"},
        }
        assert rows[job.id]["error_code"] in expected[job.source]
    assert await dead(raw) == []
