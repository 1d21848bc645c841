"""`GET /` with a stored summary, beside a bare application that answers the same bytes."""

import statistics
from dataclasses import dataclass
from typing import Final

import httpx

from bench import bare, load, rounds, usage
from bench.bare import Answer
from bench.errors import LoadError
from bench.load import HOST
from bench.system import Side, System

CONNECTIONS: Final = 32
WARM_UP: Final = 0.3
REQUEST: Final = f"GET / HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode()


@dataclass(frozen=True, slots=True)
class Round:
    """One round of one side; the processor's time is that of the API's process alone."""

    requests_per_s: float
    cpu_us_per_request: float
    p50_ms: float
    p99_ms: float


async def compare(
    system: System, mousetrap: Side, *, count: int, seconds: float
) -> dict[str, list[Round]]:
    """Measure both sides `count` times, `seconds` each; there must be a summary."""
    answer = system.root / "answer.json"
    bare.save(await _answer(mousetrap), answer)
    sides = {"mousetrap": mousetrap, "bare": await system.bare(answer)}
    if _lasting(await _answer(sides["bare"])) != _lasting(await _answer(mousetrap)):
        raise LoadError("the yardstick does not answer as the API does: see bench/bare.py")
    for side in sides.values():
        await _round(side, WARM_UP)
    return await rounds.alternate(sides, count, lambda side: _round(side, seconds))


async def _round(side: Side, seconds: float) -> Round:
    before = usage.cpu_seconds(side.pids["api"])
    done = await load.drive(
        side.port,
        REQUEST,
        status=200,
        connections=CONNECTIONS,
        go_on=load.for_seconds(seconds),
    )
    cpu = usage.cpu_seconds(side.pids["api"]) - before
    hundredths = statistics.quantiles(done.latencies, n=100)
    return Round(
        requests_per_s=done.per_second,
        cpu_us_per_request=cpu / len(done.latencies) * 1e6,
        p50_ms=hundredths[49] * 1e3,
        p99_ms=hundredths[98] * 1e3,
    )


async def _answer(side: Side) -> Answer:
    async with httpx.AsyncClient(trust_env=False, timeout=10) as client:
        answer = await client.get(f"http://{HOST}:{side.port}/")
    headers = [(name, value) for name, value in answer.headers.multi_items() if name != "date"]
    return Answer(headers, answer.raise_for_status().text)


def _lasting(answer: Answer) -> Answer:
    headers = [(name, value) for name, value in answer.headers if name != "x-request-id"]
    return Answer(headers, answer.body)
