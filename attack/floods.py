"""Floods: one caller that asks for more than its share."""

import asyncio
import contextlib
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from typing import Final

from attack.case import Act, Attack, Kind
from attack.errors import NotHeldError, NotTriedError
from attack.slowness import LARGE
from attack.sources import MAX_QUEUED
from attack.target import Target
from attack.wire import Wire

CONNECTIONS: Final = 600
STREAMS: Final = 400
REPLAYS: Final = 200
REFRESHES: Final = 400
AT_ONCE: Final = 20
RETRIES: Final = 30
JOBS: Final = 9_000
BYSTANDER: Final = 30.0
"""Seconds in which a stranger's job has ended, or never does."""
PATIENCE: Final = 3.0
"""Seconds in which a stranger must be answered during a flood; `--load` measures exactly."""

FILL: Final = """
INSERT INTO job (id, source, state, attempts, requested_at, fetched_at, finished_at)
SELECT gen_random_uuid(), 'demo', 'succeeded', 1, now(), now(), now()
FROM generate_series(1, $1)
"""

FAIL: Final = """
UPDATE job
SET state = 'failed', finished_at = now(), error_code = 'attack', error_detail = 'attack'
WHERE id = $1
"""


def attacks() -> Iterator[Attack]:
    """Yield all attacks of this kind."""
    yield _attack("600 idle connections of one peer", "H2", _connections)
    yield _attack("600 connections, opened and dropped", "H2", _churn)
    yield _attack("400 event streams of one peer", "M3", _streams)
    yield _attack("1,000 pipelined requests", "H2", _pipelined)
    yield _attack("200 replays of all events", "H3", _replays)
    yield _attack("refreshes of a source that never answers", "H5", _never)
    yield _attack("400 refreshes of one caller", "H5", _refreshes("flooded", MAX_QUEUED))
    yield _attack("400 refreshes that coalesce", "H5", _refreshes("coalesced", 2))
    yield _attack("retries of one job without end", "L5", _retries)
    yield _attack("400 unknown paths", "", _unknown)
    yield _attack("200 large answers at once", "H2", _large)


def _attack(name: str, finding: str, act: Act) -> Attack:
    return Attack(Kind.FLOODS, name, finding, act, seconds=120, quick=False)


@contextlib.asynccontextmanager
async def _opened(target: Target, count: int, data: bytes) -> AsyncIterator[list[Wire]]:
    """Open connections of one peer, as many as it gets, and send the same on each."""
    source = target.peer()
    async with contextlib.AsyncExitStack() as stack:
        found = []
        for _ in range(count):
            try:
                wire = await stack.enter_async_context(target.connected(source=source))
            except (OSError, TimeoutError):
                break
            if data:
                await wire.send(data, seconds=1)
            found.append(wire)
        yield found


async def _stranger(target: Target, line: str = "GET /", *, status: int = 200) -> None:
    start = time.monotonic()
    answer = await target.ask(line, seconds=10)
    seconds = time.monotonic() - start
    if answer.status != status:
        raise NotHeldError(f"a stranger's {line} was answered {answer.status}")
    if seconds > PATIENCE:
        raise NotHeldError(f"a stranger's {line} took {seconds:.1f} s")


async def _connections(target: Target) -> None:
    async with _opened(target, CONNECTIONS, b"") as held:
        await _stranger(target)
        closed = sum([await it.closed_within(0.005) for it in held])
        if len(held) - closed >= CONNECTIONS:
            raise NotHeldError(f"one peer holds {CONNECTIONS} connections")


async def _churn(target: Target) -> None:
    source = target.peer()
    for _ in range(CONNECTIONS):
        with contextlib.suppress(OSError, TimeoutError):
            async with target.connected(source=source) as wire:
                await wire.send(b"GET / HT", seconds=1)
    await _stranger(target)


