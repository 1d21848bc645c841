"""A message whose turn has not come is parked: it delays nobody, and is not lost."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta, timezone
from functools import partial
from typing import Any
from uuid import uuid4

import pytest
from redis.asyncio import Redis

from mousetrap.messages.dead_letter import DeadLetter
from mousetrap.messages.schema import FetchRequested
from mousetrap.queue import receiver as receiver_module
from mousetrap.queue.broker import StreamBroker
from mousetrap.queue.deliveries import Delivery
from mousetrap.queue.envelope import pack
from mousetrap.queue.errors import QueueUnavailableError
from mousetrap.queue.metrics import ConsumerMetrics
from mousetrap.queue.receiver import LARGE, MAX_ADMITTED
from mousetrap.queue.stages import FETCH
from mousetrap.queue.streams import GROUP, HANDED_BACK, attempt_of
from support.streams import Stream, until


class Gate:
    """Keeps the messages of the source `slow` out until it is open."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.done: asyncio.Queue[FetchRequested] = asyncio.Queue()

    @asynccontextmanager
    async def admit(self, message: FetchRequested) -> AsyncIterator[None]:
        if message.source == "slow":
            await self.open.wait()
        yield

    async def handle(self, message: FetchRequested) -> None:
        self.done.put_nowait(message)

    async def next(self) -> str:
        async with asyncio.timeout(10):
            return (await self.done.get()).source


@pytest.fixture
def gate() -> Gate:
    return Gate()


@pytest.fixture
async def slow(stream: Stream) -> None:
    """A message of the source that is kept out."""
    await stream.send("slow")


@pytest.mark.usefixtures("slow")
async def test_those_behind_it_pass_it(stream: Stream, gate: Gate) -> None:
    await stream.send()
    async with stream.worker(gate.handle, admit=gate.admit, concurrency=1):
        assert await gate.next() == "demo"
        gate.open.set()
        assert await gate.next() == "slow"


@pytest.mark.usefixtures("slow")
async def test_it_keeps_its_lease_and_counts_as_delivered_only_when_it_begins(
    stream: Stream, gate: Gate
) -> None:
    async def uncounted() -> bool:
        return [count for _, count in await stream.pending()] == [0]

    counts = []

    async def handle(message: FetchRequested) -> None:
        counts.extend([count for _, count in await stream.pending()])
        await gate.handle(message)

    lease = 2.0
    start = partial(stream.worker, handle, admit=gate.admit, lease=lease)
    async with start(), start():
        await until(uncounted)
        [(holder, _)] = await stream.pending()
        await asyncio.sleep(2 * lease)  # longer than a lease that nobody renews
        assert await stream.pending() == [(holder, 0)]
        gate.open.set()
        assert await gate.next() == "slow"
    assert counts == [1]
    assert gate.done.empty()


@pytest.mark.usefixtures("slow")
async def test_it_is_handed_back_at_once_when_it_is_time_to_stop(
    stream: Stream, raw: Redis, gate: Gate, events: list[dict[str, object]]
) -> None:
    metrics = ConsumerMetrics()

    async def parked() -> bool:
        return bool(await raw.exists(FETCH.key) and _value(metrics.parked) == 1)

    async with stream.worker(gate.handle, admit=gate.admit, grace=1e6, metrics=metrics):
        await until(parked)
        assert _value(metrics.in_hand) == 0

    assert await stream.pending() == [(HANDED_BACK.encode(), 0)]
    assert gate.done.empty()
    assert "message is cut off, another worker gets it" not in {it["event"] for it in events}


@pytest.mark.usefixtures("slow")
async def test_it_is_dropped_when_its_lease_is_lost(
    stream: Stream, raw: Redis, gate: Gate, events: list[dict[str, object]]
) -> None:
    async def lost() -> bool:
        return any("lease is lost" in str(it["event"]) for it in events)

    async with stream.worker(gate.handle, admit=gate.admit):
        await stream.send()
        assert await gate.next() == "demo"
        await raw.flushdb()
        await until(lost)
        gate.open.set()
        await stream.send()
        assert await gate.next() == "demo"


@pytest.mark.usefixtures("slow")
async def test_its_turn_is_given_up_when_its_lease_is_lost(
    stream: Stream, raw: Redis, gate: Gate
) -> None:
    """Otherwise those that were sent again would wait behind all that were lost."""
    metrics = ConsumerMetrics()

    async def one() -> bool:
        return _value(metrics.parked) == 1

    async def none() -> bool:
        return _value(metrics.parked) == 0

    async with stream.worker(gate.handle, admit=gate.admit, metrics=metrics):
        await until(one)
        await raw.flushdb()
        await until(none)
    assert gate.done.empty()


