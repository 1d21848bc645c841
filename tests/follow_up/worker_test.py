"""A stage that the product does not know: nothing that was summarised goes without it."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Final

import msgspec
import pytest
from redis.asyncio import Redis

from mousetrap.follow_up import worker
from mousetrap.jobs.retry import RetryPolicy
from mousetrap.messages.schema import SummaryStored
from mousetrap.process_worker.follow_ups import FollowUps
from mousetrap.process_worker.metrics import ProcessMetrics
from mousetrap.queue.dispatcher import Dispatcher
from mousetrap.queue.errors import RejectedMessageError
from mousetrap.queue.inspector import Inspector
from mousetrap.queue.publisher import Publisher
from mousetrap.queue.stages import following
from mousetrap.queue.streams import DATA
from mousetrap.runtime.worker import run
from mousetrap.settings.process import FollowUpSettings
from mousetrap.store.database import Database
from mousetrap.telemetry import logs
from support import processes
from support.postgres import Connection
from support.samples import POINTS, succeeded
from support.streams import dead, until

ALERT: Final = following("alert")
LEASE: Final = 1.0
POLICY: Final = RetryPolicy(attempts=3, first_delay=0.01, lease=LEASE)


async def main(dsn: str, url: str) -> int:
    """Work until told to stop; do with each summary as its source's orders in Redis say."""
    notes: Any
    async with Redis.from_url(url) as notes:

        async def alert(message: SummaryStored) -> None:
            order = await notes.lpop(message.source)
            await notes.rpush("begun", f"{message.job_id} {message.summary['count']}")
            match order:
                case b"hang":
                    await asyncio.sleep(600)
                case b"fail":
                    raise ConnectionError("the webhook is away")
                case b"reject":
                    raise RejectedMessageError("no address")
                case b"die":
                    os.kill(os.getpid(), signal.SIGKILL)
            await notes.rpush("alerted", str(message.job_id))

        settings = FollowUpSettings(
            postgres_dsn=dsn,
            redis_url=url,
            lease=LEASE,
            max_attempts=2,
            retry_delay=0.01,
            grace=1.0,
            health_port=0,
        )
        return await worker.run(ALERT, alert, settings)


@dataclass(frozen=True, slots=True)
class World:
    """The servers, what sends follow-ups, and processes of the stage's worker."""

    database: Database
    follow_ups: FollowUps
    raw: Any
    side: Connection
    dsn: str
    url: str

    def worker(self) -> AbstractAsyncContextManager[processes.Process]:
        return processes.python(__file__, self.dsn, self.url)

    async def noted(self, key: str) -> list[str]:
        return [it.decode() for it in await self.raw.lrange(key, 0, -1)]

    async def rows(self, state: str) -> list[Any]:
        return await self.side.fetch("SELECT * FROM follow_up WHERE state = $1", state)

    async def summary(self, *orders: str) -> str:
        """Store a summary and send it on, with orders for its attempts; return the job's id."""
        if orders:
            await self.raw.rpush("demo", *orders)
        job = await succeeded(self.database)
        await self.follow_ups.send_due()
        return str(job.id)


@pytest.fixture
async def world(
    migrated_dsn: str, redis_url: str, raw: Redis, side: Connection
) -> AsyncIterator[World]:
    async with (
        Database(migrated_dsn, followed_by=[ALERT.name]) as database,
        Publisher(redis_url, stages=[ALERT]) as publisher,
        Inspector(redis_url) as inspector,
    ):
        follow_ups = FollowUps(
            database,
            Dispatcher(publisher),
            inspector,
            POLICY,
            ProcessMetrics(),
            stages=[ALERT],
            period=1.0,
        )
        yield World(database, follow_ups, raw, side, migrated_dsn, redis_url)


async def test_what_a_killed_worker_had_in_hand_is_done_by_another(world: World) -> None:
    job = await world.summary("hang")
    async with world.worker() as first:
        await until(lambda: world.noted("begun"))
        await first.kill()

    async with world.worker():
        await until(lambda: world.rows("done"))

    assert await world.noted("alerted") == [job]
    assert await world.noted("begun") == [f"{job} {len(POINTS)}"] * 2


async def test_after_a_flush_every_summary_is_followed_up(world: World) -> None:
    jobs = [await world.summary() for _ in range(5)]
    await world.raw.flushdb()
    await world.side.execute("UPDATE follow_up SET due_at = now()")

    async def all_are_done() -> bool:
        return len(await world.rows("done")) == len(jobs)

    async with world.worker():
        await world.follow_ups.send_due()
        await until(all_are_done)

    assert sorted(await world.noted("alerted")) == sorted(jobs)


async def test_a_failure_is_tried_again_and_fails_in_the_end(world: World) -> None:
    await world.summary("fail", "fail")

    async def sent_until_it_failed() -> list[Any]:
        await world.follow_ups.send_due()
        return await world.rows("failed")

    async with world.worker():
        [row] = await until(sent_until_it_failed)

    assert (row["failures"], row["error_code"]) == (2, "ConnectionError")
    assert len(await world.noted("begun")) == 2
    assert await dead(world.raw) == []


async def test_a_message_that_comes_twice_is_handled_once(world: World) -> None:
    await world.summary()
    [(_, entry)] = await world.raw.xrange(ALERT.key)
    async with world.worker() as process:
        await until(lambda: world.rows("done"))
        await world.raw.xadd(ALERT.key, entry)
        await process.logged("follow-up is late")

    assert len(await world.noted("alerted")) == 1


@pytest.mark.parametrize(
    ("orders", "reason"),
    [(["reject"], "no address"), (["die"] * 3, "delivered 3 times and never finished")],
)
async def test_poison_becomes_a_dead_letter_and_its_follow_up_fails(
    world: World, orders: list[str], reason: str
) -> None:
    await world.summary(*orders)
    for _ in range(orders.count("die")):
        async with world.worker() as mortal:
            await mortal.logged("working")
            await mortal.end()
    async with world.worker():
        [row] = await until(lambda: world.rows("failed"))
        [letter] = await until(lambda: dead(world.raw))

    assert (row["error_code"], row["error_detail"]) == ("undeliverable", reason)
    assert letter[b"reason"].decode() == reason


async def test_a_message_that_cannot_be_read_fails_its_follow_up_too(world: World) -> None:
    await world.summary()
    [(key, entry)] = await world.raw.xrange(ALERT.key)
    envelope = msgspec.json.decode(entry[DATA])
    envelope["args"][0]["version"] = 2
    await world.raw.xdel(ALERT.key, key)
    await world.raw.xadd(ALERT.key, {DATA: msgspec.json.encode(envelope)})
    async with world.worker():
        [row] = await until(lambda: world.rows("failed"))

    assert "version" in row["error_detail"]


if __name__ == "__main__":
    logs.configure("alert-worker")
    run(main(*sys.argv[1:]))
