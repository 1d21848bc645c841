"""Workers whose links to Redis are cut again and again, with a harmless job in hand."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from chaos.proxy import Proxy
from mousetrap.jobs.job import Job
from mousetrap.jobs.state import State
from mousetrap.messages.dead_letter import UNDELIVERABLE
from mousetrap.messages.schema import FetchRequested
from mousetrap.queue.publisher import Publisher
from mousetrap.queue.stages import FETCH
from mousetrap.queue.streams import GROUP
from mousetrap.stack.servers import Servers, valkey_address
from mousetrap.store.database import Database
from support import origin as origins
from support import processes
from support.features import collection, feature
from support.jobs import ended
from support.origin import answer
from support.samples import submitted
from support.streams import until

LEASE = 0.5
SOURCES = """
default = "feed"

[sources.feed]
kind = "geojson"
url = "{url}"
allow_private = true
deadline = 120
min_interval = 0
max_in_flight = 100
"""


class Source:
    """An origin that answers when it may."""

    def __init__(self, origin: origins.Origin) -> None:
        self.url = origin.url("/feed")
        self.may_answer = asyncio.Event()
        origin.answers(self._reply, path="/feed")

    async def _reply(self, writer: asyncio.StreamWriter) -> None:
        await self.may_answer.wait()
        writer.write(answer(collection(feature())))
        await writer.drain()


@pytest.fixture
async def source() -> AsyncIterator[Source]:
    async with origins.running() as origin:
        found = Source(origin)
        yield found
        found.may_answer.set()


@pytest.fixture
async def links(
    servers: Servers, migrated_dsn: str, redis_url: str, source: Source, tmp_path: Path
) -> AsyncIterator[Mapping[int, Proxy]]:
    """The links of two fetch workers by process id, beside a process worker whose link is whole."""
    sources = tmp_path / "sources.toml"
    sources.write_text(SOURCES.format(url=source.url))
    number = redis_url.rpartition("=")[2]
    common: dict[str, str | None] = {
        "sources_file": str(sources),
        "lease": str(LEASE),
        "health_port": "0",
    }
    process = common | {
        "redis_url": redis_url,
        "postgres_dsn": migrated_dsn,
        "reconcile_period": "0.1",
        "retry_delay": "0.1",
    }
    async with AsyncExitStack() as stack:
        proxies = {}
        for _ in range(2):
            address = str(valkey_address(servers.sockets))
            proxy = await stack.enter_async_context(Proxy.to(address))
            fetch = common | {"redis_url": f"redis://127.0.0.1:{proxy.port}/{number}"}
            worker = await stack.enter_async_context(
                processes.running("fetch_worker", settings=fetch)
            )
            await worker.ready()
            proxies[worker.pid] = proxy
        await stack.enter_async_context(processes.running("process_worker", settings=process))
        yield proxies


async def holding(raw: Redis) -> tuple[int, int] | None:
    """Return the process id of the worker that has the request, and its number of deliveries."""
    found: Any = await raw.xpending_range(FETCH.key, GROUP, "-", "+", 1)
    for it in found:
        return int(it["consumer"].rsplit(b"-", 2)[1]), it["times_delivered"]
    return None


async def cut_in_turn(links: Mapping[int, Proxy], raw: Redis) -> None:
    """Cut the link of the worker that has the request until another one has it, for ever."""

    async def found() -> tuple[int, int] | None:
        return await holding(raw)

    async def has_gone_on() -> bool:
        return await holding(raw) != holder

    while True:
        holder = await until(found)
        assert holder
        link = links[holder[0]]
        link.block()
        link.cut()
        await until(has_gone_on)
        link.heal()


async def test_a_job_outlives_more_lost_leases_than_a_message_may_have(
    links: Mapping[int, Proxy], source: Source, database: Database, publisher: Publisher, raw: Redis
) -> None:
    async def of_a_third_attempt() -> Job | None:
        job = await database.jobs.find(accepted.id)
        return job if job and (job.attempts > 2 or job.state is not State.QUEUED) else None

    accepted = await submitted(database, "feed")
    await publisher.send(FetchRequested(accepted.id, "feed"))

    cutting = asyncio.create_task(cut_in_turn(links, raw))
    job = await until(of_a_third_attempt)
    cutting.cancel()
    await asyncio.wait({cutting})
    for link in links.values():
        link.heal()
    assert job
    assert job.state is State.QUEUED, job.failure

    source.may_answer.set()

    assert (await ended(database, accepted.id)).state is State.SUCCEEDED
    failures = await database.jobs.failed_attempts(accepted.id)
    assert {it.failure.code for it in failures} == {UNDELIVERABLE}