@pytest.mark.usefixtures("slow")
async def test_it_comes_again_when_the_queue_is_away_as_it_begins(
    stream: Stream,
    gate: Gate,
    events: list[dict[str, object]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real, outage = StreamBroker.count_delivery, iter([QueueUnavailableError("away")])

    async def away(broker: StreamBroker, delivery: Delivery) -> None:
        if (error := next(outage, None)) is not None:
            raise error
        await real(broker, delivery)

    async def uncounted() -> bool:
        return [count for _, count in await stream.pending()] == [0]

    monkeypatch.setattr(StreamBroker, "count_delivery", away)
    async with stream.worker(gate.handle, admit=gate.admit):
        await until(uncounted)
        gate.open.set()
        assert await gate.next() == "slow"

    assert next(outage, None) is None
    assert not [it for it in events if it["log_level"] == "error"]


@asynccontextmanager
async def came_twice(stream: Stream, raw: Redis, gate: Gate) -> AsyncIterator[None]:
    """A worker that lost the lease of a parked message and has claimed the message again."""

    async def mine() -> bool:
        return [count for _, count in await stream.pending()] == [0]

    async def again() -> bool:
        return [it for it, _ in await stream.pending()] == [holder]

    async with stream.worker(gate.handle, admit=gate.admit, grace=1e6):
        await until(mine)
        [(holder, _)] = await stream.pending()
        [entry] = await raw.xpending_range(FETCH.key, GROUP, "-", "+", 1)
        await raw.xclaim(FETCH.key, GROUP, "other", 0, [entry["message_id"]], retrycount=0)
        await until(again)
        yield


@pytest.mark.usefixtures("slow")
async def test_one_that_came_again_while_it_was_parked_begins_once(
    stream: Stream, raw: Redis, gate: Gate, events: list[dict[str, object]]
) -> None:
    async with came_twice(stream, raw, gate):
        gate.open.set()
        assert await gate.next() == "slow"

    assert gate.done.empty()
    assert await stream.pending() == []
    assert not [it for it in events if it["log_level"] == "error"]


@pytest.mark.usefixtures("slow")
async def test_one_that_came_again_while_it_was_parked_is_handed_back(
    stream: Stream, raw: Redis, gate: Gate
) -> None:
    async with came_twice(stream, raw, gate):
        pass  # and now its worker stops

    assert await stream.pending() == [(HANDED_BACK.encode(), 0)]


async def test_there_are_never_too_many(
    stream: Stream, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receiver_module, "MAX_PARKED", 3)
    metrics = ConsumerMetrics()
    for _ in range(10):
        await stream.send("slow")

    async def full() -> bool:
        return _value(metrics.parked) == 3

    async with stream.worker(gate.handle, admit=gate.admit, metrics=metrics, concurrency=20):
        await until(full)
        assert len(await stream.pending()) == 3
        gate.open.set()
        assert [await gate.next() for _ in range(10)] == ["slow"] * 10


@pytest.mark.parametrize("size", [MAX_ADMITTED, 2 * LARGE])
async def test_one_that_takes_too_many_bytes_to_wait_is_given_up(
    stream: Stream, raw: Redis, gate: Gate, size: int
) -> None:
    letters: asyncio.Queue[DeadLetter] = asyncio.Queue()
    request = FetchRequested(uuid4(), "slow")
    body = pack(attempt_of(request), FETCH.task, request)
    await raw.xadd(FETCH.key, {"data": body + b" " * (size + 1 - len(body))})
    async with stream.worker(gate.handle, admit=gate.admit, bury=letters.put), asyncio.timeout(30):
        letter = await letters.get()

    assert letter.job_id == request.job_id
    assert letter.reason == f"{size + 1} bytes, a message of mousetrap:fetch has at most 4096"


async def test_the_longest_request_may_wait(stream: Stream, raw: Redis, gate: Gate) -> None:
    request = FetchRequested(
        uuid4(), "s" * 64, 2**31 - 1, datetime.now(timezone(timedelta(hours=-11))), "\x01" * 128
    )
    body = pack(attempt_of(request), FETCH.task, request)
    assert len(body) < MAX_ADMITTED / 2

    await raw.xadd(FETCH.key, {"data": body.ljust(MAX_ADMITTED), "more": "x" * LARGE})
    async with stream.worker(gate.handle, admit=gate.admit):
        assert await gate.next() == "s" * 64


def _value(gauge: Any) -> float:
    [metric] = gauge.collect()
    value: float = metric.samples[0].value
    return value
