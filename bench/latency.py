"""An open loop of jobs: the time from the moment at which each is due until it is stored.

Requests do not wait for earlier ones, and delays by earlier ones count: there is no coordinated
omission.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from typing import Any, Final

import msgspec

from bench import load, pipeline, rounds, schedule
from bench.errors import LoadError
from bench.load import HEAD_END, HOST
from bench.pipeline import Work
from bench.results import Latency
from bench.system import Side

RATE: Final = 50.0
SEED: Final = 1
CONNECTIONS: Final = 16
WARM_UP: Final = 0.5
LEAD: Final = 0.05
"""Seconds until a schedule begins."""


async def compare(
    sides: Mapping[str, Side], *, count: int, seconds: float
) -> dict[str, list[Latency]]:
    """Measure all sides `count` times on the same schedule of `seconds` seconds."""
    for side in sides.values():
        await _round(side, WARM_UP)
    return await rounds.alternate(
        sides, count, lambda side: _round(side, seconds), budget=float("inf")
    )


async def _round(side: Side, seconds: float) -> Latency:
    async with pipeline.ends(side) as ended, _callers(side.port) as callers:
        begin = time.perf_counter() + LEAD
        moments = [begin + it for it in schedule.arrivals(RATE, seconds, seed=SEED)]
        async with aclosing(schedule.due(moments)) as due:
            calls = [asyncio.create_task(callers.submit()) async for _ in due]
        jobs = await asyncio.gather(*calls)
        stored = await ended.each(len(jobs))
    latencies = [stored[job] - moment for job, moment in zip(jobs, moments, strict=True)]
    p50, p99 = load.percentiles(latencies, 50, 99)
    return Latency(p50_ms=p50 * 1e3, p99_ms=p99 * 1e3)


class _Callers:
    """Keep-alive connections; a call takes an idle one, or waits for it."""

    def __init__(self) -> None:
        self.idle = asyncio.LifoQueue[tuple[asyncio.StreamReader, asyncio.StreamWriter]]()

    async def submit(self) -> str:
        """Submit a job; return its id. Raises LoadError."""
        reader, writer = await self.idle.get()
        writer.write(Work("1-point", jobs=1, singles=0).request)
        head = await reader.readuntil(HEAD_END)
        length = load.content_length(head)
        if length is None or not head.startswith(b"HTTP/1.1 202 "):
            raise LoadError(f"the server answered {head!r}")
        answer: Any = msgspec.json.decode(await reader.readexactly(length))
        self.idle.put_nowait((reader, writer))
        return str(answer["job_id"])


@asynccontextmanager
async def _callers(port: int) -> AsyncIterator[_Callers]:
    callers = _Callers()
    opened = [await asyncio.open_connection(HOST, port) for _ in range(CONNECTIONS)]
    try:
        for connection in opened:
            callers.idle.put_nowait(connection)
        yield callers
    finally:
        for _, writer in opened:
            writer.close()
