"""HTTP requests in a closed loop: each keep-alive connection sends one request at a time."""

import asyncio
import re
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final, cast

from bench.errors import LoadError

HOST: Final = "127.0.0.1"
HEAD_END: Final = b"\r\n\r\n"
LENGTH: Final = re.compile(rb"\r\ncontent-length: *(\d+)\r\n", re.IGNORECASE)
PATIENCE: Final = 60.0


@dataclass(frozen=True, slots=True)
class Load:
    """The latency of each answer in seconds, and the beginning and end by perf_counter."""

    latencies: list[float]
    start: float
    end: float

    @property
    def per_second(self) -> float:
        """Return the answers per second."""
        return len(self.latencies) / (self.end - self.start)

    def percentiles(self, *percents: int) -> list[float]:
        """Return percentiles of the latencies in seconds."""
        return percentiles(self.latencies, *percents)


def percentiles(values: Sequence[float], *percents: int) -> list[float]:
    """Return percentiles of the values."""
    hundredths = statistics.quantiles(values, n=100, method="inclusive")
    return [hundredths[percent - 1] for percent in percents]


def for_seconds(seconds: float) -> Callable[[], bool]:
    """Return a condition that holds until the time is over."""
    end = time.perf_counter() + seconds
    return lambda: time.perf_counter() < end


def times(count: int) -> Callable[[], bool]:
    """Return a condition that holds for a number of requests."""
    tickets = iter(range(count))
    return lambda: next(tickets, None) is not None


async def drive(
    port: int, request: bytes, *, status: int, connections: int, go_on: Callable[[], bool]
) -> Load:
    """Send `request` repeatedly while `go_on` holds; raises LoadError.

    Every answer must have the status and, unless that is 304, a Content-Length.
    """
    loop = asyncio.get_running_loop()
    latencies: list[float] = []
    opened = [
        await loop.create_connection(lambda: _Connection(request, status, go_on), HOST, port)
        for _ in range(connections)
    ]
    start = time.perf_counter()
    try:
        async with asyncio.timeout(PATIENCE):
            for each in await asyncio.gather(*(connection.run() for _, connection in opened)):
                latencies += each
    except TimeoutError:
        raise LoadError(f"the server on port {port} took over {PATIENCE:g} s") from None
    finally:
        for transport, _ in opened:
            transport.close()
    return Load(latencies, start, time.perf_counter())


class _Connection(asyncio.Protocol):
    def __init__(self, request: bytes, status: int, go_on: Callable[[], bool]) -> None:
        self._request = request
        self._expected = b"HTTP/1.1 %d " % status
        self._bodiless = status == HTTPStatus.NOT_MODIFIED
        self._go_on = go_on
        self._latencies: list[float] = []
        self._received = b""
        self._sent = 0.0
        self._over: asyncio.Future[list[float]] = asyncio.get_running_loop().create_future()

    def run(self) -> asyncio.Future[list[float]]:
        """Begin; the result is the list of latencies."""
        self._next()
        return self._over

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail(f"the server closed the connection ({exc})")

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, end, body = self._received.partition(HEAD_END)
        if not end:
            return
        length = 0 if self._bodiless else content_length(head + end)
        if length is None or not head.startswith(self._expected):
            self._fail(f"the server answered {head!r}")
        elif len(body) >= length:
            self._latencies.append(time.perf_counter() - self._sent)
            self._received = b""
            self._next()

    def _next(self) -> None:
        if self._go_on():
            self._sent = time.perf_counter()
            self._transport.write(self._request)
        elif not self._over.done():
            self._over.set_result(self._latencies)

    def _fail(self, reason: str) -> None:
        if not self._over.done():
            self._over.set_exception(LoadError(reason))


def content_length(head: bytes) -> int | None:
    """Return the Content-Length of an answer, from its head."""
    found = LENGTH.search(head)
    return None if found is None else int(found[1])
