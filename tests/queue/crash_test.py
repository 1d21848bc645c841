"""Worker processes that are killed by others or by what they work on."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from mousetrap.queue.stages import FETCH
from mousetrap.queue.streams import DEAD, GROUP
from support.streams import Stream, until
from support.workers import LEASE

WORKER = """
import asyncio, os, signal, sys
import redis.asyncio
from mousetrap.queue.stages import FETCH
from support.workers import receiver

async def main(url, lease):
    notes = redis.asyncio.Redis.from_url(url)

    async def handle(message):
        job = str(message.job_id)
        first = await notes.sadd("begun", job)
        match message.source:
            case "poison":
                await asyncio.sleep(0.3)
                os.kill(os.getpid(), signal.SIGKILL)
            case "slow-at-first" if first:
                await asyncio.sleep(600)
            case "slow":
                await asyncio.sleep(0.6)
        await notes.rpush("done", job)

    async def bury(letter):
        await notes.rpush("buried", str(letter.job_id))

    async with receiver(url, FETCH, handle, concurrency=4, lease=lease,
                        max_deliveries=3, grace=5, bury=bury) as worker:
        await worker.listen(asyncio.Event())

asyncio.run(main(sys.argv[1], float(sys.argv[2])))
"""


class Worker:
    def __init__(self, url: str) -> None:
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        self._command = [sys.executable, "-c", WORKER, url, str(LEASE)]
        self._environment = environment
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(
            self._command, env=self._environment, stdout=subprocess.DEVNULL
        )

    def restart_if_dead(self) -> bool:
        dead = self.process.poll() is not None
        if dead:
            self.start()
        return dead

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(10)


@contextmanager
def worker(url: str) -> Iterator[Worker]:
    started = Worker(url)
    try:
        yield started
    finally:
        started.kill()


async def test_what_a_killed_worker_had_in_hand_is_done_by_another(
    redis_url: str, stream: Stream, raw: Any
) -> None:
    async def both_listen() -> bool:
        return len(await raw.xinfo_consumers(FETCH.key, GROUP)) == 2

    async def done() -> bool:
        return (await raw.llen("done"), await raw.xlen(FETCH.key)) == (1, 0)

    job_id = await stream.send("slow-at-first")
    with worker(redis_url) as first:
        await until(lambda: raw.exists("begun"))
        with worker(redis_url):
            await until(both_listen)
            first.kill()
            killed = time.monotonic()
            await until(done)
            assert time.monotonic() - killed < LEASE + 2
    assert await raw.lrange("done", 0, -1) == [str(job_id).encode()]


async def test_a_message_that_kills_its_workers_is_given_up_and_takes_no_other_along(
    redis_url: str, stream: Stream, raw: Any
) -> None:
    poison = await stream.send("poison")
    others = {await stream.send("slow") for _ in range(5)}
    deaths = 0

    with worker(redis_url) as mortal:

        async def settled() -> bool:
            nonlocal deaths
            deaths += mortal.restart_if_dead()
            return (await raw.llen("buried"), await raw.xlen(FETCH.key)) == (1, 0)

        await until(settled, within=60)
    assert deaths == 3
    assert await raw.lrange("buried", 0, -1) == [str(poison).encode()]
    assert {UUID(it.decode()) for it in await raw.lrange("done", 0, -1)} == others
    assert await raw.xlen(DEAD) == 1
