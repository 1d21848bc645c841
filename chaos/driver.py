"""A run: it starts and loads the system, injects faults, lets it heal, and judges it."""

import asyncio
import contextlib
import itertools
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import asyncpg
import redis

from chaos import acts, building, disk, evidence, load, oracle, sources, watch
from chaos.cells import Name, unready
from chaos.errors import ChaosError
from chaos.evidence import Evidence, Memory
from chaos.load import Load
from chaos.oracle import Promises, Violation
from chaos.plan import Fault, Plan
from chaos.sources import SUCCEEDED
from chaos.strike import Strike
from chaos.system import OURS, System
from chaos.watch import Watch
from mousetrap.stack import readiness

RECOVERED: Final = "SELECT EXISTS (SELECT FROM job WHERE id = ANY ($1) AND state = $2)"
READY_WITHIN: Final = 120.0
RECOVERED_WITHIN: Final = 60.0
HEALED_WITHIN: Final = 60.0
GIVE_UP_AFTER: Final = 20.0
SHOWN: Final = 5
WARM: Final = 40
"""The number of ended jobs at the first measurement of memory."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The faults of a run, the evidence, and the violations."""

    strikes: Sequence[Strike]
    load: Load
    starts: dict[str, int]
    baseline: Memory
    evidence: Evidence
    healed_in: float | None
    violations: Sequence[Violation]


class Driver:
    """Carries out a plan on a system under load."""

    def __init__(
        self, struck: System, callers: Load, watched: Watch, say: Callable[[str], None]
    ) -> None:
        self.strikes: list[Strike] = []
        self._watch = watched
        self._system = struck
        self._load = callers
        self._say = say

    async def run(self, plan: Plan) -> None:
        """Inject all faults; return when the system has recovered from the last one."""
        for fault in plan.survey:
            await self._alone(fault)
        if not plan.storm:
            return
        self._say(f"the storm begins: {len(plan.storm)} faults")
        start = time.monotonic()
        async with asyncio.TaskGroup() as group:
            for fault in plan.storm:
                group.create_task(self._strike_at(start + fault.at, fault))

    async def _alone(self, fault: Fault) -> None:
        flaws, self._load.slowest = len(self._load.flaws), 0.0
        began = time.time()
        try:
            strike = await self._strike(fault, alone=True)
        except (OSError, asyncpg.PostgresError, redis.RedisError) as error:
            # The rest of the matrix is still worth its time.
            failure = f"it could not be injected, or healed: {error!r}"
            self.strikes.append(Strike(fault, began, time.time(), 0, flaws=[failure]))
            self._say(failure)
            return
        if strike.skipped:
            return
        await self.recovered(strike)
        ours = [it for it in self._system.everyone if it.kind in OURS]
        struck = [it for it in ours if it.kind in strike.expected]

        async def ready() -> bool:
            return self._watch.is_ready(ours, strike.ended_at)

        await until(ready, within=RECOVERED_WITHIN)
        self.strikes[-1] = replace(
            strike,
            unready_in=(
                self._watch.after(struck, strike.began_at, strike.ended_at, ready=False)
                if struck
                else None
            ),
            ready_in=self._watch.after(ours, strike.ended_at, ready=True),
            flaws=self._load.flaws[flaws:][:SHOWN],
            slowest=self._load.slowest,
        )

    async def recovered(self, strike: Strike) -> None:
        """Wait until a job submitted after a fault has succeeded, or until none does in time."""

        async def check() -> bool:
            since = reversed(self._load.submissions)
            late = itertools.takewhile(lambda it: it.submitted_at > strike.ended_at, since)
            ids = [it.job_id for it in late if it.job_id is not None]
            async with self._system.database() as database:
                return bool(await database.fetchval(RECOVERED, ids, SUCCEEDED))

        if not await until(check, within=RECOVERED_WITHIN):
            self._say("the system has not recovered")

    async def _strike_at(self, due: float, fault: Fault) -> None:
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        await self._strike(fault, alone=False)

    async def _strike(self, fault: Fault, *, alone: bool) -> Strike:
        act = acts.ACTS[fault.cell.name](fault, self._system, self._load)
        if act.impossible:
            self._say(f"{fault.cell.name}: not injected: {act.impossible}")
            now = time.time()
            strike = Strike(fault, now, now, 0, alone=alone, skipped=act.impossible)
            self.strikes.append(strike)
            return strike
        async with contextlib.AsyncExitStack() as stack:
            for member in act.claims:
                await stack.enter_async_context(member.lock)
            self._say(f"{fault.cell.name}: {fault.cell.target} {_which(fault)}")
            began = time.time()
            await act.apply()
            try:
                await asyncio.sleep(fault.lasts)
            finally:
                await act.heal()
            strike = Strike(
                fault,
                began,
                time.time(),
                act.touched,
                act.markers,
                alone=alone,
                expected=unready(fault.cell),
            )
        self.strikes.append(strike)
        return strike


