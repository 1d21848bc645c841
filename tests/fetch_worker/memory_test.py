"""Memory is for batches that arrive: a source that says nothing takes none from the others."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID, uuid4

import pytest
from redis.asyncio import Redis

from mousetrap.fetch_worker.bulkheads import Bulkheads
from mousetrap.fetch_worker.fetcher import MAX_IN_HAND, Fetcher
from mousetrap.fetch_worker.memory import MemoryBudget
from mousetrap.fetch_worker.metrics import FetchMetrics
from mousetrap.messages.schema import FetchRequested
from mousetrap.queue.begun import BegunJobs
from mousetrap.queue.circuits import Circuits
from mousetrap.queue.pieces import PieceStore
from mousetrap.queue.publisher import Publisher
from mousetrap.queue.stages import FETCH, PROCESS
from mousetrap.settings.source_kinds import GeojsonSettings
from mousetrap.settings.sources import Sources
from mousetrap.sources.catalogue import Catalogue
from mousetrap.sources.feed import EXPANSION
from mousetrap.sources.memory import claim
from support import origin as origins
from support.features import collection, feature
from support.origin import Origin, answer
from support.streams import sent, until
from support.workers import working

NOWHERE = BegunJobs("unix:///nowhere")
SILENT = 100
LARGEST = MAX_IN_HAND // EXPANSION


@pytest.fixture
async def circuits(redis_url: str, raw: Redis) -> AsyncIterator[Circuits]:
    await raw.flushdb()
    async with Circuits(redis_url) as found:
        yield found


def feed(origin: Origin, path: str, max_bytes: int = 8 * 1024 * 1024) -> GeojsonSettings:
    return GeojsonSettings(
        url=origin.url(path), deadline=600, allow_private=True, min_interval=0, max_bytes=max_bytes
    )


@asynccontextmanager
async def fetching(
    redis_url: str,
    publisher: Publisher,
    circuits: Circuits,
    feeds: dict[str, GeojsonSettings],
    pieces: PieceStore,
) -> AsyncIterator[None]:
    sources = Sources(default="good", sources=dict(feeds))
    async with Catalogue(sources, max_connections=256) as catalogue:
        fetcher = Fetcher(catalogue, publisher, pieces, FetchMetrics())
        admit = Bulkheads(sources.sources, circuits, NOWHERE, fetcher.weigh, MAX_IN_HAND).admit
        async with working(
            redis_url, FETCH, fetcher.fetch, lease=30.0, concurrency=256, grace=0, admit=admit
        ):
            yield


async def answered(raw: Redis, job_id: UUID) -> None:
    async def found() -> bool:
        return any(it.job_id == job_id for it in await sent(raw, PROCESS))

    await until(found)


async def test_a_hundred_silent_sources_do_not_delay_one_that_answers(
    publisher: Publisher, redis_url: str, raw: Redis, circuits: Circuits, pieces: PieceStore
) -> None:
    async with origins.running() as origin:
        feeds = {f"silent-{number}": feed(origin, f"/{number}") for number in range(SILENT)}
        for number in range(SILENT):
            origin.answers(origin.hang, path=f"/{number}")
        origin.answers(answer(collection(feature())), path="/good")
        async with fetching(
            redis_url, publisher, circuits, feeds | {"good": feed(origin, "/good")}, pieces
        ):
            for name in feeds:
                await publisher.send(FetchRequested(uuid4(), name))
            async with asyncio.timeout(30):
                for _ in feeds:
                    await origin.arrived.acquire()
            await publisher.send(good := FetchRequested(uuid4(), "good"))

            await answered(raw, good.job_id)

    assert [it.job_id for it in await sent(raw, PROCESS)] == [good.job_id]


async def test_answers_that_are_too_much_together_are_read_one_after_another(
    publisher: Publisher, redis_url: str, raw: Redis, circuits: Circuits, pieces: PieceStore
) -> None:
    whole = answer(collection(feature()))
    may_end = asyncio.Event()

    async def halting(writer: asyncio.StreamWriter) -> None:
        writer.write(whole[:-10])
        await may_end.wait()
        writer.write(whole[-10:])

    async with origins.running() as origin:
        origin.answers(halting, path="/halting")
        origin.answers(whole, path="/good")
        feeds = {name: feed(origin, f"/{name}", LARGEST) for name in ("halting", "good")}
        async with fetching(redis_url, publisher, circuits, feeds, pieces):
            first, second = (FetchRequested(uuid4(), name) for name in feeds)
            for request in (first, second):
                await publisher.send(request)
                async with asyncio.timeout(10):
                    await origin.arrived.acquire()
            may_end.set()

            await answered(raw, second.job_id)

    assert [it.job_id for it in await sent(raw, PROCESS)] == [first.job_id, second.job_id]


async def test_memory_is_held_until_the_batch_is_sent_and_claimed_once() -> None:
    budget = MemoryBudget(10)
    begun, may_leave = asyncio.Event(), asyncio.Event()
    entered: list[str] = []

    async def batch(name: str) -> None:
        async with budget.hold():
            await claim(6)
            await claim(6)
            entered.append(name)
            begun.set()
            await may_leave.wait()

    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        group.create_task(batch("first"))
        group.create_task(batch("second"))
        await begun.wait()
        assert entered == ["first"]
        may_leave.set()
    assert entered == ["first", "second"]


async def test_a_wait_for_memory_that_is_cut_off_holds_nothing() -> None:
    budget = MemoryBudget(10)

    async def batch() -> None:
        async with budget.hold():
            await claim(10)

    async with budget.hold():
        await claim(10)
        waiting = asyncio.create_task(batch())
        await asyncio.sleep(0)
        waiting.cancel()
    async with asyncio.timeout(10):
        await asyncio.wait([waiting])
        await batch()


async def test_a_batch_that_is_larger_than_the_budget_is_alone() -> None:
    budget = MemoryBudget(10)
    async with asyncio.timeout(10), budget.hold():
        await claim(100)


async def test_nobody_bounds_a_batch_that_is_not_held() -> None:
    async with asyncio.timeout(10):
        await claim(1 << 60)
