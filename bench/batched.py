"""The batched yardstick of the pipeline: the stages of `stages`, all waiting messages at a time.

A stage reads up to COUNT messages with one command, works on them, and ends them together: one
statement stores all summaries in one transaction, equally durable; one round trip sends,
acknowledges and deletes. While one group is written, the next one is worked on.

Run as `python -m bench.batched STAGE`, with the settings of the process that it replaces.
"""

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
from redis.asyncio import Redis

from bench import stages
from bench.stages import DATA, FETCH, GROUP, PROCESS
from mousetrap.messages.schema import BatchFetched, FetchRequested
from mousetrap.settings import process
from mousetrap.settings.process import FetchWorkerSettings, ProcessWorkerSettings

COUNT: Final = 100
READERS: Final = 2

STORE: Final = """
WITH given AS (
    SELECT * FROM unnest(
        $1::uuid[], $2::timestamptz[], $3::integer[], $4::float8[], $5::float8[], $6::float8[],
        $7::float8[], $8::text[], $9::float8[], $10::float8[], $11::float8[], $12::float8[],
        $13::text[], $14::text[], $15::text[]
    ) AS given (
        id, fetched_at, count, lat, lon, northerly_lat, northerly_lon, northerly_name,
        west, south, east, north, latitudes, longitudes, names)
), ended AS (
    UPDATE job SET state = 'succeeded', fetched_at = given.fetched_at, finished_at = now()
    FROM given
    WHERE job.id = given.id
    RETURNING job.*
), summarised AS (
    INSERT INTO summary
    SELECT id, sequence, source, requested_at, ended.fetched_at, finished_at, count,
        lat, lon, northerly_lat, northerly_lon, northerly_name, west, south, east, north
    FROM ended JOIN given USING (id)
), kept AS (
    INSERT INTO batch_part
    SELECT id, 0, latitudes::json, longitudes::json, names::json FROM ended JOIN given USING (id)
)
SELECT FROM ended
"""


async def fetch(settings: FetchWorkerSettings) -> None:
    """Invent a batch for every request and send all batches."""
    invent = stages.inventor(settings)

    async with stages.queue(settings.redis_url) as redis:

        async def handle(messages: Sequence[bytes], steps: Any) -> None:
            for data in messages:
                request = msgspec.json.decode(data, type=FetchRequested)
                batch = BatchFetched(request.job_id, datetime.now(UTC), invent(request.source))
                steps.xadd(PROCESS, {DATA: msgspec.json.encode(batch)})

        await _consume(redis, FETCH, handle)


async def store(settings: ProcessWorkerSettings) -> None:
    """Summarise every batch and store all of them."""
    async with (
        stages.queue(settings.redis_url) as redis,
        stages.pool(settings.postgres_dsn, settings.pool_size) as connections,
    ):

        async def handle(messages: Sequence[bytes], _: Any) -> None:
            batches = (msgspec.json.decode(data, type=BatchFetched) for data in messages)
            await connections.execute(STORE, *zip(*map(stages.row, batches), strict=True))

        await _consume(redis, PROCESS, handle)


async def _consume(
    redis: Redis, stream: str, handle: Callable[[Sequence[bytes], Any], Awaitable[None]]
) -> None:
    """Pass all waiting messages to `handle`, with the pipeline of commands to send afterwards."""
    await redis.xgroup_create(stream, GROUP, "0", mkstream=True)

    async def work() -> None:
        while True:
            answer: Any = await redis.xreadgroup(
                GROUP, "bare", {stream: ">"}, count=COUNT, block=1000
            )
            for _, entries in answer:
                ids = [entry_id for entry_id, _ in entries]
                async with redis.pipeline(transaction=True) as steps:
                    await handle([fields[DATA] for _, fields in entries], steps)
                    steps.xack(stream, GROUP, *ids)
                    steps.xdel(stream, *ids)
                    await steps.execute()

    async with asyncio.TaskGroup() as group:
        for _ in range(READERS):
            group.create_task(work())


def main(stage: str, environ: Mapping[str, str]) -> None:
    """Run one stage until SIGTERM; the API is that of `stages`."""
    if stage == "fetch_worker":
        asyncio.run(fetch(process.load(FetchWorkerSettings, environ)))
    elif stage == "process_worker":
        asyncio.run(store(process.load(ProcessWorkerSettings, environ)))
    else:
        stages.main(stage, environ)


if __name__ == "__main__":
    main(sys.argv[1], os.environ)
