"""When a worker reads which messages; the stock broker falls into each trap closed here."""

import asyncio
import time
from typing import Any
from uuid import UUID

import pytest
from redis.exceptions import ResponseError

from mousetrap.messages.schema import FetchRequested
from mousetrap.queue.broker import StreamBroker
from mousetrap.queue.stages import FETCH
from mousetrap.queue.streams import GROUP, HANDED_BACK
from support.streams import Stream, blocked, until
from support.workers import LEASE, Stock

Events = list[dict[str, Any]]


class Handled(asyncio.Queue[UUID]):
    """A task for either worker, which puts its job here at once and ends when it may."""

    def __init__(self) -> None:
        super().__init__()
        self.may_end = asyncio.Event()
        self.may_end.set()

    async def ours(self, message: FetchRequested) -> None:
        await self.stock({"job_id": message.job_id})

    async def stock(self, payload: dict[str, Any]) -> None:
        self.put_nowait(UUID(str(payload["job_id"])))
        await self.may_end.wait()

    async def next(self, within: float = 5.0) -> UUID:
        async with asyncio.timeout(within):
            return await self.get()


@pytest.fixture
def handled() -> Handled:
    return Handled()


async def test_a_dead_workers_message_comes_again_on_an_idle_queue(
    stream: Stream, handled: Handled
) -> None:
    job_id = await stream.send()
    await stream.abandon()
    async with stream.worker(handled.ours):
        assert await handled.next(within=LEASE + 1.5) == job_id


async def test_the_stock_broker_waits_for_new_traffic(
    stock: Stock, stream: Stream, handled: Handled
) -> None:
    first = await stream.send()
    await stream.abandon()
    async with stock.worker(handled.stock):
        with pytest.raises(TimeoutError):
            await handled.next(within=LEASE + 2)
        second = await stream.send()
        assert {await handled.next(), await handled.next()} == {first, second}


async def test_a_live_task_longer_than_its_lease_runs_once(
    stream: Stream, handled: Handled
) -> None:
    handled.may_end.clear()
    async with stream.worker(handled.ours), stream.worker(handled.ours):
        long = await stream.send()
        assert await handled.next() == long
        for _ in range(3):
            await asyncio.sleep(LEASE)
            await stream.send()
        handled.may_end.set()
        assert long not in [await handled.next() for _ in range(3)]
    assert handled.empty()


async def test_the_stock_broker_runs_a_live_task_again(
    stock: Stock, stream: Stream, raw: Any, handled: Handled
) -> None:
    handled.may_end.clear()
    async with stock.worker(handled.stock), stock.worker(handled.stock):
        await until(lambda: raw.exists(FETCH.key))  # with the group, which starts at "$"
        long = await stream.send()
        seen = [await handled.next()]
        for _ in range(3):
            await asyncio.sleep(LEASE)
            await stream.send()
            seen.append(await handled.next())
            if seen.count(long) > 1:
                break
        handled.may_end.set()
    assert seen.count(long) > 1


async def test_a_worker_holds_no_more_than_it_works_on(stream: Stream, handled: Handled) -> None:
    handled.may_end.clear()
    for _ in range(10):
        await stream.send()
    async with stream.worker(handled.ours, concurrency=2):
        await handled.next()
        await handled.next()
        await asyncio.sleep(1.2)  # longer than a read takes
        assert len(await stream.pending()) == 2
        handled.may_end.set()
        for _ in range(8):
            await handled.next()


async def test_the_stock_broker_takes_everything_at_once(
    stock: Stock, stream: Stream, handled: Handled
) -> None:
    handled.may_end.clear()
    for _ in range(10):
        await stream.send()
    async with stock.worker(handled.stock, consumer_id="0"):
        await handled.next()
        assert len(await stream.pending()) == 10
        handled.may_end.set()
        for _ in range(9):
            await handled.next()


async def test_what_was_sent_before_the_first_worker_started_is_read(
    stream: Stream, handled: Handled
) -> None:
    job_id = await stream.send()
    async with stream.worker(handled.ours):
        assert await handled.next() == job_id


async def test_the_stock_broker_skips_what_was_sent_before(
    stock: Stock, stream: Stream, handled: Handled
) -> None:
    await stream.send()
    async with stock.worker(handled.stock):
        with pytest.raises(TimeoutError):
            await handled.next(within=1.5)


async def test_a_flush_costs_neither_worker_nor_task_nor_what_is_sent_next(
    stream: Stream, raw: Any, handled: Handled, events: Events
) -> None:
    handled.may_end.clear()
    async with stream.worker(handled.ours) as running:
        await stream.send()
        await handled.next()
        await raw.flushdb()
        job_id = await stream.send()
        assert await handled.next() == job_id
        handled.may_end.set()
        assert not running.done()
    assert len([it for it in events if it["log_level"] == "warning"]) <= 3


async def test_a_flush_ends_the_stock_worker(
    stock: Stock, stream: Stream, raw: Any, handled: Handled
) -> None:
    async with stock.worker(handled.stock, consumer_id="0") as running:
        await stream.send()
        await handled.next()
        await raw.flushdb()
        await asyncio.wait([running], timeout=5)
        with pytest.RaisesGroup(ResponseError, flatten_subgroups=True):
            running.result()


async def test_an_idle_worker_lives_longer_than_the_deadline_of_a_read(redis_url: str) -> None:
    broker = StreamBroker(redis_url, FETCH, consumer="me", deadline=0.4)
    stop = asyncio.Event()
    listening = asyncio.create_task(anext(broker.listen(stop), None))
    try:
        done, _ = await asyncio.wait([listening], timeout=1.0)
        assert not done
    finally:
        stop.set()
        await listening
        await broker.shutdown()


