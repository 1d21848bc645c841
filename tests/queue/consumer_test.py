"""A worker from its start to its end: how it stops, and what it stands."""

import asyncio
import time
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest

from mousetrap.geo.batch import Batch
from mousetrap.geo.point import Point
from mousetrap.messages.schema import BatchFetched, FetchFailed
from mousetrap.queue.broker import StreamBroker
from mousetrap.queue.errors import QueueUnavailableError, RejectedMessageError
from mousetrap.queue.publisher import Publisher
from mousetrap.queue.stages import FETCH, PROCESS
from mousetrap.queue.streams import DEAD
from support.streams import Stream, until
from support.workers import Stock, working


async def test_work_in_hand_is_finished_and_no_more_is_taken(stream: Stream, raw: Any) -> None:
    begun, may_end, stop = asyncio.Event(), asyncio.Event(), asyncio.Event()
    finished: list[UUID] = []

    async def work(message: Any) -> None:
        begun.set()
        await may_end.wait()
        finished.append(message.job_id)

    first, _ = await stream.send(), await stream.send()
    async with stream.worker(work, concurrency=1, stop=stop) as running:
        async with asyncio.timeout(5):
            await begun.wait()
        stop.set()
        done, _ = await asyncio.wait([running], timeout=0.5)
        assert not done
        may_end.set()
    assert finished == [first]
    assert await raw.xlen(FETCH.key) == 1


async def test_what_outlives_the_grace_is_cut_off_and_handed_to_another_worker_at_once(
    stream: Stream,
) -> None:
    begun, cut, stop = asyncio.Event(), asyncio.Event(), asyncio.Event()
    again: asyncio.Queue[UUID] = asyncio.Queue()

    async def hang(_: object) -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            cut.set()

    async def finish(message: Any) -> None:
        again.put_nowait(message.job_id)

    job_id = await stream.send()
    async with asyncio.timeout(10):
        async with stream.worker(hang, grace=0.2, lease=60.0, stop=stop):
            await begun.wait()
        assert cut.is_set()
        async with stream.worker(finish, lease=60.0):
            assert await again.get() == job_id


async def test_being_cut_off_uses_up_no_delivery(stream: Stream, raw: Any) -> None:
    begun: asyncio.Queue[UUID] = asyncio.Queue()

    async def hang(message: Any) -> None:
        begun.put_nowait(message.job_id)
        await asyncio.Event().wait()

    job_id = await stream.send()
    async with asyncio.timeout(10):
        for _ in range(3):
            stop = asyncio.Event()
            async with stream.worker(hang, grace=0.0, lease=60.0, max_deliveries=1, stop=stop):
                assert await begun.get() == job_id
    assert await raw.xlen(DEAD) == 0
    assert await raw.xlen(FETCH.key) == 1


async def test_a_message_that_its_handler_rejects_is_given_up_at_once(
    stream: Stream, raw: Any
) -> None:
    handled: list[UUID] = []

    async def reject(message: Any) -> None:
        handled.append(message.job_id)
        raise RejectedMessageError("no such job: restore it")

    async def told(_: object) -> None:
        pass

    async def buried() -> bool:
        return bool(await raw.xlen(DEAD))

    job_id = await stream.send()
    async with stream.worker(reject, lease=60.0, bury=told):
        await until(buried)
    [(_, letter)] = await raw.xrange(DEAD)
    assert handled == [job_id]
    assert letter[b"reason"] == b"no such job: restore it"
    assert await raw.xlen(FETCH.key) == 0


async def test_the_stock_receiver_leaves_what_outlives_the_grace_to_itself(
    stock: Stock, stream: Stream
) -> None:
    begun, may_end, finished = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def hang(_: object) -> None:
        begun.set()
        await may_end.wait()
        finished.set()

    await stream.send()
    async with asyncio.timeout(10):
        async with stock.worker(hang, consumer_id="0", wait_tasks_timeout=0.2):
            await begun.wait()
        assert not finished.is_set()
        may_end.set()
        await finished.wait()  # beyond the end of its worker, unacknowledged and unseen


async def test_an_idle_worker_stops_soon(stream: Stream) -> None:
    handled = asyncio.Event()

    async def work(_: object) -> None:
        handled.set()

    await stream.send()
    async with stream.worker(work, lease=10.0):
        await handled.wait()
        begun = time.monotonic()
    assert time.monotonic() - begun < 2


async def test_nothing_is_lost_when_messages_arrive_while_workers_stop(stream: Stream) -> None:
    done: list[UUID] = []

    async def work(message: Any) -> None:
        done.append(message.job_id)

    sent: list[UUID] = []
    for _ in range(5):
        async with stream.worker(work, lease=60.0):
            sent += [await stream.send() for _ in range(3)]
    async with stream.worker(work, lease=60.0):
        await stream.emptied()
    assert sorted(done) == sorted(sent)


async def test_a_large_batch_arrives_as_it_was_sent(redis_url: str, publisher: Publisher) -> None:
    points = Batch.of(Point(-90 + i * 0.0018, i * 0.0017, f"place {i}") for i in range(100_000))
    batch = BatchFetched(uuid4(), datetime.now(UTC), points)
    failure = FetchFailed(uuid4(), datetime.now(UTC), "gone", "ask again", retryable=True)
    arrived: asyncio.Queue[Any] = asyncio.Queue()

    await publisher.send(batch)
    await publisher.send(failure)
    worker = working(redis_url, PROCESS, arrived.put, concurrency=1, lease=10.0)
    async with worker, asyncio.timeout(20):
        assert await arrived.get() == batch
        assert await arrived.get() == failure


async def test_a_ping_tells_whether_the_server_is_there(redis_url: str) -> None:
    async with StreamBroker(redis_url, FETCH) as here:
        await here.ping()
    async with StreamBroker("unix:///nowhere", FETCH) as nowhere:
        with pytest.raises(QueueUnavailableError, match="see whether Redis"):
            await nowhere.ping()
