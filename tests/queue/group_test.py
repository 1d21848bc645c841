"""Messages read, acknowledged and sent together, and their fate when the worker stops."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from typing import Any
from uuid import uuid4

import pytest

from mousetrap.messages.schema import FetchRequested
from mousetrap.queue.broker import StreamBroker
from mousetrap.queue.deliveries import Delivery
from mousetrap.queue.publisher import Publisher
from mousetrap.queue.receiver import EXPANSION
from mousetrap.queue.stages import FETCH
from mousetrap.queue.streams import GROUP, HANDED_BACK
from support.streams import Stream, until

SENT = 20


@pytest.fixture
async def broker(redis_url: str) -> AsyncIterator[StreamBroker]:
    broker = StreamBroker(redis_url, FETCH, consumer="me", lease=30.0)
    yield broker
    await broker.shutdown()


async def calls(raw: Any, command: str) -> int:
    return int((await raw.info("commandstats")).get(f"cmdstat_{command}", {"calls": 0})["calls"])


async def test_as_many_are_read_at_once_as_may_begin(broker: StreamBroker, stream: Stream) -> None:
    jobs = [await stream.send() for _ in range(5)]
    free = iter([3, 2])
    deliveries = broker.listen(free=lambda: next(free))
    first = await anext(deliveries)
    assert await stream.pending() == [(b"me", 1)] * 3
    assert len(broker.held) == 3
    rest = [await anext(deliveries) for _ in range(4)]
    assert [it.job_id for it in (first, *rest)] == jobs


@pytest.mark.parametrize("by", ["stopping", "closing"])
async def test_what_was_read_and_not_begun_is_handed_back_at_once(
    redis_url: str, broker: StreamBroker, stream: Stream, by: str
) -> None:
    jobs = [await stream.send() for _ in range(3)]
    stop = asyncio.Event()
    deliveries = broker.listen(stop, free=lambda: 3)
    begun = await anext(deliveries)
    if by == "stopping":
        stop.set()
        assert await anext(deliveries, None) is None
    else:
        await deliveries.aclose()
    assert list(broker.held) == [begun.id]
    assert await stream.pending() == [(b"me", 1), *[(HANDED_BACK.encode(), 0)] * 2]
    other = StreamBroker(redis_url, FETCH, consumer="other", lease=30.0)
    try:
        taking = other.listen()
        async with asyncio.timeout(2):
            taken = [await anext(taking), await anext(taking)]
        assert [(it.job_id, it.deliveries) for it in taken] == [(job, 1) for job in jobs[1:]]
    finally:
        await other.shutdown()


async def test_what_ends_together_is_acknowledged_together(stream: Stream, raw: Any) -> None:
    begun, may_end = asyncio.Semaphore(0), asyncio.Event()

    async def work(_: object) -> None:
        begun.release()
        await may_end.wait()

    for _ in range(SENT):
        await stream.send()
    await raw.config_resetstat()
    async with stream.worker(work, concurrency=SENT):
        async with asyncio.timeout(10):
            for _ in range(SENT):
                await begun.acquire()
        assert await calls(raw, "evalsha") <= 8  # more at a time as they are seen to be small
        may_end.set()
        await stream.emptied()
    assert 1 <= await calls(raw, "xack") <= 3


async def test_a_quarter_of_what_may_be_in_hand_is_read_at_once(
    stream: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    listen = StreamBroker.listen

    def recorded(
        broker: StreamBroker, stop: asyncio.Event, *, free: Callable[[], int]
    ) -> AsyncGenerator[Delivery]:
        asked.append(free())
        return listen(broker, stop, free=free)

    async def work(_: object) -> None:
        pass

    monkeypatch.setattr(StreamBroker, "listen", recorded)
    await stream.send()
    async with stream.worker(work, concurrency=8):
        await stream.emptied()
    assert asked == [2]


async def test_messages_that_come_together_are_read_together(
    broker: StreamBroker, publisher: Publisher, stream: Stream
) -> None:
    deliveries = broker.listen(free=lambda: SENT)
    await stream.send()
    await anext(deliveries)
    waiting = asyncio.ensure_future(anext(deliveries))
    await asyncio.sleep(0.05)  # right or not, the result is the same
    await asyncio.gather(
        *(publisher.send(FetchRequested(job_id=uuid4(), source="demo")) for _ in range(5))
    )
    await waiting
    assert len(broker.held) == 6


async def test_a_server_that_has_just_started_learns_the_script(
    broker: StreamBroker, raw: Any, stream: Stream
) -> None:
    jobs = [await stream.send() for _ in range(5)]
    await raw.script_flush()
    deliveries = broker.listen(free=lambda: SENT)
    first = await anext(deliveries)
    assert len(broker.held) == 5
    rest = [await anext(deliveries) for _ in range(4)]
    assert [it.job_id for it in (first, *rest)] == jobs


async def test_few_are_read_at_a_time_when_they_are_large(
    broker: StreamBroker, stream: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mousetrap.queue.broker.READ_BYTES", 300)  # two and the first
    for _ in range(SENT):
        await stream.send()
    deliveries = broker.listen(free=lambda: SENT)
    await anext(deliveries)
    assert len(await stream.pending()) == 3


async def test_a_read_is_short_however_many_may_begin(
    broker: StreamBroker, stream: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mousetrap.queue.broker.READ_TOGETHER", 3)
    for _ in range(SENT):
        await stream.send()
    deliveries = broker.listen(free=lambda: SENT)
    await anext(deliveries)
    assert len(await stream.pending()) == 3


async def test_an_acknowledgement_is_not_reported_before_the_server_has_it(
    broker: StreamBroker, raw: Any, stream: Stream
) -> None:
    for _ in range(SENT):
        await stream.send()
    deliveries = broker.listen(free=lambda: SENT)
    taken = [await anext(deliveries) for _ in range(SENT)]

    async def acknowledge(index: int) -> None:
        await broker.acknowledge(taken[index])
        left = {
            entry["message_id"].decode()
            for entry in await raw.xpending_range(FETCH.key, GROUP, "-", "+", SENT)
        }
        assert taken[index].id not in left

    await asyncio.gather(*map(acknowledge, range(SENT)))
    assert await raw.xlen(FETCH.key) == 0


async def test_what_is_sent_together_arrives_in_order_in_few_calls(
    publisher: Publisher, broker: StreamBroker, raw: Any
) -> None:
    jobs = [uuid4() for _ in range(SENT)]
    await publisher.ping()
    await raw.config_resetstat()
    await asyncio.gather(*(publisher.send(FetchRequested(job, "demo")) for job in jobs))
    assert await calls(raw, "evalsha") <= 2
    deliveries = broker.listen(free=lambda: SENT)
    assert [(await anext(deliveries)).job_id for _ in jobs] == jobs


@pytest.mark.parametrize(("size", "in_hand"), [(100, 4), (0, 16)], ids=["large", "small"])
async def test_fewer_messages_are_in_hand_while_they_are_large(
    *, stream: Stream, publisher: Publisher, size: int, in_hand: int
) -> None:
    may_end = asyncio.Event()

    async def work(_: object) -> None:
        await may_end.wait()

    async def as_many() -> bool:
        return len(await stream.pending()) == in_hand

    for _ in range(SENT):
        await publisher.send(FetchRequested(uuid4(), "demo", traceparent="-" * size))
    async with stream.worker(work, concurrency=16, limit=1000 if size else 100_000):
        await until(as_many)
        await asyncio.sleep(0.3)
        assert await as_many()
        may_end.set()
        await stream.emptied()


async def test_no_more_begin_than_there_is_room_for(stream: Stream, raw: Any) -> None:
    inside = 0
    may_end = asyncio.Event()

    async def work(_: object) -> None:
        nonlocal inside
        inside += 1
        await may_end.wait()

    async def full() -> bool:
        return len(await stream.pending()) == 4

    for _ in range(SENT):
        await stream.send()
    [(_, entry)] = await raw.xrange(FETCH.key, count=1)
    weight = len(entry[b"data"]) * EXPANSION
    # Four are read before it is known that three of them are too much together.
    async with stream.worker(work, concurrency=SENT, limit=weight * 5 // 2):
        await until(full)
        await asyncio.sleep(0.3)
        assert await full()
        assert inside == 2
        may_end.set()
        await stream.emptied()
    assert inside == SENT


async def test_what_is_in_hand_goes_back_when_the_worker_is_cancelled(stream: Stream) -> None:
    async def work(_: object) -> None:
        await asyncio.Event().wait()

    async def full() -> bool:
        return len(await stream.pending()) == 2

    async def cancelled() -> None:
        async with stream.worker(work, concurrency=2) as running:
            await until(full)
            running.cancel()

    for _ in range(SENT):
        await stream.send()
    with pytest.raises(asyncio.CancelledError):
        await cancelled()
    assert await stream.pending() == [(HANDED_BACK.encode(), 0)] * 2
