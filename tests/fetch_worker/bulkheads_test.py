"""No source holds up another in a fetch worker, nor asks more often than it may."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from uuid import uuid4

import pytest
from redis.asyncio import Redis

from mousetrap.fetch_worker.bulkheads import SHARE, Bulkheads, fetching
from mousetrap.fetch_worker.fetcher import MAX_IN_HAND, Fetcher
from mousetrap.fetch_worker.metrics import FetchMetrics
from mousetrap.messages.schema import BatchFetched, FetchRequested
from mousetrap.queue.begun import BegunJobs
from mousetrap.queue.circuits import Circuits
from mousetrap.queue.pieces import PieceStore
from mousetrap.queue.publisher import Publisher
from mousetrap.queue.stages import FETCH, PROCESS
from mousetrap.settings.source_kinds import FakerSettings, GeojsonSettings, SourceSettings
from mousetrap.settings.sources import Sources
from mousetrap.sources.catalogue import Catalogue
from support import origin as origins
from support.streams import sent, until
from support.workers import working

NOWHERE = BegunJobs("unix:///nowhere")
MEMORY = 800
SLOW = FakerSettings(max_in_flight=4)


def request(source: str = "slow") -> FetchRequested:
    return FetchRequested(uuid4(), source)


@pytest.fixture
async def circuits(redis_url: str, raw: Redis) -> AsyncIterator[Circuits]:
    await raw.flushdb()
    async with Circuits(redis_url) as found:
        yield found


def bulkheads(circuits: Circuits, settings: SourceSettings = SLOW, *, weight: int = 1) -> Bulkheads:
    sources = {"slow": settings, "demo": FakerSettings()}
    return Bulkheads(sources, circuits, NOWHERE, lambda _: weight, MEMORY)


class Visitors:
    """Enter and stay, until told to leave."""

    def __init__(self, found: Bulkheads) -> None:
        self._bulkheads = found
        self.may_leave = asyncio.Event()
        self.inside: list[str] = []
        self.begun: list[float] = []

    async def visit(self, source: str = "slow") -> None:
        async with self._bulkheads.admit(request(source)):
            self.begun.append(asyncio.get_running_loop().time())
            self.inside.append(source)
            await self.may_leave.wait()
            self.inside.remove(source)


@asynccontextmanager
async def visitors(found: Bulkheads, *sources: str) -> AsyncIterator[Visitors]:
    """Let one visitor of each of the sources knock."""
    async with asyncio.timeout(30), asyncio.TaskGroup() as group:
        party = Visitors(found)
        for source in sources:
            group.create_task(party.visit(source))
        await asyncio.sleep(0)  # all have knocked; nobody waits for anything else
        yield party
        party.may_leave.set()


async def test_a_source_fetches_no_more_at_once_than_it_may(circuits: Circuits) -> None:
    async with visitors(bulkheads(circuits), *["slow"] * 40) as party:
        assert party.inside == ["slow"] * 4


async def test_a_source_that_never_answers_holds_up_no_other(circuits: Circuits) -> None:
    async with visitors(bulkheads(circuits), *["slow"] * 40, "demo") as party:
        assert party.inside == ["slow"] * 4 + ["demo"]


@pytest.mark.parametrize(
    ("weight", "admitted"),
    [(1, 4), (MEMORY // SHARE // 4, 4), (MEMORY // SHARE // 2, 2), (MEMORY, 1)],
)
async def test_a_source_holds_no_more_than_its_share_of_the_memory(
    circuits: Circuits, weight: int, admitted: int
) -> None:
    async with visitors(bulkheads(circuits, weight=weight), *["slow"] * 40) as party:
        assert len(party.inside) == admitted


async def test_a_source_that_has_answered_gives_its_memory_back_at_once(circuits: Circuits) -> None:
    found = bulkheads(circuits, FakerSettings(max_in_flight=1))
    async with AsyncExitStack() as stack:
        for _ in range(2):
            await stack.enter_async_context(found.admit(request()))
            async with fetching():
                pass  # the outcome has yet to be sent


async def test_memory_is_given_back_once(
    circuits: Circuits, events: list[dict[str, object]]
) -> None:
    found = bulkheads(circuits, FakerSettings(max_in_flight=1))
    async with found.admit(request()), fetching():
        pass
    async with visitors(found, "slow", "slow") as party:
        assert party.inside == ["slow"]
    assert events == []


async def test_one_that_stops_waiting_leaves_its_memory_to_others(circuits: Circuits) -> None:
    found = bulkheads(circuits, FakerSettings(max_in_flight=1, min_interval=0.05))
    async with visitors(found, "slow") as party:
        for _ in range(3):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0), found.admit(request()):
                    pass
        party.may_leave.set()
    async with found.admit(request()):
        pass


async def test_a_source_rests_between_two_fetches_of_any_worker(circuits: Circuits) -> None:
    settings = FakerSettings(max_in_flight=4, min_interval=0.05)
    start = asyncio.get_running_loop().time()
    async with asyncio.timeout(30), asyncio.TaskGroup() as group:
        party = Visitors(bulkheads(circuits, settings))
        party.may_leave.set()
        other = Visitors(bulkheads(circuits, settings))
        other.may_leave.set()
        for each in (party, other) * 2:
            group.create_task(each.visit())
    # Of three intervals in all: an answer that is late makes one of them look short. Redis counts
    # whole milliseconds.
    assert max(party.begun + other.begun) - start > 3 * (settings.min_interval - 0.002)


async def test_a_source_that_nobody_configured_is_admitted(circuits: Circuits) -> None:
    async with bulkheads(circuits).admit(request("gone")):
        pass


async def test_forty_jobs_of_a_dead_source_do_not_delay_another(
    publisher: Publisher, redis_url: str, raw: Redis, circuits: Circuits, pieces: PieceStore
) -> None:
    async def demo_is_done() -> bool:
        return bool(await sent(raw, PROCESS))

    async with origins.running() as origin:
        origin.answers(origin.hang)
        sources = {
            "dead": GeojsonSettings(
                url=origin.url(), deadline=600, min_interval=0, allow_private=True
            ),
            "demo": FakerSettings(),
        }
        for _ in range(40):
            await publisher.send(FetchRequested(uuid4(), "dead"))
        await publisher.send(demo := FetchRequested(uuid4(), "demo"))
        async with Catalogue(Sources(default="demo", sources=sources)) as catalogue:
            fetcher = Fetcher(catalogue, publisher, pieces, FetchMetrics())
            admit = Bulkheads(sources, circuits, NOWHERE, fetcher.weigh, MAX_IN_HAND).admit
            async with working(
                redis_url, FETCH, fetcher.fetch, lease=30.0, concurrency=5, grace=0, admit=admit
            ):
                await until(demo_is_done)
        assert len(origin.requests) <= 4

    [outcome] = await sent(raw, PROCESS)
    assert isinstance(outcome, BatchFetched)
    assert outcome.job_id == demo.job_id


async def test_a_job_of_a_source_that_coalesces_is_marked_before_the_source_is_asked(
    redis_url: str, circuits: Circuits
) -> None:
    sources = {"joins": FakerSettings(coalesce=True), "demo": FakerSettings()}
    async with BegunJobs(redis_url) as begun:
        found = Bulkheads(sources, circuits, begun, lambda _: 1, MEMORY)
        wanted = {source: request(source) for source in sources}
        marked = []
        for each in wanted.values():
            async with found.admit(each):
                assert await begun.among({each.job_id: [1]}) == []
                async with fetching():
                    marked += await begun.among({each.job_id: [1]})
        assert marked == [wanted["joins"].job_id]
        assert await begun.among({it: [1, 2] for it in marked}) == marked
        assert await begun.among({it: [2] for it in marked}) == []
