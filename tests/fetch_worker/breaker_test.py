"""A dead source costs a probe now and then, and each of its jobs still ends."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from uuid import uuid4

import pytest
from redis.asyncio import Redis

from mousetrap.fetch_worker import breaker as breaker_module
from mousetrap.fetch_worker.breaker import Breaker
from mousetrap.fetch_worker.bulkheads import Bulkheads, fetching
from mousetrap.messages.schema import FetchRequested
from mousetrap.queue.begun import BegunJobs
from mousetrap.queue.circuits import FAILURES, KEY, MAX_BYTES, Circuit, Circuits
from mousetrap.queue.errors import QueueUnavailableError
from mousetrap.settings.source_kinds import FakerSettings, SourceSettings
from mousetrap.sources.errors import CircuitOpenError, DeadlineError, MalformedError, SourceError
from support.streams import restricted

NOWHERE = BegunJobs("unix:///nowhere")
NEVER = FakerSettings(probe_interval=3600.0)
SOON = FakerSettings(probe_interval=0.5)
TIMEOUT = DeadlineError("no answer")


@pytest.fixture
async def circuits(redis_url: str, raw: Redis) -> AsyncIterator[Circuits]:
    await raw.flushdb()
    async with Circuits(redis_url) as found:
        yield found


class Worker:
    """A fetch worker whose source fails as it is told."""

    def __init__(self, circuits: Circuits, settings: SourceSettings = SOON) -> None:
        self.asked = 0
        self.error: SourceError | None = TIMEOUT
        self._bulkheads = Bulkheads({"feed": settings}, circuits, NOWHERE, lambda _: 1, 100)

    async def work(self) -> str:
        """Return what came of one job."""
        async with self._bulkheads.admit(FetchRequested(uuid4(), "feed")):
            try:
                async with fetching():
                    self.asked += 1
                    if self.error is not None:
                        raise self.error
            except SourceError as error:
                return error.code
        return "taken"

    async def fail(self, times: int = FAILURES) -> None:
        for _ in range(times):
            assert await self.work() == "timeout"


async def state(circuits: Circuits) -> str:
    found = await circuits.find("feed")
    return "closed" if found is None else found.state


async def test_a_circuit_opens_after_so_many_failures_in_a_row(circuits: Circuits) -> None:
    worker = Worker(circuits, NEVER)
    await worker.fail(FAILURES - 1)
    assert await state(circuits) == "closed"
    await worker.fail(1)

    found = await circuits.find("feed")

    assert isinstance(found, Circuit)
    assert (found.state, found.failures, found.code) == ("open", FAILURES, "timeout")
    assert found.since == found.failed_at == found.retry_at - 3600 * 1000


@pytest.mark.parametrize("error", [None, MalformedError("not JSON")], ids=["batch", "garbage"])
async def test_a_source_that_answers_is_not_dead(
    circuits: Circuits, error: SourceError | None
) -> None:
    worker = Worker(circuits, NEVER)
    for _ in range(2):
        worker.error = TIMEOUT
        await worker.fail(FAILURES - 1)
        worker.error = error
        await worker.work()
    assert await circuits.find("feed") is None


async def test_those_who_wait_share_the_failure_of_one_probe(circuits: Circuits) -> None:
    worker = Worker(circuits)
    await worker.fail()

    async with asyncio.timeout(30):
        outcomes = await asyncio.gather(*(worker.work() for _ in range(40)))

    assert sorted(outcomes) == ["circuit-open"] * 39 + ["timeout"]
    assert worker.asked == FAILURES + 1
    assert await state(circuits) == "open"


async def test_those_who_wait_go_on_when_a_probe_succeeds(circuits: Circuits) -> None:
    worker = Worker(circuits)
    await worker.fail()
    worker.error = None

    async with asyncio.timeout(30):
        outcomes = await asyncio.gather(*(worker.work() for _ in range(40)))

    assert outcomes == ["taken"] * 40
    assert await circuits.find("feed") is None


async def test_those_who_were_parked_when_it_opened_do_not_ask(circuits: Circuits) -> None:
    worker = Worker(circuits, FakerSettings(probe_interval=3600.0, max_in_flight=1))
    async with asyncio.timeout(30):
        outcomes = await asyncio.gather(*(worker.work() for _ in range(40)))

    assert outcomes == ["timeout"] * FAILURES + ["circuit-open"] * (40 - FAILURES)


async def test_workers_share_what_they_know(circuits: Circuits) -> None:
    first, second = Worker(circuits, NEVER), Worker(circuits, NEVER)
    await first.fail(FAILURES - 1)
    assert await second.work() == "timeout"  # the one that opens it

    assert await first.work() == "timeout"  # it did not know
    waiting = [asyncio.create_task(worker.work()) for worker in (first, second)]
    await asyncio.wait(waiting, timeout=0.1)
    assert not any(task.done() for task in waiting)
    assert first.asked + second.asked == FAILURES + 1
    await circuits.succeeded("feed")
    assert await asyncio.gather(*waiting) == ["timeout"] * 2


async def test_a_success_of_another_worker_closes_it(circuits: Circuits) -> None:
    first, second = Worker(circuits, NEVER), Worker(circuits, NEVER)
    await first.fail()
    assert await state(circuits) == "open"

    second.error = None  # and the first is gone
    assert await second.work() == "taken"
    assert await circuits.find("feed") is None


async def test_failures_of_several_workers_are_in_a_row(
    circuits: Circuits, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(breaker_module, "CLOSE_PERIOD", 0.0)
    alive = Worker(circuits, NEVER)
    alive.error = None
    for _ in range(FAILURES):
        await Worker(circuits, NEVER).fail(1)
        assert await state(circuits) == "closed"
        assert await alive.work() == "taken"
    assert await circuits.find("feed") is None


async def test_successes_cost_the_queue_one_call_a_period(
    circuits: Circuits, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(breaker_module, "CLOSE_PERIOD", 3600.0)
    worker, other = Worker(circuits, NEVER), Worker(circuits, NEVER)
    worker.error = None
    assert await worker.work() == "taken"
    await other.fail(1)
    assert await worker.work() == "taken"
    assert await circuits.find("feed")


async def test_circuits_of_any_size_cost_their_readers_nothing(
    circuits: Circuits, raw: Redis
) -> None:
    await circuits.failed("other", "x" * 64, interval=3600)
    await raw.hset(KEY, mapping={"feed": "x" * (MAX_BYTES + 1), "stranger": "x" * 10_000_000})

    assert list(await circuits.of(["other", "demo"])) == ["other"]
    with pytest.raises(QueueUnavailableError, match=r"unreadable .* delete the key"):
        await circuits.of(["other", "feed"])
    assert not await circuits.may_probe("feed", within=60)

    assert (await circuits.failed("feed", "timeout", interval=3600)).failures == 1
    assert sorted(await circuits.of(["other", "feed"])) == ["feed", "other"]


async def test_the_largest_circuit_is_small_enough(circuits: Circuits, raw: Redis) -> None:
    for _ in range(FAILURES):
        await circuits.failed("feed", "x" * 64, interval=1e9)
    await circuits.may_probe("feed", within=1e9)
    assert 2 * await raw.hstrlen(KEY, "feed") < MAX_BYTES


async def test_one_worker_probes(circuits: Circuits) -> None:
    await circuits.failed("feed", "timeout", interval=0)
    for _ in range(FAILURES - 1):
        await circuits.failed("feed", "timeout", interval=0)

    assert [await circuits.may_probe("feed", within=60) for _ in range(3)] == [True, False, False]
    assert await state(circuits) == "half-open"


async def test_a_probe_whose_worker_died_is_followed_by_another(circuits: Circuits) -> None:
    for _ in range(FAILURES):
        await circuits.failed("feed", "timeout", interval=0)
    assert await circuits.may_probe("feed", within=0)
    assert await circuits.may_probe("feed", within=0)


async def test_a_failure_that_comes_late_does_not_put_the_probe_off(circuits: Circuits) -> None:
    for _ in range(FAILURES):
        opened = await circuits.failed("feed", "timeout", interval=3600)
    late = await circuits.failed("feed", "unreachable", interval=7200)

    assert (late.since, late.retry_at) == (opened.since, opened.retry_at)
    assert late.code == "unreachable"


async def test_the_refusal_says_why(circuits: Circuits) -> None:
    breaker = Breaker("feed", NEVER, circuits)
    for _ in range(FAILURES):
        await breaker.record(TIMEOUT)

    with pytest.raises(CircuitOpenError, match=r"asked every 3600 s .* 5 times .* with timeout"):
        await breaker.check(0)


async def test_a_circuit_that_the_server_forgot_is_closed(circuits: Circuits, raw: Redis) -> None:
    worker = Worker(circuits, NEVER)
    await worker.fail()
    await raw.flushdb()

    async with asyncio.timeout(30):
        assert await worker.work() == "timeout"
    assert await state(circuits) == "closed"


async def test_a_circuit_that_cannot_be_shared_is_closed(
    circuits: Circuits, raw: Redis, redis_url: str, events: list[dict[str, object]]
) -> None:
    async with AsyncExitStack() as stack:
        user = await stack.enter_async_context(restricted(raw, redis_url, "hset"))
        worker = Worker(await stack.enter_async_context(Circuits(user.url)), NEVER)
        await worker.fail(2 * FAILURES)

    assert await circuits.find("feed") is None
    assert "the state of a source is not shared" in {it["event"] for it in events}


async def test_a_circuit_that_nobody_can_read_is_closed(circuits: Circuits, raw: Redis) -> None:
    worker = Worker(circuits, NEVER)
    await worker.fail()
    await raw.hset(KEY, "feed", "{")

    async with asyncio.timeout(30):
        assert await worker.work() == "timeout"