async def perform(
    plan: Plan, *, seed: int, per_second: float, root: Path, say: Callable[[str], None]
) -> Outcome:
    """Make a complete run in an empty folder."""
    with sources.served(root) as served:
        async with (
            building.running(root, served, disks=_needs_disks(plan)) as running,
            load.running(running.ports(), seed=seed, per_second=per_second) as callers,
            watch.watching(running) as watched,
        ):
            baseline = await _warm(running, callers)
            driver = Driver(running, callers, watched, say)
            await driver.run(plan)
            say("all faults are done: the system may heal")
            if driver.strikes:
                await driver.recovered(max(driver.strikes, key=lambda it: it.ended_at))
            healed_in = await _heal(running, callers)
            return await _look(running, callers, driver.strikes, baseline, healed_in)


def _needs_disks(plan: Plan) -> bool:
    wanted = any(it.cell.name is Name.DISK for it in (*plan.survey, *plan.storm))
    return wanted and disk.mountable()


async def until(condition: Callable[[], Awaitable[bool]], *, within: float) -> bool:
    """Poll a condition; return whether it held in time.

    A server that does not answer, because it has not yet noticed its fault, is asked again.
    """
    end = time.monotonic() + within
    while time.monotonic() < end:
        with contextlib.suppress(OSError, asyncpg.PostgresError, redis.RedisError):
            if await condition():
                return True
        await asyncio.sleep(0.25)
    return False


async def _warm(running: System, callers: Load) -> Memory:
    async def ready() -> bool:
        return await _ready(running)

    async def warm() -> bool:
        async with running.database() as database:
            found = await evidence.jobs(database)
        return sum(job.state != "queued" for job in found.values()) >= WARM

    for condition in (ready, warm):
        if not await until(condition, within=READY_WITHIN):
            tails = (f"{it.name}:\n{running.logs.tail(it.name)}" for it in running.everyone)
            raise ChaosError("the system does not work:\n" + "\n".join(tails))
    assert callers.accepted
    return await evidence.memory(running)


async def _ready(running: System) -> bool:
    answers = [readiness.is_ready(it.port) for it in running.everyone if it.port is not None]
    return all(await asyncio.gather(*answers))


async def _heal(running: System, callers: Load) -> float | None:
    """Wait until all work is done; return the seconds, None if it is not done in time."""

    async def done() -> bool:
        return await evidence.drained(running) and await _ready(running)

    start = time.monotonic()
    await callers.settle(GIVE_UP_AFTER)
    left = HEALED_WITHIN - (time.monotonic() - start)
    return time.monotonic() - start if await until(done, within=left) else None


async def _look(
    running: System,
    callers: Load,
    strikes: Sequence[Strike],
    baseline: Memory,
    healed_in: float | None,
) -> Outcome:
    found = await evidence.gather(running, callers)
    await running.end()
    promises = Promises(callers.accepted, callers.ended, callers.flaws, callers.looks)
    return Outcome(
        strikes=strikes,
        load=callers,
        starts={member.name: member.starts for member in running.everyone},
        baseline=baseline,
        evidence=found,
        healed_in=healed_in,
        violations=oracle.judge(found, promises, strikes, running.misdeeds, baseline),
    )


def _which(fault: Fault) -> str:
    replica = "all" if fault.replica is None else str(fault.replica)
    return f"{replica}, {fault.lasts:g} s"
