"""How full the queues are, as seen from beside them."""

import asyncio
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from redis.asyncio import Redis

from mousetrap.geo.batch import Batch
from mousetrap.geo.point import Point
from mousetrap.messages.schema import BatchFetched
from mousetrap.queue.errors import QueueUnavailableError
from mousetrap.queue.inspector import Depth, Inspector
from mousetrap.queue.publisher import Publisher
from mousetrap.queue.stages import FETCH, PROCESS, STAGES
from mousetrap.queue.streams import GROUP, HANDED_BACK
from support.streams import Stream, restricted

SILENCE = 5.0


async def depths(url: str, silence: float = SILENCE) -> list[Depth]:
    async with Inspector(url) as inspector:
        return list(await inspector.depths(silence=silence))


async def test_queues_that_nobody_used_are_empty(redis_url: str) -> None:
    assert await depths(redis_url) == [Depth(it.name, 0, None, 0) for it in STAGES]


async def test_counts_what_waits_in_each(
    redis_url: str, stream: Stream, publisher: Publisher
) -> None:
    await stream.send()
    await stream.send()
    await publisher.send(
        BatchFetched(
            job_id=uuid4(), fetched_at=datetime.now(UTC), batch=Batch.of([Point(1.0, 2.0)])
        )
    )

    fetch, process, *_ = await depths(redis_url)

    assert (fetch.messages, process.messages) == (2, 1)
    assert fetch.oldest is not None
    assert 0 <= fetch.oldest < 10


async def test_the_oldest_message_has_the_age_of_its_id(redis_url: str, raw: Redis) -> None:
    now, _ = await raw.time()
    await raw.xadd(PROCESS.key, {"data": "x"}, id=f"{(now - 90) * 1000}-0")
    await raw.xadd(PROCESS.key, {"data": "x"}, id=f"{now * 1000}-0")

    _, process, *_ = await depths(redis_url)

    assert process.oldest == pytest.approx(90, abs=5)


async def test_the_age_is_never_negative(redis_url: str, raw: Redis) -> None:
    now, _ = await raw.time()
    await raw.xadd(FETCH.key, {"data": "x"}, id=f"{(now + 90) * 1000}-0")

    assert (await depths(redis_url))[0].oldest == 0


async def test_a_message_in_hand_counts_until_it_is_done(redis_url: str, stream: Stream) -> None:
    taken, finish = asyncio.Event(), asyncio.Event()

    async def handler(_: object) -> None:
        taken.set()
        await finish.wait()

    await stream.send()
    async with stream.worker(handler):
        await taken.wait()
        fetch, *_ = await depths(redis_url)
        finish.set()

    assert (fetch.messages, fetch.workers) == (1, 1)
    assert (await depths(redis_url))[0].messages == 0


async def test_looks_at_no_entry_while_one_is_in_hand(
    redis_url: str, raw: Redis, stream: Stream
) -> None:
    await stream.send()
    await stream.abandon("one")
    await stream.send()
    async with restricted(raw, redis_url, "xrange") as user:
        fetch, *_ = await depths(user.url)

    assert fetch.messages == 2
    assert fetch.oldest is not None


async def test_who_is_silent_for_too_long_is_no_worker(redis_url: str, stream: Stream) -> None:
    await stream.send()
    await stream.abandon("one")
    await stream.send()
    await stream.abandon("other")

    assert (await depths(redis_url))[0].workers == 2
    assert (await depths(redis_url, silence=0.0))[0].workers == 0


async def test_what_was_handed_back_is_held_by_no_worker(
    redis_url: str, raw: Redis, stream: Stream
) -> None:
    await stream.send()
    await stream.abandon("one")
    [entry] = await raw.xpending_range(FETCH.key, GROUP, "-", "+", 1)
    await raw.xclaim(FETCH.key, GROUP, HANDED_BACK, 0, [entry["message_id"]])

    assert (await depths(redis_url))[0].workers == 1


async def test_says_when_the_server_is_away() -> None:
    with pytest.raises(QueueUnavailableError):
        await depths("unix:///nonexistent/valkey")


async def test_takes_no_refusal_for_an_empty_queue(redis_url: str, raw: Redis) -> None:
    async with restricted(raw, redis_url, "xinfo") as user:
        with pytest.raises(QueueUnavailableError, match=r"(?i)permission"):
            await depths(user.url)