async def _streams(target: Target) -> None:
    async with _opened(target, STREAMS, target.request("GET /events", keep=True)) as held:
        answers = await asyncio.gather(*(it.receive(seconds=3, until=b"\r\n") for it in held))
        served = sum(it.status == 200 for it in answers)
        if served >= STREAMS:
            raise NotHeldError(f"one peer has {served} slots")
        await _stranger(target)
        async with target.connected() as wire:
            await wire.send(target.request("GET /events", keep=True))
            if (await wire.receive(seconds=3, until=b"\r\n")).status != 200:
                raise NotHeldError("a stranger gets no slot")


async def _pipelined(target: Target) -> None:
    request = target.request("GET /jobs?limit=100", keep=True)
    async with target.connected() as wire:
        await wire.send(request * 1_000)
        await _stranger(target)


async def _replays(target: Target) -> None:
    if target.own is not None:
        async with target.own.database() as database:
            await database.execute(FILL, JOBS)
    request = target.request("GET /events", {"Last-Event-ID": "0"}, keep=True)
    flood = asyncio.create_task(_hold(target, REPLAYS, request))
    try:
        await asyncio.sleep(0.3)
        for _ in range(10):
            await _stranger(target)
            await asyncio.sleep(0.1)
    finally:
        flood.cancel()
        await asyncio.gather(flood, return_exceptions=True)


async def _hold(target: Target, count: int, request: bytes) -> None:
    async with _opened(target, count, request) as held:
        await asyncio.gather(*(it.receive(seconds=10) for it in held))


def _refreshes(name: str, most: int) -> Act:
    """One caller may fill the share of its source, never that of others."""

    async def act(target: Target) -> None:
        system, source = target.system, target.peer()
        body = f'{{"source": "{name}"}}'.encode()
        for _ in range(REFRESHES // AT_ONCE):
            asked = [target.ask("POST /refresh", body=body, source=source) for _ in range(AT_ONCE)]
            await asyncio.gather(*asked)
        state, seconds = await _bystander(target)
        if state != "succeeded" or seconds > 5:
            raise NotHeldError(f"a stranger's job is {state} after {seconds:.1f} s")
        async with system.database() as database:
            count = await database.fetchval("SELECT count(*) FROM job WHERE source = $1", name)
        if count > most + AT_ONCE:
            raise NotHeldError(f"{REFRESHES} refreshes of one caller became {count} jobs")

    return act


async def _bystander(target: Target) -> tuple[str, float]:
    """Return the state of a stranger's job, and the seconds after which it had that."""
    start = time.monotonic()
    try:
        job = await target.system.job("bystander", seconds=BYSTANDER)
    except TimeoutError:
        return "queued", time.monotonic() - start
    return str(job["state"]), time.monotonic() - start


async def _never(target: Target) -> None:
    source = target.peer()
    for _ in range(40):
        await target.ask("POST /refresh", body=b'{"source": "never"}', source=source)
    state, seconds = await _bystander(target)
    if state != "succeeded" or seconds > 2:
        raise NotHeldError(f"a stranger's job is {state} after {seconds:.1f} s")


async def _retries(target: Target) -> None:
    """Each time that it has failed, as the operator of the database pretends at once."""
    system = target.system
    answer = await target.ask("POST /refresh", body=b'{"source": "never"}')
    job_id = answer.json["job_id"]
    for _ in range(RETRIES):
        async with system.database() as database:
            await database.execute(FAIL, uuid.UUID(job_id))
        answer = await target.ask(f"POST /jobs/{job_id}/retry")
        if answer.status != 202:
            return
    raise NotHeldError(f"{RETRIES} retries were accepted")


async def _unknown(target: Target) -> None:
    source = target.peer()
    await asyncio.gather(*(target.ask(f"GET /no/{i}", source=source) for i in range(400)))
    await _stranger(target)


async def _large(target: Target) -> None:
    source = target.peer()
    if (await target.ask(f"GET {LARGE}")).status != 200:
        raise NotTriedError("there is no large asset")
    line = f"GET {LARGE}"
    flood = [asyncio.create_task(target.ask(line, source=source)) for _ in range(200)]
    await asyncio.sleep(0.1)
    try:
        await _stranger(target)
    finally:
        for task in flood:
            task.cancel()
        await asyncio.gather(*flood, return_exceptions=True)
