"""Many listeners to `GET /events`: the cost of each, and the time until all know of a job."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final, cast

from bench import load, pipeline, usage
from bench.errors import LoadError
from bench.load import HOST
from bench.pipeline import Work
from bench.system import Side, System
from mousetrap.api.live.broadcast import HEARTBEAT
from mousetrap.api.server import allow_files

REQUEST: Final = f"GET /events HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode()
NEWEST: Final = f"GET / HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode()
READY: Final = b"event: ready\n"
ENDED: Final = b'"state":"succeeded"'
LAST_CHUNK: Final = b"0\r\n\r\n"

TOGETHER: Final = 100
"""Listeners that connect at the same time."""
REQUESTS: Final = 2_000
EVENTS: Final = 20
QUIET: Final = 5.0
SETTLE: Final = 0.2
PATIENCE: Final = 60.0


@dataclass(frozen=True, slots=True)
class Latency:
    """The latency of `GET /` for one caller without a pause, in milliseconds."""

    p50_ms: float
    p99_ms: float
    greatest_ms: float


@dataclass(frozen=True, slots=True)
class Idle:
    """The idle API: its RSS, and processor time as a share of one processor."""

    rss: int
    cpu: float


@dataclass(frozen=True, slots=True)
class Reach:
    """The end of a job: milliseconds from the notice of Postgres until half or all listeners knew.

    `stall_ms` is the longest answer to `GET /` meanwhile.
    """

    half_ms: float
    all_ms: float
    stall_ms: float
    cpu_ms: float


@dataclass(frozen=True, slots=True)
class Streams:
    """The API without and with listeners, and its end.

    `ended` counts streams that ended in good order on SIGTERM; `stopped_in` is the seconds until
    the process had ended with that exit code.
    """

    clients: int
    connected_in: float
    before: Idle
    idle: Idle
    newest: dict[str, Latency]
    reach: Sequence[Reach]
    ended: int
    stopped_in: float
    exit_code: int


async def perform(system: System, clients: int) -> Streams:
    """Measure without listeners and with `clients`; raises BenchError and StackError."""
    allow_files()
    side = await system.mousetrap()
    api = side.pids["api"]
    await pipeline.perform(side, Work("1-point", jobs=20, singles=1))
    newest = {"before": await _newest(side.port)}
    before = await _idle(api, QUIET)
    start = time.monotonic()
    async with _listeners(side.port, clients) as listeners:
        connected_in = time.monotonic() - start
        idle = await _idle(api, HEARTBEAT)
        newest["with listeners"] = await _newest(side.port)
        reach = [await _reach(side, listeners) for _ in range(EVENTS)]
        start = time.monotonic()
        exit_code = await _stop(api)
        stopped_in = time.monotonic() - start
        await asyncio.sleep(SETTLE)  # the last events are still read
        ended = sum(it.ended for it in listeners)
    return Streams(clients, connected_in, before, idle, newest, reach, ended, stopped_in, exit_code)


class Listener(asyncio.Protocol):
    """A client of `GET /events`, and the events that it has received."""

    def __init__(self) -> None:
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.told: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        self.ended = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Request events."""
        self._transport = cast("asyncio.Transport", transport)
        self._transport.write(REQUEST)

    def data_received(self, data: bytes) -> None:
        """Record an event; it reads as little as possible, because there are many listeners."""
        if ENDED in data and not self.told.done():
            self.told.set_result(time.perf_counter())
        elif READY in data and not self.ready.done():
            self.ready.set_result(None)
        self.ended = data.endswith(LAST_CHUNK)

    def connection_lost(self, exc: Exception | None) -> None:
        """End the wait for an event with an error."""
        for waited in (self.ready, self.told):
            if not waited.done():
                waited.set_exception(LoadError(f"a listener lost its connection ({exc})"))
                waited.exception()  # perhaps nobody waits for it

    def next(self) -> asyncio.Future[float]:
        """Return the time at which the end of the next job arrives."""
        self.told = asyncio.get_running_loop().create_future()
        return self.told

    def close(self) -> None:
        """Close the connection."""
        self._transport.close()


@asynccontextmanager
async def _listeners(port: int, count: int) -> AsyncIterator[list[Listener]]:
    """Connect `clients` listeners, and wait until each has its first event."""
    loop = asyncio.get_running_loop()
    found: list[Listener] = []
    try:
        async with asyncio.timeout(PATIENCE):
            for begin in range(0, count, TOGETHER):
                opened = await asyncio.gather(
                    *(
                        loop.create_connection(Listener, HOST, port)
                        for _ in range(min(TOGETHER, count - begin))
                    )
                )
                found += (listener for _, listener in opened)
                await asyncio.gather(*(listener.ready for _, listener in opened))
        yield found
    except TimeoutError:
        raise LoadError(f"{count} clients were not connected in {PATIENCE:g} s") from None
    finally:
        for listener in found:
            listener.close()


async def _idle(pid: int, seconds: float) -> Idle:
    before = usage.cpu_seconds(pid)
    await asyncio.sleep(seconds)
    return Idle(usage.memory(pid).rss, (usage.cpu_seconds(pid) - before) / seconds)


async def _newest(port: int) -> Latency:
    done = await load.drive(port, NEWEST, status=200, connections=1, go_on=load.times(REQUESTS))
    p50, p99 = done.percentiles(50, 99)
    return Latency(p50 * 1e3, p99 * 1e3, max(done.latencies) * 1e3)


async def _reach(side: Side, listeners: Sequence[Listener]) -> Reach:
    """Run a job, and measure when each listener knows of its end."""
    await asyncio.sleep(SETTLE)
    told = [listener.next() for listener in listeners]
    before = usage.cpu_seconds(side.pids["api"])
    async with pipeline.ends(side) as ends, asyncio.timeout(PATIENCE):
        asking = asyncio.create_task(_ask_until(side.port, asyncio.gather(*told)))
        await pipeline.refresh(side, Work("1-point", 1, 0), jobs=1, connections=1)
        end = await ends.succeeded(1)
        stall = await asking
    heard = sorted(it.result() - end for it in told)
    used = usage.cpu_seconds(side.pids["api"]) - before
    return Reach(heard[len(heard) // 2] * 1e3, heard[-1] * 1e3, stall * 1e3, used * 1e3)


async def _ask_until(port: int, over: asyncio.Future[list[float]]) -> float:
    done = await load.drive(port, NEWEST, status=200, connections=1, go_on=lambda: not over.done())
    return max(done.latencies)


async def _stop(pid: int) -> int:
    """Stop one of our processes, wait for its end, and return its exit code."""
    os.kill(pid, signal.SIGTERM)
    # Its parent still has to wait for it.
    found = await asyncio.to_thread(os.waitid, os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    return -1 if found is None else found.si_status


def flaws(it: Streams) -> list[str]:
    """Return everything that did not end in good order."""
    found = [f"the API ended with exit code {it.exit_code}"] if it.exit_code else []
    if it.ended < it.clients:
        found.append(f"{it.clients - it.ended} of {it.clients} streams broke off")
    return found
