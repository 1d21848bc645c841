"""The yardstick of the pipeline: the same stages by hand, with only redis-py and asyncpg.

The servers, tables, payloads, settings, number of processes and the work on the points are those of
Mousetrap. There is no framework, ORM, lease, retry, dead letter or log.

Run as `python -m bench.stages STAGE`, with the settings of the process that it replaces.
"""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID, uuid4

import asyncpg
import msgspec
from redis.asyncio import Redis

from bench import bare
from mousetrap.api.http.limits import Receive, Scope, Send
from mousetrap.geo.batch import Batch
from mousetrap.geo.summary import summarise
from mousetrap.messages.schema import BatchFetched, FetchRequested
from mousetrap.settings import process, sources
from mousetrap.settings.process import ApiSettings, FetchWorkerSettings, ProcessWorkerSettings
from mousetrap.settings.source_kinds import FakerSettings
from mousetrap.sources import places
from mousetrap.store import batches

FETCH: Final = "bare:fetch"
PROCESS: Final = "bare:process"
GROUP: Final = "workers"
DATA: Final = b"data"
PATIENCE: Final = 60.0
LOOPS: Final = 16
"""Loops of each stage; 64 are slower."""

ACCEPT: Final = "INSERT INTO job (id, source) VALUES ($1, $2)"
STORE: Final = """
WITH ended AS (
    UPDATE job SET state = 'succeeded', fetched_at = $2, finished_at = now()
    WHERE id = $1
    RETURNING *
), summarised AS (
    INSERT INTO summary
    SELECT id, sequence, source, requested_at, fetched_at, finished_at, $3::integer,
        $4::float8, $5::float8, $6::float8, $7::float8, $8::text,
        $9::float8, $10::float8, $11::float8, $12::float8
    FROM ended
), kept AS (
    INSERT INTO batch_part SELECT id, 0, $13::json, $14::json, $15::json FROM ended
)
SELECT FROM ended
"""


class Door:
    """`POST /refresh` commits a job and sends a message; any GET answers that it is ready."""

    def __init__(self, settings: ApiSettings) -> None:
        self._settings = settings

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Connect to both servers."""
        async with (
            pool(self._settings.postgres_dsn, self._settings.pool_size) as self._pool,
            queue(self._settings.redis_url) as self._redis,
        ):
            yield

    async def answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        status, body = 200, b"{}"
        if scope["method"] == "POST":
            status, body = 202, await self._accept((await receive())["body"])
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
        ]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body, "more_body": False})

    async def _accept(self, body: bytes) -> bytes:
        job_id, source = uuid4(), msgspec.json.decode(body)["source"]
        await self._pool.execute(ACCEPT, job_id, source)
        message = msgspec.json.encode(FetchRequested(job_id=job_id, source=source))
        await self._redis.xadd(FETCH, {DATA: message})
        return msgspec.json.encode({"status": "ok", "job_id": job_id, "source": source})


async def fetch(settings: FetchWorkerSettings) -> None:
    """Invent a batch for every request and send it to the next stage."""
    invent = inventor(settings)

    async with queue(settings.redis_url) as redis:

        async def handle(data: bytes) -> None:
            request = msgspec.json.decode(data, type=FetchRequested)
            batch = BatchFetched(request.job_id, datetime.now(UTC), invent(request.source))
            await redis.xadd(PROCESS, {DATA: msgspec.json.encode(batch)})

        await _consume(redis, FETCH, handle)


def inventor(settings: FetchWorkerSettings) -> Callable[[str], Batch]:
    """Return a function that invents the points of a source."""
    configured = sources.load(settings.sources_file).sources

    def invent(name: str) -> Batch:
        source = configured[name]
        assert isinstance(source, FakerSettings)
        return places.invent(source.count)

    return invent


async def store(settings: ProcessWorkerSettings) -> None:
    """Summarise every batch and store it."""
    async with (
        queue(settings.redis_url) as redis,
        pool(settings.postgres_dsn, settings.pool_size) as connections,
    ):

        async def handle(data: bytes) -> None:
            batch = msgspec.json.decode(data, type=BatchFetched)
            await connections.execute(STORE, *row(batch))

        await _consume(redis, PROCESS, handle)


def row(batch: BatchFetched) -> tuple[UUID, datetime, int, *tuple[Any, ...]]:
    """Return the arguments of STORE."""
    found = summarise(batch.batch)
    [part] = batches.parts(batch.batch)
    centre, north, box = found.centroid, found.most_northerly, found.bbox
    return (
        *(batch.job_id, batch.fetched_at, found.count),
        *((centre.lat, centre.lon) if centre else (None, None)),
        *(north.lat, north.lon, north.name),
        *(box.west, box.south, box.east, box.north),
        *(part.latitudes, part.longitudes, part.names),
    )


async def _consume(redis: Redis, stream: str, handle: Callable[[bytes], Awaitable[None]]) -> None:
    await redis.xgroup_create(stream, GROUP, "0", mkstream=True)

    async def work() -> None:
        while True:
            answer: Any = await redis.xreadgroup(GROUP, "bare", {stream: ">"}, count=1, block=1000)
            for _, entries in answer:
                for entry_id, fields in entries:
                    await handle(fields[DATA])
                    async with redis.pipeline(transaction=True) as steps:
                        steps.xack(stream, GROUP, entry_id)
                        steps.xdel(stream, entry_id)
                        await steps.execute()

    async with asyncio.TaskGroup() as group:
        for _ in range(LOOPS):
            group.create_task(work())


def queue(url: str) -> Redis:
    """Return a client of the queue that survives a SIGSTOP, as Mousetrap does."""
    return Redis.from_url(url, socket_timeout=PATIENCE)


def pool(dsn: str, size: int) -> "asyncpg.Pool[asyncpg.Record]":
    """Return a pool of connections to Postgres, as large as Mousetrap's."""
    return asyncpg.create_pool(dsn, min_size=size, max_size=size, reset=_keep)


async def _keep(_: object) -> None:
    """Reset nothing: as Mousetrap does."""


def main(stage: str, environ: Mapping[str, str]) -> None:
    """Run one stage until SIGTERM."""
    if stage == "api":
        door = Door(process.load(ApiSettings, environ))
        bare.serve(door.answer, door.open)
    elif stage == "fetch_worker":
        asyncio.run(fetch(process.load(FetchWorkerSettings, environ)))
    else:
        asyncio.run(store(process.load(ProcessWorkerSettings, environ)))


if __name__ == "__main__":
    main(sys.argv[1], os.environ)