async def test_an_idle_stock_worker_dies_when_it_reads_longer_than_its_socket(
    stock: Stock, handled: Handled
) -> None:
    async with stock.worker(handled.stock, socket_timeout=0.2) as running:
        done, _ = await asyncio.wait([running], timeout=3)
        assert done
        assert running.exception()


async def test_a_stale_message_is_found_behind_many_live_ones(
    redis_url: str, raw: Any, stream: Stream
) -> None:
    for _ in range(40):
        await stream.send()
    await stream.abandon("alive")
    await stream.send()
    await stream.abandon()
    *alive, dead = [entry for entry, _ in await raw.xrange(FETCH.key)]
    broker = StreamBroker(redis_url, FETCH, consumer="me", lease=LEASE)
    try:
        await asyncio.sleep(LEASE)
        await raw.xclaim(FETCH.key, GROUP, "alive", 0, alive, justid=True)
        async with asyncio.timeout(LEASE):
            delivery = await anext(broker.listen())
        assert (delivery.id, delivery.deliveries) == (dead.decode(), 2)
    finally:
        await broker.shutdown()


async def test_two_messages_on_their_last_chance_do_not_share_a_worker(
    redis_url: str, stream: Stream
) -> None:
    await stream.send()
    await stream.send()
    await stream.abandon()
    broker = StreamBroker(redis_url, FETCH, consumer="me", lease=LEASE, max_deliveries=2)
    deliveries = broker.listen()
    beat = asyncio.create_task(broker.keep_leases())
    try:
        async with asyncio.timeout(5):
            first = await anext(deliveries)
        second = asyncio.ensure_future(anext(deliveries))
        done, _ = await asyncio.wait([second], timeout=3 * LEASE)
        assert not done
        await broker.acknowledge(first)
        broker.let_go(first)
        async with asyncio.timeout(5):
            assert (await second).deliveries == 2
    finally:
        beat.cancel()
        await broker.shutdown()


async def test_a_lost_lease_is_told_and_not_taken_back(
    redis_url: str, raw: Any, stream: Stream, events: Events
) -> None:
    job_id = await stream.send()
    broker = StreamBroker(redis_url, FETCH, consumer="frozen", lease=LEASE)
    try:
        delivery = await anext(broker.listen())
        await raw.xclaim(FETCH.key, GROUP, "other", 0, [delivery.id])
        beat = asyncio.create_task(broker.keep_leases())

        async def told() -> bool:
            return any("lease is lost" in it["event"] and it["job_id"] == job_id for it in events)

        await until(told)
        beat.cancel()
        [entry] = await raw.xpending_range(FETCH.key, GROUP, "-", "+", 10)
        assert entry["consumer"] == b"other"
    finally:
        await broker.shutdown()


async def test_what_arrives_while_stopping_is_handed_back_at_once(
    redis_url: str, raw: Any, stream: Stream
) -> None:
    stopping, other = (
        StreamBroker(redis_url, FETCH, consumer=name, lease=30.0) for name in ("a", "b")
    )
    stop = asyncio.Event()
    try:
        reading = asyncio.create_task(anext(stopping.listen(stop), None))
        await until(lambda: blocked(raw))
        stop.set()
        job_id = await stream.send()
        assert await reading is None
        assert (await raw.xpending_range(FETCH.key, GROUP, "-", "+", 10))[0]["consumer"] == (
            HANDED_BACK.encode()
        )
        begun = time.monotonic()
        delivery = await anext(other.listen())
        assert (delivery.job_id, delivery.deliveries) == (job_id, 1)
        assert time.monotonic() - begun < 1
    finally:
        await stopping.shutdown()
        await other.shutdown()


async def test_a_worker_that_leaves_takes_its_name_along(
    stream: Stream, raw: Any, handled: Handled
) -> None:
    async with stream.worker(handled.ours):
        await stream.send()
        await handled.next()
        [consumer] = await raw.xinfo_consumers(FETCH.key, GROUP)
        assert consumer["name"].startswith(b"test-")
    assert await raw.xinfo_consumers(FETCH.key, GROUP) == []


async def test_the_stock_broker_leaves_its_name_for_ever(
    stock: Stock, stream: Stream, raw: Any, handled: Handled
) -> None:
    async with stock.worker(handled.stock, consumer_id="0"):
        await stream.send()
        await handled.next()
    assert len(await raw.xinfo_consumers(FETCH.key, GROUP)) == 1


async def test_old_names_are_swept_unless_they_hold_a_message(
    redis_url: str, raw: Any, stream: Stream
) -> None:
    await stream.send()
    await stream.abandon("holds-one")
    await raw.xgroup_createconsumer(FETCH.key, GROUP, "gone")
    broker = StreamBroker(redis_url, FETCH, consumer="me", lease=30.0, forget_after=0.2)
    stop = asyncio.Event()
    listening = asyncio.create_task(anext(broker.listen(stop), None))

    async def names() -> set[bytes]:
        return {it["name"] for it in await raw.xinfo_consumers(FETCH.key, GROUP)}

    async def swept() -> bool:
        return b"gone" not in await names()

    try:
        await until(swept)
        assert b"holds-one" in await names()
    finally:
        stop.set()
        await listening
        await broker.shutdown()


async def test_messages_are_never_trimmed(raw: Any, stream: Stream) -> None:
    for _ in range(300):
        await stream.send()
    assert await raw.xlen(FETCH.key) == 300
