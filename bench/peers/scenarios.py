"""The scenarios: all contenders have the same faults at the same moments."""

import asyncio
import random
import time
import uuid
from collections.abc import Awaitable, Callable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from typing import Final

from bench.peers import outcome
from bench.peers.arena import Arena
from bench.peers.contender import FETCH, STAGES, Contender
from bench.peers.errors import PeerError
from bench.peers.outcome import Patience
from bench.peers.results import Fault, Scenario

SEED: Final = 2026
# The moment of the server's fault, as a share of the time under load.
MIDDLE: Final = 0.4
VALKEY_AWAY: Final = 1.0
DEADLINE: Final = 60.0
LOOK_EVERY: Final = 0.05
GLANCE_EVERY: Final = 0.25
"""Seconds between counts where time is measured; each row has the time of its result."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """Sizes: jobs of a rush and of a drain in each round, a backlog, a load in jobs/s, kills.

    The time between two kills of a siege is random, about `breath` seconds. `abreast` contenders
    run at the same time.
    """

    rounds: int
    rush: int
    drain: int
    backlog: int
    rate: int
    seconds: float
    kills: int
    breath: float
    abreast: int
    patience: Patience


@dataclass(frozen=True, slots=True)
class Act:
    """A fault, and the function that injects it."""

    fault: Fault
    do: Callable[[], Awaitable[None]]


async def rush(contender: Contender, count: int) -> float:
    """Return the jobs per second of a rush: from the first submission to the last result."""
    before = (await contender.stored()).keys()
    start = time.time()
    await _submit(contender, count)
    return round(count / (await _last(contender, before, count) - start), 1)


async def drain(contender: Contender, count: int) -> float:
    """Return the jobs per second of a backlog: from the workers' start to the last result.

    The submission of jobs, which differs between contenders, is left out.
    """
    before = (await contender.stored()).keys()
    with contender.held(*STAGES):
        await _submit(contender, count)
        start = time.time()
    return round(count / (await _last(contender, before, count) - start), 1)


async def _submit(contender: Contender, count: int) -> None:
    await contender.door.rush([str(uuid.uuid4()) for _ in range(count)])


async def _last(contender: Contender, before: AbstractSet[str], count: int) -> float:
    """Wait for `count` results; return the time at which the last one was stored.

    Each check takes processor time from the contender, and more with more stored results.
    """
    end = time.time() + DEADLINE
    wanted = len(before) + count
    while await contender.count() < wanted or len(stored := await contender.stored()) < wanted:
        if time.time() > end:
            raise PeerError(f"{contender.name} lost jobs without any fault\n{contender.logs}")
        await asyncio.sleep(GLANCE_EVERY)
    return max(it.first for job, it in stored.items() if job not in before)


async def worker_killed(arena: Arena, sizes: Sizes) -> Scenario:
    """Kill each fetch worker in the middle of a backlog; no further job comes."""
    faults = [
        Fault(after_s=0, what="SIGKILL to the fetch worker, with a quarter of the jobs stored")
    ]

    async def one(contender: Contender) -> float:
        contender.door.accepted.clear()
        for _ in range(sizes.backlog):
            contender.door.submit(str(uuid.uuid4()))
        await contender.door.answered()
        await _stored(contender, sizes.backlog // 4)
        await asyncio.sleep(arena.terms.delay / 2)
        contender.workers[FETCH].kill()
        return time.time()

    killed = await asyncio.gather(*map(one, arena.contenders))
    return await _scenario("worker-killed", arena, sizes, faults, killed)


async def workers_killed(arena: Arena, sizes: Sizes) -> Scenario:
    """Kill workers of both stages at random moments under load."""
    chance = random.Random(SEED)  # noqa: S311 - the same in every run
    # One in each interval, because a worker takes a second or two to start.
    moments = [(number + chance.random()) * sizes.breath for number in range(sizes.kills)]

    def act(moment: float) -> Act:
        stage = chance.choice(STAGES)

        async def kill() -> None:
            for contender in arena.contenders:
                contender.workers[stage].kill()

        return Act(Fault(after_s=round(moment, 2), what=f"SIGKILL to the {stage} worker"), kill)

    siege = replace(sizes, seconds=(sizes.kills + 1) * sizes.breath)
    return await _under_load("workers-killed", arena, siege, [act(it) for it in moments])


async def server_killed(arena: Arena, sizes: Sizes) -> Scenario:
    """Kill Valkey and restart it on its data."""

    async def kill() -> None:
        await arena.servers.kill_valkey(back_after=VALKEY_AWAY)

    what = f"SIGKILL to Valkey, back on its data {VALKEY_AWAY:g} s later"
    fault = Fault(after_s=sizes.seconds * MIDDLE, what=what)
    return await _under_load("server-killed", arena, sizes, [Act(fault, kill)])


async def flushed(arena: Arena, sizes: Sizes) -> Scenario:
    """Flush Valkey, with a backlog on top of the load."""

    async def flush() -> None:
        for contender in arena.contenders:
            for _ in range(sizes.backlog):
                contender.door.submit(str(uuid.uuid4()))
        await asyncio.gather(*(contender.door.answered() for contender in arena.contenders))
        await arena.servers.flush()

    fault = Fault(after_s=sizes.seconds * MIDDLE, what=f"{sizes.backlog} jobs more, then FLUSHALL")
    return await _under_load("flushed", arena, sizes, [Act(fault, flush)])


SCENARIOS: Final = (worker_killed, workers_killed, server_killed, flushed)


async def _under_load(name: str, arena: Arena, sizes: Sizes, acts: Sequence[Act]) -> Scenario:
    for contender in arena.contenders:
        contender.door.accepted.clear()
    start = asyncio.get_running_loop().time()
    load = asyncio.create_task(_load(arena, sizes, start))
    for act in acts:
        await _until(start + act.fault.after_s)
        await act.do()
    last_fault = time.time()
    await load
    killed = [last_fault] * len(arena.contenders)
    return await _scenario(name, arena, sizes, [act.fault for act in acts], killed)


async def _load(arena: Arena, sizes: Sizes, start: float) -> None:
    for number in range(int(sizes.rate * sizes.seconds)):
        await _until(start + number / sizes.rate)
        for contender in arena.contenders:
            contender.door.submit(str(uuid.uuid4()))
    await asyncio.gather(*(contender.door.answered() for contender in arena.contenders))


async def _scenario(
    name: str, arena: Arena, sizes: Sizes, faults: list[Fault], last_faults: Sequence[float]
) -> Scenario:
    last_event = time.time()
    found = await asyncio.gather(
        *(outcome.settled(it, last_event, sizes.patience) for it in arena.contenders)
    )
    outcomes = {
        contender.name: outcome.judge(contender, contender.door.accepted, stored, last_fault)
        for contender, stored, last_fault in zip(arena.contenders, found, last_faults, strict=True)
    }
    return Scenario(name=name, faults=faults, outcomes=outcomes)


async def _stored(contender: Contender, count: int) -> None:
    end = time.time() + DEADLINE
    while time.time() < end:
        stored = await contender.stored()
        if sum(job in stored for job in contender.door.accepted) >= count:
            return
        await asyncio.sleep(LOOK_EVERY)
    raise PeerError(f"{contender.name} did not begin\n{contender.logs}")


async def _until(moment: float) -> None:
    loop = asyncio.get_running_loop()
    await asyncio.sleep(max(0.0, moment - loop.time()))
