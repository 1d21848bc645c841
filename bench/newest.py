"""`GET /` with a stored summary, beside a bare application that sends the same bytes."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import httpx2

from bench import bare, load, rounds, usage
from bench.bare import Answer
from bench.errors import LoadError
from bench.load import HOST
from bench.results import BARE, OURS, Requests
from bench.system import Side, System

CONNECTIONS: Final = 32
WARM_UP: Final = 0.3
CASES: Final = {"GET /": 200, "GET /, known": 304}


@dataclass(frozen=True, slots=True)
class _Case:
    """A request and the status of its answer."""

    headers: dict[str, str]
    status: int

    @property
    def request(self) -> bytes:
        lines = [f"{name}: {value}\r\n" for name, value in ({"Host": HOST} | self.headers).items()]
        return f"GET / HTTP/1.1\r\n{''.join(lines)}\r\n".encode()


async def compare(
    system: System, mousetrap: Side, *, count: int, seconds: float
) -> dict[str, dict[str, list[Requests]]]:
    """Measure both sides `count` times, `seconds` each, for each of CASES; there must be a summary.

    A caller that knows the newest summary gets a 304, a new one the summary.
    """
    etag = dict((await _answer(mousetrap, _Case({}, 200))).headers)["etag"]
    cases = {
        name: _Case({"If-None-Match": etag} if status == 304 else {}, status)
        for name, status in CASES.items()
    }
    return {
        name: await _compare(system, mousetrap, case, count=count, seconds=seconds)
        for name, case in cases.items()
    }


async def _compare(
    system: System, mousetrap: Side, case: _Case, *, count: int, seconds: float
) -> dict[str, list[Requests]]:
    path = system.root / f"answer-{case.status}.json"
    answer = await _answer(mousetrap, case)
    bare.save(answer, path)
    sides = {OURS: mousetrap, BARE: await system.bare(path)}
    if _lasting(await _answer(sides[BARE], case)) != _lasting(answer):
        raise LoadError("the yardstick's answer differs from the API's: see bench/bare.py")
    for side in sides.values():
        await _round(side, case, WARM_UP)
    return await rounds.alternate(sides, count, lambda side: _round(side, case, seconds))


async def _round(side: Side, case: _Case, seconds: float) -> Requests:
    return await measure(
        side,
        case.request,
        status=case.status,
        connections=CONNECTIONS,
        go_on=load.for_seconds(seconds),
    )


async def measure(
    side: Side, request: bytes, *, status: int, connections: int, go_on: Callable[[], bool]
) -> Requests:
    """Send a request repeatedly, as `load.drive` does, and measure the API."""
    before = usage.cpu_seconds(side.pids["api"])
    done = await load.drive(side.port, request, status=status, connections=connections, go_on=go_on)
    cpu = usage.cpu_seconds(side.pids["api"]) - before
    p50, p99 = done.percentiles(50, 99)
    return Requests(
        requests_per_s=done.per_second,
        cpu_us_per_request=cpu / len(done.latencies) * 1e6,
        p50_ms=p50 * 1e3,
        p99_ms=p99 * 1e3,
    )


async def _answer(side: Side, case: _Case) -> Answer:
    async with httpx2.AsyncClient(trust_env=False, timeout=10) as client:
        answer = await client.get(f"http://{HOST}:{side.port}/", headers=case.headers)
    if answer.status_code != case.status:
        raise LoadError(f"the server on port {side.port} answered {answer.status_code}")
    headers = [(name, value) for name, value in answer.headers.multi_items() if name != "date"]
    return Answer(answer.status_code, headers, answer.text)


def _lasting(answer: Answer) -> Answer:
    headers = [(name, value) for name, value in answer.headers if name != "x-request-id"]
    return Answer(answer.status, headers, answer.body)
