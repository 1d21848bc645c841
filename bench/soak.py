"""A soak test: a day's load as fast as possible, and the memory under it."""

import asyncio
import random
import statistics
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

import httpx2
import msgspec
from redis.asyncio import Redis

from bench import usage
from bench.database import connected
from bench.errors import LoadError, PipelineError
from bench.load import HOST
from bench.system import Side, System
from mousetrap.jobs.state import State
from mousetrap.queue.stages import STAGES
from mousetrap.queue.streams import DEAD, WAITING
from mousetrap.store.notices import JOBS

MIX: Final = {"place": 50, "places": 20, "feed": 20, "gone": 3, "nan": 3, "page": 3, "bomb": 1}
"""The weight of each source of chaos/sources.py; the last four fail at once."""

SAMPLES: Final = 20
CONNECTIONS: Final = 16
IN_FLIGHT: Final = 200
"""The most jobs in progress at a time: enough to keep the workers busy."""

GROWTH: Final = 1.10
"""The allowed growth from the second to the last quarter of samples; the first warms up."""
SLACK: Final = 4_000_000
"""Bytes that do not count as growth: noise of allocators, and Valkey's messages."""

PATIENCE: Final = 60.0
"""Seconds within which some job must end, and the queue must be empty after the last."""


@dataclass(frozen=True, slots=True)
class Sample:
    """The state after a number of jobs: RSS in bytes by process, and counts in Valkey."""

    jobs: int
    seconds: float
    rss: Mapping[str, int]
    valkey: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Soak:
    """The whole run; `refused` counts requests that were refused with Retry-After."""

    jobs: int
    seconds: float
    refused: int
    samples: Sequence[Sample]


async def perform(system: System, jobs: int, say: Callable[[Sample], None]) -> Soak:
    """Run jobs through the system; raises LoadError, PipelineError and StackError."""
    side = await system.mousetrap()
    pids = {**side.pids, "valkey": system.valkey_pid}
    async with Redis.from_url(system.redis_url, socket_timeout=PATIENCE) as queue:
        day = Day(jobs)
        async with day.watched(side):
            pushing = asyncio.create_task(day.push(side.port))
            samples = []
            async for ended, seconds in day.milestones(pushing):
                samples.append(await _sample(ended, seconds, pids, queue))
                say(samples[-1])
            await pushing
        await empty(queue)
    return Soak(jobs, samples[-1].seconds, day.refused, samples)


def flaws(samples: Sequence[Sample]) -> list[str]:
    """Return what grew after the first quarter."""
    return [
        f"{name} grows: {before:.0f} bytes in the second quarter, {after:.0f} in the last one"
        for name, before, after in growths(samples)
        if after > before * GROWTH and after > before + SLACK
    ]


def growths(samples: Sequence[Sample]) -> Iterator[tuple[str, float, float]]:
    """Yield the median RSS of each process in the second and in the last quarter."""
    quarter = len(samples) // 4
    for name in samples[0].rss:
        second, last = (
            statistics.median(it.rss[name] for it in part)
            for part in (samples[quarter : 2 * quarter], samples[-quarter:])
        )
        yield name, second, last


class Day:
    """Submits jobs, at most IN_FLIGHT at a time, and counts their ends."""

    def __init__(self, jobs: int) -> None:
        self.refused = 0
        self._jobs = jobs
        self._ended = 0
        self._start = time.monotonic()
        self._in_flight = asyncio.Semaphore(IN_FLIGHT)
        self._news = asyncio.Event()
        # The same jobs in the same order in every run.
        rng = random.Random(1)  # noqa: S311
        self._sources = iter(rng.choices([*MIX], [*MIX.values()], k=jobs))

    @asynccontextmanager
    async def watched(self, side: Side) -> AsyncIterator[None]:
        """Count the jobs that end within the block."""
        async with connected(side.dsn, PATIENCE) as connection:
            await connection.add_listener(JOBS, self._hear)
            yield

    async def push(self, port: int) -> None:
        """Submit all jobs; raises LoadError."""
        async with (
            httpx2.AsyncClient(
                base_url=f"http://{HOST}:{port}", timeout=PATIENCE, trust_env=False
            ) as client,
            asyncio.TaskGroup() as callers,
        ):
            for _ in range(CONNECTIONS):
                callers.create_task(self._call(client))

    async def milestones(self, pushing: asyncio.Task[None]) -> AsyncIterator[tuple[int, float]]:
        """Yield the number of ended jobs and the seconds so far, SAMPLES times.

        Raises PipelineError when no job ends for PATIENCE seconds, and the errors of `pushing`.
        """
        for number in range(1, SAMPLES + 1):
            while self._ended < self._jobs * number // SAMPLES:
                await self._some_end(pushing)
            yield self._ended, time.monotonic() - self._start

    async def _some_end(self, pushing: asyncio.Task[None]) -> None:
        if pushing.done():
            pushing.result()
        self._news.clear()
        try:
            async with asyncio.timeout(PATIENCE):
                await self._news.wait()
        except TimeoutError:
            raise PipelineError(
                f"no job ended in {PATIENCE:g} s, {self._ended} of {self._jobs} have"
            ) from None

    async def _call(self, client: httpx2.AsyncClient) -> None:
        for source in self._sources:
            await self._in_flight.acquire()  # given back when a job ends
            while (wait := await self._refused(client, source)) is not None:
                self.refused += 1
                await asyncio.sleep(wait)

    async def _refused(self, client: httpx2.AsyncClient, source: str) -> int | None:
        """Submit a job; if it is refused, return the seconds to wait before a retry."""
        answer = await client.post("/refresh", json={"source": source})
        if answer.status_code == httpx2.codes.ACCEPTED:
            return None
        wait = answer.headers.get("retry-after", "")
        if answer.status_code == httpx2.codes.SERVICE_UNAVAILABLE and wait.isdigit():
            return int(wait)
        raise LoadError(f"POST /refresh was answered {answer.status_code}: {answer.text}")

    def _hear(self, _: object, __: int, ___: str, payload: Any) -> None:
        if msgspec.json.decode(payload)["state"] != State.QUEUED:
            self._ended += 1
            self._in_flight.release()
            self._news.set()


async def _sample(jobs: int, seconds: float, pids: Mapping[str, int], queue: Redis) -> Sample:
    return Sample(
        jobs=jobs,
        seconds=round(seconds, 1),
        rss={name: usage.memory(pid).rss for name, pid in pids.items()},
        valkey=await held(queue),
    )


async def held(queue: Redis) -> dict[str, int]:
    """Return the counts of entries in Valkey."""
    return {
        **{stage.name: int(await queue.xlen(stage.key)) for stage in STAGES},
        "dead": int(await queue.xlen(DEAD)),
        "waiting": int(await queue.zcard(WAITING)),
        "keys": int(await queue.dbsize()),
    }


async def empty(queue: Redis) -> None:
    """Wait until all keys are empty; raises PipelineError."""
    end = time.monotonic() + PATIENCE
    while any({**(left := await held(queue)), "keys": 0}.values()):
        if time.monotonic() > end:
            raise PipelineError(f"all jobs have ended, and Valkey still holds {left}")
        await asyncio.sleep(0.05)
